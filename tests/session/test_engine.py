import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from moshi_tui.audio.devices import Device
from moshi_tui.config import Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES
from moshi_tui.session import ends as ends_module
from moshi_tui.session import engine as engine_module
from moshi_tui.session import health as health_module
from moshi_tui.session.endpoints import FileSink, FileSource
from moshi_tui.session.engine import Engine
from moshi_tui.session.events import (
    DeviceChanged,
    DeviceLost,
    Failed,
    Finished,
    Loading,
    Muted,
    Notice,
    Ready,
    Skipped,
    TextPiece,
    Underrun,
    WasReset,
)
from tests.session.stand_ins import EarSink, HandSource, parts

USB = Device(3, "USB Audio", "ALSA", 48_000, 1, 2, False, False)


class Talk:
    """An engine around stand-ins, with everything that it told."""

    def __init__(self, monkeypatch, source=None, sink=None, loader=None, **generator):
        self.parts = parts(**generator)
        self.source = source or HandSource()
        self.sink = sink or EarSink()
        self.events = []
        self.threads = set()
        load = loader or (lambda settings, tell, stopping: self.parts)
        monkeypatch.setattr(engine_module, "load_parts", load)
        self.engine = Engine(Settings(), self.listen, lambda: (self.source, self.sink))

    def listen(self, event):
        self.events.append(event)
        self.threads.add(threading.current_thread().name)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def wait(self, condition, seconds=10.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.events
            time.sleep(0.005)

    def start(self):
        self.engine.start()
        self.wait(lambda: self.of(Ready))
        # The encode thread throws away what came before it was there.
        self.wait(lambda: self.source.discards)
        return self

    def stop(self):
        assert self.engine.stop(5.0)


@pytest.fixture
def talk(monkeypatch):
    talk = Talk(monkeypatch).start()
    yield talk
    talk.stop()


def test_what_goes_in_comes_out_in_order(talk):
    for value in range(1, 9):
        talk.source.feed(value / 10)
    talk.wait(lambda: len(talk.sink.played) == 8)
    assert talk.sink.played == pytest.approx([v / 10 for v in range(1, 9)])
    pieces = talk.of(TextPiece)
    assert [p.frame for p in pieces] == list(range(8))
    assert "".join(p.text for p in pieces) == " 1 2 3 4 5 6 7 8"
    assert talk.engine.stats.frames == 8
    assert talk.engine.stats.context_size == 100
    assert talk.engine.stats.lag_ms is not None


def test_muted_the_model_hears_silence(talk):
    talk.source.feed(0.5)
    talk.wait(lambda: len(talk.sink.played) == 1)
    talk.engine.set_muted(True)
    assert talk.engine.stats.muted
    talk.source.feed(0.5, 2)
    talk.wait(lambda: len(talk.sink.played) == 3)
    talk.engine.set_muted(False)
    time.sleep(0.08)  # the frame began after that
    talk.source.feed(0.5)
    talk.wait(lambda: len(talk.sink.played) == 4)
    assert talk.sink.played == [0.5, 0.0, 0.0, 0.5]
    assert talk.of(Muted) == [Muted(1, True), Muted(3, False)]


def test_what_was_said_while_muted_is_not_heard_later(talk):
    talk.engine.set_muted(True)
    talk.source.age_s = 0.06  # frames end that long before they are read
    talk.engine.set_muted(False)
    talk.source.feed(0.5)
    talk.wait(lambda: len(talk.sink.pcm) == 1)
    assert not talk.sink.pcm[0].any()
    time.sleep(0.1)
    talk.source.feed(0.5)  # its first half was said before
    talk.wait(lambda: len(talk.sink.pcm) == 2)
    heard = np.flatnonzero(talk.sink.pcm[1])
    assert 0 < heard[0] < FRAME_SAMPLES
    assert talk.sink.pcm[1][-1] == 0.5
    assert np.abs(np.diff(talk.sink.pcm[1])).max() < 0.01


def test_reset_forgets_everything_that_was_under_way(monkeypatch):
    talk = Talk(monkeypatch, step_seconds=0.05).start()
    talk.source.feed(0.1, 10)
    talk.wait(lambda: len(talk.sink.played) >= 2)
    talk.engine.reset()
    time.sleep(0.2)
    talk.source.feed(0.9, 3)
    talk.wait(lambda: talk.sink.played.count(pytest.approx(0.9)) == 3)
    talk.stop()
    at = talk.sink.played.index("flush")
    assert talk.sink.played[:at] == pytest.approx([0.1] * at)
    assert talk.sink.played[at + 1 :] == pytest.approx([0.9] * 3)
    assert len(talk.of(WasReset)) == 1
    p = talk.parts
    assert (p.generator.resets, p.encoder.resets, p.decoder.resets, p.text.resets) == (1, 1, 1, 1)


def test_frames_keep_their_numbers_across_a_reset(talk):
    talk.source.feed(0.1, 3)
    talk.wait(lambda: len(talk.of(TextPiece)) == 3)
    talk.engine.reset()
    talk.wait(lambda: talk.parts.encoder.resets == 1)
    talk.source.feed(0.1)
    talk.wait(lambda: len(talk.of(TextPiece)) == 4)
    assert talk.of(WasReset) == [WasReset(3)]
    assert talk.of(TextPiece)[-1].frame == 3


@pytest.mark.parametrize(
    ("breaks", "title"),
    [
        (lambda t: setattr(t.source, "error", RuntimeError("mic")), "encode thread"),
        (lambda t: setattr(t.source, "error", MoshiTuiError("Gone", "mic")), "Gone"),
        (lambda t: setattr(t.parts.encoder, "encode", None), "encode thread"),
        (lambda t: setattr(t.parts.generator, "step", None), "inference thread"),
        (lambda t: setattr(t.parts.decoder, "decode", None), "decode thread"),
        (lambda t: setattr(t.sink, "write", None), "decode thread"),
    ],
)
def test_an_error_on_any_thread_is_told_once_and_ends_all(monkeypatch, breaks, title):
    talk = Talk(monkeypatch).start()
    breaks(talk)
    talk.source.feed(0.1, 20)
    assert talk.engine.join(5.0)
    (failed,) = talk.of(Failed)
    assert title in failed.error.title
    assert talk.source.closed
    assert talk.sink.closed
    assert not [t for t in threading.enumerate() if t.name in ("encode", "decode", "inference")]


def test_an_error_while_loading(monkeypatch):
    def loader(settings, tell, stopping):
        tell(Loading("weights", "model", 0.5))
        raise MoshiTuiError("Model file is broken", "x.safetensors")

    talk = Talk(monkeypatch, loader=loader)
    talk.engine.start()
    assert talk.engine.join(5.0)
    assert [type(e) for e in talk.events] == [Loading, Failed]
    assert talk.engine.stats.frames == 0


def test_stop_while_loading(monkeypatch):
    def loader(settings, tell, stopping):
        for _ in range(1000):
            if stopping():
                raise engine_module.Cancelled
            time.sleep(0.01)

    talk = Talk(monkeypatch, loader=loader)
    talk.engine.start()
    assert talk.engine.stop(1.0)
    assert not talk.events


def test_stop_before_start_and_twice(monkeypatch):
    talk = Talk(monkeypatch)
    assert talk.engine.stop(0.1)
    talk = Talk(monkeypatch).start()
    assert talk.engine.stop(5.0)
    assert talk.engine.stop(5.0)


def test_stop_says_when_a_step_holds_it_up(monkeypatch):
    talk = Talk(monkeypatch, step_seconds=0.6).start()
    talk.source.feed(0.1)
    talk.wait(lambda: talk.parts.generator is not None and not talk.source.frames)
    time.sleep(0.1)
    assert not talk.engine.stop(0.1)
    assert talk.engine.join(5.0)


def test_a_slow_model_does_not_pile_up_frames(monkeypatch):
    talk = Talk(monkeypatch, step_seconds=0.02).start()
    talk.source.feed(0.1, 60)
    talk.wait(lambda: len(talk.sink.played) > 5)
    # What is not in the queues waits at the source.
    assert talk.engine.stats.backlog_frames > 30
    assert len(talk.parts.encoder.memory.sounds) - len(talk.sink.played) < 12
    talk.stop()


@pytest.mark.parametrize("delay", [1, 2, 3])
@pytest.mark.parametrize("samples", [FRAME_SAMPLES * 5, FRAME_SAMPLES * 5 + 700, 100])
def test_a_file_is_answered_in_its_own_length_and_place(monkeypatch, tmp_path, delay, samples):
    sound = np.zeros(samples, np.float32)
    sound[[10, samples // 2, samples - 1]] = [0.5, 0.25, -0.5]
    soundfile.write(tmp_path / "in.wav", sound, 24_000, subtype="FLOAT")
    source = FileSource(tmp_path / "in.wav")
    sink = FileSink(tmp_path / "out.wav", lambda: source.samples)
    talk = Talk(monkeypatch, source=source, sink=sink, delay=delay)
    talk.engine.start()
    assert talk.engine.join(20.0)
    assert len(talk.of(Finished)) == 1
    assert not (tmp_path / "out.wav").exists()
    sink.keep()
    heard, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate == 24_000
    assert len(heard) == samples
    assert np.abs(heard - sound).max() < 1e-4


def test_events_come_from_named_threads(talk):
    talk.engine.set_muted(True)
    talk.source.feed(0.1, 2)
    talk.wait(lambda: len(talk.of(TextPiece)) == 2)
    assert talk.threads == {"inference", "encode"}


def test_an_end_that_does_not_close_leaves_nothing_else_open(monkeypatch):
    talk = Talk(monkeypatch).start()
    released = []
    monkeypatch.setattr(engine_module.device, "release", lambda: released.append(True))

    def close():
        raise RuntimeError("stuck")

    talk.source.close = close
    assert talk.engine.stop(5.0)
    assert talk.sink.closed
    assert released
    (failed,) = talk.of(Failed)
    assert "stuck" in failed.error.message


def test_after_a_reset_the_speaker_falls_silent_at_once(talk):
    talk.source.feed(0.1)
    talk.wait(lambda: len(talk.sink.played) == 1)
    talk.engine.reset()
    talk.wait(lambda: talk.sink.played[-1] == "flush")
    assert not talk.of(WasReset)  # no frame has come yet


# Sound that is live can't wait.


def live_talk(monkeypatch, **generator):
    source = HandSource()
    source.live = True
    return Talk(monkeypatch, source=source, **generator).start()


def feed_live(source, values, seconds=0.02):
    """Frames in their own time (four times as fast as real ones)."""
    for value in values:
        source.feed(value)
        time.sleep(seconds)


def stall(talk, seconds):
    """The next step of the model takes so long."""
    generator = talk.parts.generator
    step = generator.step

    def slow(codes):
        generator.step = step
        time.sleep(seconds)
        return step(codes)

    generator.step = slow


def test_after_a_stall_the_model_hears_the_words_and_not_the_silence(monkeypatch):
    talk = live_talk(monkeypatch)
    words = [0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.3, *[0.0] * 8, 0.4]
    for _ in range(3):
        talk.source.feed(0.0)
        talk.wait(lambda: talk.engine.stats.frames == len(talk.of(TextPiece)) > 0)
    stall(talk, 0.6)
    feed_live(talk.source, words)
    talk.wait(lambda: 0.4 in np.round(talk.sink.played, 3))
    heard = [round(value, 3) for value in talk.sink.played if value]
    skipped = talk.of(Skipped)
    talk.stop()
    assert heard == [0.1, 0.2, 0.3, 0.4]
    assert skipped
    assert {(s.side, s.kind, s.ms) for s in skipped if s.side == "user"} == {
        ("user", "silence", 80.0)
    }
    stats = talk.engine.stats
    users = [s for s in skipped if s.side == "user"]
    assert stats.skips.user_silence_ms == 80 * len(users)
    assert stats.skips.user_speech_ms == 0
    # Every frame has its number: those that the model heard and those that it did not.
    numbers = sorted([p.frame for p in talk.of(TextPiece)] + [s.frame for s in users])
    assert numbers == list(range(3 + len(words)))
    assert stats.frame == 3 + len(words) - 1
    assert stats.frames == 3 + len(words) - len(users)


def test_after_a_stall_the_codec_works_in_batches(monkeypatch):
    talk = live_talk(monkeypatch)
    memory = talk.parts.encoder.memory
    encode, block = talk.parts.encoder.encode, threading.Event()

    def blocked(pcm):
        block.wait(5)
        return encode(pcm)

    talk.parts.encoder.encode = blocked
    talk.source.feed(0.5, 12)
    time.sleep(0.1)
    block.set()
    talk.wait(lambda: len(talk.sink.played) == 12)
    talk.stop()
    assert sum(memory.encoded) == 12
    assert max(memory.encoded) == 5
    assert sum(memory.decoded) == 12
    assert [p.frame for p in talk.of(TextPiece)] == list(range(12))


def test_what_came_too_late_for_the_speaker_is_told(monkeypatch):
    talk = live_talk(monkeypatch)
    talk.source.feed(0.5)
    talk.wait(lambda: len(talk.sink.played) == 1)
    talk.sink.gap = 0.5
    talk.source.feed(0.5)
    talk.wait(lambda: len(talk.sink.played) == 2)
    talk.stop()
    assert talk.of(Underrun) == [Underrun(1, pytest.approx(500 + talk.engine.stats.playout_ms))]


def test_the_numbers_of_a_live_talk(monkeypatch):
    talk = live_talk(monkeypatch)
    talk.source.feed(0.5, 2)
    talk.wait(lambda: len(talk.sink.played) == 2)
    stats = talk.engine.stats
    talk.stop()
    assert stats.input_latency_ms == pytest.approx(12)
    assert stats.output_latency_ms == pytest.approx(34)
    assert stats.playout_ms >= 10
    assert stats.playout_speed == 1.0


def test_a_reset_during_a_stall_forgets_what_waits(monkeypatch):
    talk = live_talk(monkeypatch)
    talk.source.feed(0.5)
    talk.wait(lambda: len(talk.sink.played) == 1)
    stall(talk, 0.5)
    feed_live(talk.source, [0.5] * 10)
    talk.engine.reset()
    talk.wait(lambda: talk.parts.encoder.resets == 1)
    talk.source.feed(0.9, 2)
    talk.wait(lambda: talk.sink.played.count(pytest.approx(0.9)) == 2)
    talk.stop()
    after = talk.sink.played[talk.sink.played.index("flush") + 1 :]
    assert after == pytest.approx([0.9, 0.9])


def watch_quicker(monkeypatch, times):
    """The watch over the machine is so many times as quick (its own seconds: test_health)."""
    for module, names in (
        (health_module, ("SETTLE_SECONDS", "HOLD_SECONDS")),
        (engine_module, ("WATCH_SECONDS",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name) / times)


def feed_until(talk, condition, interval, seconds=15.0):
    """Speech, a frame after each interval."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, talk.events
        talk.source.feed(0.5)
        time.sleep(interval)


def test_a_machine_that_is_too_slow_says_so_once(monkeypatch):
    watch_quicker(monkeypatch, 6)
    talk = live_talk(monkeypatch, step_seconds=0.1)
    feed_until(talk, lambda: talk.of(Notice) and talk.engine.stats.skips.user_speech_ms, 0.08)
    told_at = talk.engine.stats.frames
    feed_until(talk, lambda: talk.engine.stats.frames > told_at + 8, 0.08)
    stats = talk.engine.stats
    talk.stop()
    (notice,) = talk.of(Notice)
    assert "too slow" in notice.title
    assert notice.message.startswith("the model takes 1")
    assert "over budget: skipping 1 frame in" in stats.health
    assert stats.skips.user_speech_ms > 0
    assert stats.backlog_frames <= 4


def test_what_a_full_ring_has_lost_is_told_and_numbered(monkeypatch):
    talk = live_talk(monkeypatch)
    talk.source.feed(0.5)
    talk.wait(lambda: len(talk.sink.played) == 1)
    read = talk.source.read
    talk.source.read = lambda stop, most=1: [replace(f, lost=3) for f in read(stop, most)]
    talk.source.feed(0.5)
    talk.wait(lambda: len(talk.sink.played) == 2)
    talk.stop()
    assert talk.of(Skipped)[0] == Skipped(1, "user", "speech", 240.0)
    assert [p.frame for p in talk.of(TextPiece)] == [0, 4]
    assert talk.engine.stats.skips.user_speech_ms == 240.0


def test_a_codec_that_is_too_slow_does_not_silence_moshi(monkeypatch):
    talk = live_talk(monkeypatch)
    encode = talk.parts.encoder.encode

    def slow(pcm):
        time.sleep(0.09 * len(pcm) / FRAME_SAMPLES)
        return encode(pcm)

    talk.parts.encoder.encode = slow
    talk.source.feed(0.5, 5)
    talk.wait(lambda: talk.engine.stats.frames == 5)
    talk.source.feed(0.5, 60)
    talk.wait(lambda: talk.source.lost)
    talk.source.feed(0.7)
    talk.wait(lambda: pytest.approx(0.7) in talk.sink.played)
    talk.stop()
    assert talk.source.lost > 40


def test_a_speaker_that_fails_is_told_though_nothing_is_played(monkeypatch):
    talk = live_talk(monkeypatch)
    talk.source.feed(0.5)
    talk.wait(lambda: len(talk.sink.played) == 1)
    talk.sink.error = MoshiTuiError("The speaker has failed", "ear: Unplugged.")
    talk.wait(lambda: talk.of(DeviceLost))
    assert talk.of(DeviceLost) == [DeviceLost(0, "output", "ear", "Unplugged.")]
    assert talk.engine.stats.speaker_lost == "Unplugged."
    assert talk.engine.stats.health.startswith("speaker is gone: unplugged – d ")
    talk.wait(lambda: talk.sink.closed)
    talk.source.feed(0.5, 3)
    talk.wait(lambda: talk.engine.stats.frames == 4)
    talk.stop()
    assert not talk.of(Failed)


def test_without_its_microphone_the_talk_goes_on(monkeypatch):
    talk = live_talk(monkeypatch)
    talk.source.feed(0.5)
    talk.wait(lambda: len(talk.sink.played) == 1)
    talk.engine._keeper.source.now = replace(talk.engine._keeper.source.now, device=USB)
    talk.engine._keeper._opener = Nowhere()
    talk.source.error = MoshiTuiError("The microphone has failed", "hand: Unplugged.")
    talk.wait(lambda: talk.engine.stats.frames > 4)  # silence, in real time
    stats = talk.engine.stats
    talk.stop()
    assert talk.of(DeviceLost) == [DeviceLost(0, "input", "hand", "Unplugged.")]
    assert (stats.microphone, stats.microphone_lost) == ("hand", "Unplugged.")
    assert stats.silent_s == 0
    assert not talk.of(Failed)


class Nowhere:
    """An `Opener` that finds nothing."""

    def source(self, device):
        raise MoshiTuiError("No such device", device.name)

    def plugged_in(self, side, device):
        return False


def test_another_device_is_taken_while_the_talk_goes_on(monkeypatch):
    talk = live_talk(monkeypatch)
    other_source, other_sink = HandSource(), EarSink()
    other_source.live, other_source.name, other_source.device = True, USB.name, USB
    other_sink.name, other_sink.device = USB.name, USB
    talk.engine._keeper._opener = SimpleNamespace(
        source=lambda device: other_source, sink=lambda device: other_sink
    )
    talk.source.feed(0.5)
    talk.wait(lambda: len(talk.sink.played) == 1)
    talk.engine.use_device("input", USB)
    talk.wait(lambda: len(talk.of(DeviceChanged)) == 1)
    talk.engine.use_device("output", USB)
    talk.wait(lambda: len(talk.of(DeviceChanged)) == 2)
    stats = talk.engine.stats
    other_source.feed(0.7, 2)
    talk.wait(lambda: 0.7 in np.round(other_sink.played, 3))
    talk.stop()
    assert talk.of(DeviceChanged) == [
        DeviceChanged(0, "input", "USB Audio"),
        DeviceChanged(0, "output", "USB Audio"),
    ]
    assert (stats.microphone, stats.speaker) == ("USB Audio", "USB Audio")
    assert talk.source.closed
    assert talk.sink.closed
    assert other_source.closed
    assert other_sink.closed


def test_before_the_sound_is_open_no_device_can_be_taken(monkeypatch):
    talk = Talk(monkeypatch)
    talk.engine.use_device("input", USB)
    (notice,) = talk.of(Notice)
    assert "not open" in notice.message


def test_digital_silence_of_a_device_is_counted_until_it_says_something(monkeypatch):
    talk = live_talk(monkeypatch)
    talk.source.device = USB
    talk.engine._keeper.source.now = replace(talk.engine._keeper.source.now, device=USB)
    talk.source.feed(0.0, 3)
    talk.wait(lambda: talk.engine.stats.silent_s > 0.2)
    talk.source.feed(1e-5)
    talk.wait(lambda: talk.engine.stats.silent_s == 0)
    talk.stop()


def test_the_volume_is_what_the_speaker_gets(monkeypatch):
    talk = live_talk(monkeypatch)
    talk.engine.set_volume(-20)
    assert talk.engine.stats.volume_db == -20
    talk.source.feed(0.5, 3)
    talk.wait(lambda: len(talk.sink.played) == 3)
    talk.engine.set_volume(-99)
    assert talk.engine.stats.volume_db == -40
    talk.source.feed(0.5, 3)
    talk.wait(lambda: len(talk.sink.played) == 6)
    talk.stop()
    assert talk.sink.played[2] == pytest.approx(0.05)
    assert talk.sink.played[5] == 0
    assert np.abs(np.diff(np.concatenate(talk.sink.pcm[1:]))).max() < 1e-3


def test_a_file_is_answered_at_its_own_volume(talk):
    talk.engine.set_volume(-20)
    talk.source.feed(0.5, 2)
    talk.wait(lambda: len(talk.sink.played) == 2)
    assert talk.sink.played == [0.5, 0.5]


def test_a_microphone_that_hears_moshi_is_found_out(monkeypatch):
    talk = live_talk(monkeypatch)
    told = []
    monkeypatch.setattr(talk.engine._shared.echo, "played", lambda *news: told.append(news))
    monkeypatch.setattr(talk.engine._shared.echo, "heard", lambda levels, until: -12.0)
    talk.source.feed(0.5)
    talk.wait(lambda: talk.engine.stats.echo_db == -12.0)
    talk.wait(lambda: told)
    talk.stop()
    levels, at = told[0]
    assert levels[-1] == pytest.approx(-6, abs=0.1)
    assert abs(at - time.monotonic()) < 5


def test_a_machine_that_takes_long_for_a_step_says_so_before_the_twelfth(monkeypatch):
    watch_quicker(monkeypatch, 4)
    talk = live_talk(monkeypatch, step_seconds=0.7 / 4)
    feed_until(talk, lambda: talk.of(Notice), 0.08 / 4)
    frames = talk.engine.stats.frames
    talk.stop()
    assert frames < 12


class Hanging:
    """A sound system that does not answer until it is let go."""

    def __init__(self, talk, where):
        self.go_on = threading.Event()
        self.began = threading.Event()
        self.ends = talk.source, talk.sink
        if where == "open":
            talk.engine._open_ends = lambda: self.hang() or self.ends
        else:
            getattr(talk, where).start = self.hang

    def hang(self):
        self.began.set()
        assert self.go_on.wait(10)


@pytest.mark.parametrize("where", ["open", "source", "sink"])
def test_a_sound_system_that_hangs_at_the_start_is_told(monkeypatch, where):
    monkeypatch.setattr(ends_module, "SOUND_SECONDS", 0.1)
    talk = Talk(monkeypatch)
    hanging = Hanging(talk, where)
    talk.engine.start()
    assert talk.engine.join(5.0)
    (failed,) = talk.of(Failed)
    assert failed.error.title == "The sound system does not answer"
    assert "moshi-tui doctor" in failed.error.hint
    hanging.go_on.set()
    talk.wait(lambda: talk.source.closed and talk.sink.closed)


def test_who_quits_does_not_wait_for_a_sound_system_that_hangs(monkeypatch):
    talk = Talk(monkeypatch)
    hanging = Hanging(talk, "open")
    talk.engine.start()
    assert hanging.began.wait(5)
    began = time.monotonic()
    assert talk.engine.stop(5.0)
    assert time.monotonic() - began < 1
    hanging.go_on.set()
    talk.wait(lambda: talk.source.closed and talk.sink.closed)
    assert not talk.of(Failed)


def test_what_does_not_start_is_closed(monkeypatch):
    talk = Talk(monkeypatch)

    def refuse():
        raise MoshiTuiError("Sound device refused", "hand: Busy.")

    talk.source.start = refuse
    talk.engine.start()
    assert talk.engine.join(5.0)
    (failed,) = talk.of(Failed)
    assert failed.error.title == "Sound device refused"
    assert (talk.source.closed, talk.sink.closed) == (1, 1)
