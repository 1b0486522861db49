import threading

import numpy as np
import pytest

from moshi_tui.audio import devices, streams
from moshi_tui.audio.base import Sink, Source
from moshi_tui.audio.devices import pick
from moshi_tui.audio.streams import Microphone, Speaker
from moshi_tui.audio.virtual import FileMicrophone, NullSpeaker
from moshi_tui.errors import MoshiTuiError


def microphone(wanted=None):
    return Microphone(pick("input", wanted))


def speaker(wanted=None):
    return Speaker(pick("output", wanted))


def test_what_is_heard_is_in_the_ring(portaudio):
    mic = microphone()
    mic.start()
    block = np.linspace(-1, 1, 480, dtype=np.float32)
    portaudio.streams[0].hear(block[:, None])
    assert np.array_equal(mic.ring.latest(480), block)
    assert (mic.name, mic.rate) == ("Built-in Microphone", 48_000)
    mic.close()
    assert portaudio.streams[0].calls == ["start", "abort", "close"]


def test_channels_are_averaged(portaudio):
    portaudio.accepts = lambda rate, channels: channels == 2
    mic = microphone("2")
    portaudio.streams[0].hear(np.tile(np.float32([0.5, 0.25]), (441, 1)))
    assert np.all(mic.ring.latest(441) == 0.375)


def test_what_is_in_the_ring_is_played_on_all_channels(portaudio):
    portaudio.accepts = lambda rate, channels: channels == 2
    out = speaker()
    out.ring.push(np.full(1000, 0.5, np.float32))
    stream = portaudio.streams[0]
    heard = np.concatenate([stream.ask() for _ in range(4)])
    assert heard.shape == (1920, 2)
    assert np.array_equal(heard[:, 0], heard[:, 1])
    assert np.all(heard[240:1000] == 0.5)
    assert not heard[1240:].any()
    assert out.underruns == 1


def test_a_mono_speaker_is_always_given_a_whole_block(portaudio):
    out = speaker()
    assert not portaudio.streams[0].ask().any()
    out.ring.push(np.full(100, 0.5, np.float32))
    assert np.isfinite(portaudio.streams[0].ask()).all()


def test_slack_is_the_time_until_the_speaker_has_nothing_to_play(portaudio, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(streams.time, "monotonic", lambda: now[0])
    out = speaker()
    assert out.slack_s == 0.0
    stream = portaudio.streams[0]
    out.ring.push(np.ones(960, np.float32))  # two blocks of 10 ms
    stream.ask()
    assert out.slack_s == pytest.approx(0.02)
    now[0] += 0.004
    assert out.slack_s == pytest.approx(0.016)
    now[0] += 0.006
    stream.ask()
    assert out.slack_s == pytest.approx(0.01)  # the ring is empty, its last block still playing
    now[0] += 0.03
    assert out.slack_s == 0.0
    stream.ask()
    assert out.slack_s == 0.0
    assert out.gap_s == pytest.approx(0.01)


def test_flags_of_the_system_are_counted(portaudio):
    from tests.audio.fake_portaudio import flags

    mic, out = microphone(), speaker()
    for _ in range(2):
        portaudio.streams[0].hear(np.zeros((480, 1)), flags(input_overflow=True))
        portaudio.streams[1].ask(flags(output_underflow=True))
    portaudio.streams[0].hear(np.zeros((480, 1)), flags())
    assert mic.overflows == 2
    assert out.underflows == 2
    assert out.underruns == 0


def test_a_microphone_notes_when_its_sound_was_in_the_air(portaudio, monkeypatch):
    monkeypatch.setattr(streams.time, "monotonic", lambda: 100.0)
    mic = microphone()
    assert mic.stamp is None
    assert mic.latency_s == 0.02  # as stated
    portaudio.streams[0].hear(np.zeros((480, 1)), ago=0.037)
    assert mic.stamp == (480, pytest.approx(100.0 - 0.037 + 0.01))
    assert mic.latency_s == pytest.approx(0.037)


def test_a_speaker_notes_when_its_ring_will_be_in_the_air(portaudio, monkeypatch):
    monkeypatch.setattr(streams.time, "monotonic", lambda: 100.0)
    out = speaker()
    assert out.stamp is None
    assert out.latency_s == 0.02
    out.ring.push(np.zeros(600, np.float32))
    portaudio.streams[0].ask(ahead=0.045)
    assert out.stamp == (480, pytest.approx(100.0 + 0.045 + 0.01))
    assert out.latency_s == pytest.approx(0.045)
    monkeypatch.setattr(streams.time, "monotonic", lambda: 100.01)
    portaudio.streams[0].ask(ahead=0.045)  # there were 120 samples for it
    assert out.stamp == (600, pytest.approx(100.01 + 0.045 + 0.01))


@pytest.mark.parametrize("now", [0.0, 0.3, 77.0])
def test_a_system_that_tells_no_times(portaudio, monkeypatch, now):
    from tests.audio.fake_portaudio import times

    monkeypatch.setattr(streams.time, "monotonic", lambda: 100.0)
    mic, out = microphone(), speaker()
    portaudio.streams[0].hear(np.zeros((480, 1)), moment=times(now=now))
    portaudio.streams[1].ask(moment=times(now=now))
    assert mic.stamp == (480, pytest.approx(100.0 - 0.02 + 0.01))
    assert out.stamp == (0, pytest.approx(100.0 + 0.02 + 0.01))


def test_rates_are_tried_the_devices_own_first(portaudio):
    portaudio.accepts = lambda rate, channels: rate == 24_000
    mic = microphone("2")
    assert mic.rate == 24_000
    assert portaudio.tried == [
        (44_100, 1), (44_100, 2), (48_000, 1), (48_000, 2), (24_000, 1),
    ]  # fmt: skip


def test_a_device_that_takes_only_all_its_channels(portaudio):
    portaudio.accepts = lambda rate, channels: channels == 18
    assert microphone("pro").rate == 96_000
    assert portaudio.tried == [(96_000, 1), (96_000, 2), (96_000, 18)]


def test_a_device_that_refuses_everything(portaudio):
    portaudio.accepts = lambda rate, channels: False
    with pytest.raises(MoshiTuiError, match="Built-in Microphone: Invalid sample rate") as caught:
        microphone()
    assert "--input-device" in caught.value.hint


def test_a_busy_device_is_not_tried_again_and_again(portaudio):
    portaudio.accepts = lambda rate, channels: False
    portaudio.refusal = ("Device unavailable", -9985)
    with pytest.raises(MoshiTuiError, match="Device unavailable"):
        speaker()
    assert len(portaudio.tried) == 1


def test_a_device_that_refuses_to_start(portaudio):
    mic = microphone()
    portaudio.streams[0].start_error = portaudio.PortAudioError("Error starting stream", -9999)
    with pytest.raises(MoshiTuiError, match="Error starting stream"):
        mic.start()
    assert mic.failed is None
    mic.close()


@pytest.mark.parametrize("make", [microphone, speaker])
def test_a_stream_that_stops_by_itself_has_failed(portaudio, make):
    endpoint = make()
    endpoint.start()
    assert endpoint.failed is None
    portaudio.streams[0].options["finished_callback"]()
    assert "unplugged" in endpoint.failed
    endpoint.close()
    assert "unplugged" in endpoint.failed


def test_a_stream_that_was_closed_has_not_failed(portaudio):
    mic = microphone()
    mic.start()
    mic.close()
    portaudio.streams[0].options["finished_callback"]()
    assert mic.failed is None


def test_a_stream_that_stands_still_has_failed_until_it_moves(portaudio, monkeypatch):
    now = 100.0
    monkeypatch.setattr(streams.time, "monotonic", lambda: now)
    mic = microphone()
    mic.start()
    for _ in range(29):
        now += 0.1
        assert mic.failed is None
    now += 0.2
    assert "3 seconds" in mic.failed
    portaudio.streams[0].hear(np.zeros((480, 1)))
    assert mic.failed is None


def test_a_process_that_stood_still_does_not_blame_the_device(portaudio, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(streams.time, "monotonic", lambda: now[0])
    mic = microphone()
    mic.start()
    now[0] += 60.0  # the process was stopped: nobody looked, nothing moved
    assert mic.failed is None
    for _ in range(29):
        now[0] += 0.1
        assert mic.failed is None
    now[0] += 0.2
    assert "3 seconds" in mic.failed  # but now there was time enough


def test_a_process_that_stood_still_has_interrupted_moshi(portaudio, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(streams.time, "monotonic", lambda: now[0])
    out = speaker()
    out.start()
    stream = portaudio.streams[0]
    out.ring.push(np.ones(4800, np.float32))
    for _ in range(5):
        stream.ask()
        now[0] += 0.01
    assert (out.underruns, out.gap_s) == (0, 0.0)
    now[0] += 2.0
    stream.ask()
    assert out.underruns == 1
    assert out.gap_s == pytest.approx(2.01)


def test_closing_is_bounded_when_the_device_hangs(portaudio, monkeypatch):
    forgotten = []
    monkeypatch.setattr(devices.atexit, "unregister", forgotten.append)
    monkeypatch.setattr(streams, "CLOSE_SECONDS", 0.05)
    portaudio._exit_handler = object()
    mic = microphone()
    mic.start()
    portaudio.streams[0].hang = released = threading.Event()
    mic.close()
    mic.close()
    assert portaudio.streams[0].calls == ["start"]
    assert forgotten == [portaudio._exit_handler]
    released.set()


def test_an_open_stream_is_known_until_it_is_closed(portaudio):
    mic, out = microphone(), speaker()
    assert len(devices.open_streams) == 2
    mic.close()
    out.close()
    out.close()
    assert not devices.open_streams


def test_a_stream_that_hangs_while_it_closes_counts_as_open(portaudio, monkeypatch):
    monkeypatch.setattr(streams, "CLOSE_SECONDS", 0.05)
    mic = microphone()
    mic.start()
    portaudio.streams[0].hang = released = threading.Event()
    mic.close()
    assert not devices.look_anew()
    speaker().close()  # others can be opened and closed in the meantime
    released.set()
    for _ in range(500):
        if devices.look_anew():
            break
        threading.Event().wait(0.01)
    assert portaudio.inits == 1


def test_a_microphone_says_which_device_it_is(portaudio):
    assert microphone("2").device == pick("input", "2")
    assert speaker("2").device == pick("output", "2")
    assert FileMicrophone(np.zeros(1, np.float32)).device is None
    assert NullSpeaker().device is None


def test_drain_waits_for_the_ring(portaudio):
    out = speaker()
    out.start()
    out.ring.push(np.full(4800, 0.5, np.float32))
    stream = portaudio.streams[0]
    player = threading.Thread(target=lambda: [stream.ask() for _ in range(13)])
    closer = threading.Thread(target=out.close, kwargs={"drain": True})
    closer.start()
    while not out._playout.ending:
        threading.Event().wait(0.001)
    assert "abort" not in stream.calls or not closer.is_alive()
    player.start()
    player.join()
    closer.join(5)
    assert not closer.is_alive()
    assert out.ring.fill == 0
    assert out.underruns == 0
    assert out.failed is None


def test_draining_what_never_started_returns(portaudio):
    out = speaker()
    out.ring.push(np.zeros(48_000, np.float32))
    out.close(drain=True)


def test_all_four_keep_the_protocols(portaudio):
    sources: list[Source] = [microphone(), FileMicrophone(np.zeros(1, np.float32))]
    sinks: list[Sink] = [speaker(), NullSpeaker()]
    for endpoint in (*sources, *sinks):
        for name in ("name", "rate", "ring", "latency_s", "stamp", "failed", "start", "close"):
            assert hasattr(endpoint, name)
    assert [source.overflows for source in sources] == [0, 0]
    assert [sink.underflows for sink in sinks] == [0, 0]
