import threading
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from moshi_tui.audio.files import WavWriter
from moshi_tui.audio.ring import Ring
from moshi_tui.audio.virtual import SPEAKER_BLOCK, NullSpeaker
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from moshi_tui.session.endpoints import FileSink, FileSource
from moshi_tui.session.live import FADE_SECONDS, LiveSink, LiveSource

FADE = round(FADE_SECONDS * SAMPLE_RATE)
START = 100.0
NEVER = threading.Event()


class Hand:
    """A microphone into which the test speaks, and the clock."""

    def __init__(self, rate=SAMPLE_RATE, ring_s=4.0, stamped=True):
        self.microphone = SimpleNamespace(
            **{
                "name": "hand",
                "device": None,
                "rate": rate,
                "ring": Ring(round(rate * ring_s), overwrite=True),
            },
            **{"latency_s": 0.02, "stamp": None, "failed": None, "finished": False},
            **{"overflows": 3, "start": lambda: None, "close": lambda: None},
        )
        self.stamped = stamped
        self.now = START
        self.source = LiveSource(self.microphone, clock=lambda: self.now)

    def speak(self, pcm):
        """In blocks of 10 ms, each 7 ms on its way to the ring."""
        rate, ring = self.microphone.rate, self.microphone.ring
        for start in range(0, len(pcm), rate // 100):
            ring.push(np.asarray(pcm[start : start + rate // 100], np.float32))
            self.now = START + ring.pushed / rate + 0.007
            if self.stamped:
                self.microphone.stamp = (ring.pushed, self.now - 0.007)

    def read(self, most=1):
        return self.source.read(NEVER, most)


def ramp(start, count):
    return np.arange(start, start + count, dtype=np.float32)


def stopped():
    stop = threading.Event()
    stop.set()
    return stop


def test_frames_come_one_by_one_or_as_many_as_are_asked_for():
    hand = Hand()
    hand.speak(ramp(0, 5 * FRAME_SAMPLES + 100))
    frames = hand.read() + hand.read(3) + hand.read(9)
    assert len(frames) == 5
    whole = np.concatenate([frame.pcm for frame in frames])
    assert np.array_equal(whole, ramp(0, 5 * FRAME_SAMPLES))
    assert [frame.lost for frame in frames] == [0] * 5
    assert hand.source.waiting_s() == pytest.approx(100 / SAMPLE_RATE)


def test_an_incomplete_frame_is_waited_for_but_not_for_ever():
    hand = Hand()
    hand.speak(ramp(0, FRAME_SAMPLES - 1))
    assert hand.source.read(stopped(), 4) == []
    times = iter(np.arange(START, START + 10, 0.05))
    hand.source._clock = lambda: next(times)
    assert hand.read() == []
    hand.source._clock = lambda: START
    hand.speak(ramp(FRAME_SAMPLES - 1, 1))
    (frame,) = hand.read(4)
    assert np.array_equal(frame.pcm, ramp(0, FRAME_SAMPLES))


def test_a_device_has_a_rate_and_a_file_in_its_place_has_none():
    microphone = Hand(44_100).microphone
    assert LiveSource(microphone).rate is None
    microphone.device = "a sound card"
    assert LiveSource(microphone).rate == 44_100


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("stamped", [True, False])
def test_a_frame_knows_when_it_was_captured(rate, stamped):
    hand = Hand(rate, stamped=stamped)
    hand.microphone.latency_s = 0.007
    hand.speak(np.zeros(rate))
    hand.now += 0.004  # since the last block
    frames = hand.read(3) + hand.read(9)
    assert len(frames) == 12
    # Without a stamp nobody knows how long ago the last block came.
    expected = START + FRAME_SECONDS * (1 + np.arange(12)) + (0 if stamped else 0.004)
    captured = [frame.captured_at for frame in frames]
    assert np.abs(captured - expected).max() < 2 / min(rate, SAMPLE_RATE)


def test_a_lap_is_counted_and_spliced():
    hand = Hand(ring_s=0.8)
    hand.speak(np.full(FRAME_SAMPLES // 2, -0.5))
    assert hand.source.read(stopped()) == []  # half a frame is in hand
    hand.speak(np.full(20 * FRAME_SAMPLES, 0.25))
    first, second = hand.read(2)
    ring = hand.microphone.ring
    assert ring.dropped > 0
    gap = ring.dropped + FRAME_SAMPLES // 2
    assert first.lost == round(gap / FRAME_SAMPLES) > 10
    assert hand.source.dropped_s() == pytest.approx(gap / SAMPLE_RATE)
    assert first.pcm[0] == 0
    assert np.all(np.diff(first.pcm[: FADE + 1]) > 0)
    assert np.all(first.pcm[FADE:] == 0.25)
    assert second.lost == 0
    assert np.all(second.pcm == 0.25)
    position = gap + FRAME_SAMPLES
    assert first.captured_at == pytest.approx(START + position / SAMPLE_RATE)


@pytest.mark.parametrize("rate", [24_000, 44_100, 48_000])
def test_after_discard_nothing_old_is_heard(rate):
    hand = Hand(rate)
    hand.speak(np.full(rate // 2, 0.9))
    hand.read()
    hand.source.discard()
    assert hand.source.waiting_s() == 0
    hand.speak(np.zeros(rate // 8))
    (frame,) = hand.read()
    assert not frame.pcm.any()
    assert frame.lost == 0
    assert hand.source.dropped_s() == 0


@pytest.mark.parametrize("rate", [24_000, 48_000])
def test_what_is_lost_on_purpose_is_counted_and_spliced(rate):
    hand = Hand(rate)
    hand.speak(np.full(rate, 0.9))
    hand.read()
    hand.source.lose()
    assert hand.source.waiting_s() == 0
    hand.speak(np.full(rate // 4, 0.5))
    first, second = hand.read(2)
    assert first.lost == 11 or first.lost == 12  # 11.5 frames
    assert hand.source.dropped_s() == pytest.approx(1 - FRAME_SECONDS, abs=0.003)
    assert abs(first.pcm[0]) < 0.01
    assert first.pcm.max() < 0.6
    assert second.lost == 0


def test_after_discard_sound_fades_in_once():
    hand = Hand()
    hand.source.discard()
    hand.speak(np.full(2 * FRAME_SAMPLES, 0.5))
    first, second = hand.read(2)
    assert first.pcm[0] == 0
    assert np.abs(np.diff(first.pcm)).max() < 0.51 / FADE
    assert first.pcm[FADE] == 0.5
    assert np.all(second.pcm == 0.5)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("lapped", [False, True])
def test_a_frame_is_read_as_soon_as_its_last_block_has_come(rate, lapped):
    hand = Hand(rate, ring_s=0.8)
    block = np.zeros(rate // 100)
    for _ in range(5 + 200 * lapped):
        hand.speak(block)
    if not lapped:
        hand.source.discard()
    hand.source.read(stopped(), 20)
    waits = []
    for _ in range(50):
        hand.speak(block)
        waits += [hand.now - frame.captured_at for frame in hand.source.read(stopped())]
    assert len(waits) >= 6
    on_its_way = 0.007 + hand.source._resampler.delay_s
    assert max(waits) < on_its_way + 2 / min(rate, SAMPLE_RATE)


def test_a_failed_microphone_is_told_after_its_last_frame():
    hand = Hand()
    hand.speak(np.zeros(FRAME_SAMPLES))
    hand.microphone.failed = "Unplugged."
    assert len(hand.read()) == 1
    with pytest.raises(MoshiTuiError, match=r"hand: Unplugged\."):
        hand.read()


def test_a_live_source_says_what_it_is():
    hand = Hand(48_000)
    assert hand.source.live
    assert not hand.source.ended
    assert hand.source.overflows() == 3
    assert hand.source.latency_s() == pytest.approx(0.02 + 40 / 24_000)
    hand.microphone.finished = True
    assert hand.source.silent_from_here
    hand.speak(np.zeros(1))
    assert not hand.source.silent_from_here


class Room:
    """A NullSpeaker played by hand, with everything that was heard and when."""

    def __init__(self):
        self.now = START
        self.speaker = NullSpeaker(clock=lambda: self.now)
        self.sink = LiveSink(self.speaker, clock=lambda: self.now)
        self.heard = []
        self._due = START

    def until(self, now):
        """Let time pass."""
        while self._due + SPEAKER_BLOCK / SAMPLE_RATE <= now:
            self._due += SPEAKER_BLOCK / SAMPLE_RATE
            self.now = self._due
            self.speaker._tick(self._due)
            self.heard.append(self.speaker._block.copy())
        self.now = now

    def when(self, mark):
        """When the sample of this loudness was heard."""
        heard = np.concatenate(self.heard)
        (at,) = np.flatnonzero(np.isclose(heard, mark, atol=1e-5))
        return START + (SPEAKER_BLOCK + at) / SAMPLE_RATE


@pytest.mark.parametrize("seed", range(5))
def test_it_is_known_when_a_sample_will_be_heard(seed):
    random = np.random.default_rng(seed)
    room = Room()
    room.until(START + 0.0137)
    expected = {}
    for number in range(40):
        size = int(random.choice([0, 1, 333, FRAME_SAMPLES, 2500]))
        pcm = np.zeros(size, np.float32)
        ahead = room.sink.write(pcm)
        assert ahead >= 0
        if size > 2 * FADE:
            pcm = np.zeros(size, np.float32)
            # Its first sample, were it not faded in: so the mark comes after the fade.
            pcm[2 * FADE] = mark = 0.2 + 0.01 * number
            expected[mark] = room.now + room.sink.write(pcm) + 2 * FADE / SAMPLE_RATE
        if random.random() < 0.2:
            room.sink.flush()
            expected = {m: at for m, at in expected.items() if at < room.now - 0.02}
        room.until(room.now + random.uniform(0, 0.2))
    room.until(room.now + 5)
    assert len(expected) > 5
    for mark, at in expected.items():
        assert room.when(mark) == pytest.approx(at, abs=1e-4)


def test_before_the_first_callback_the_system_is_believed():
    speaker = NullSpeaker()
    speaker.latency_s = 0.03
    sink = LiveSink(speaker)
    assert sink.write(np.zeros(2400, np.float32)) == pytest.approx(0.03)
    assert sink.write(np.zeros(0, np.float32)) == pytest.approx(0.13)


def test_of_a_late_callback_only_what_waits_is_known():
    room = Room()
    room.until(START + 0.05)
    room.sink.write(np.zeros(240, np.float32))
    room.now += 0.5
    assert room.sink.write(np.zeros(1, np.float32)) == pytest.approx(0.01)


def test_a_flush_that_the_speaker_has_not_seen_yet_counts():
    room = Room()
    room.until(START + 0.055)
    room.sink.write(np.zeros(24_000, np.float32))
    room.until(room.now + 0.1)
    assert room.sink.write(np.zeros(0, np.float32)) == pytest.approx(0.905, abs=1e-4)
    room.sink.flush()
    assert room.sink.waiting_s() == 0
    assert room.sink.write(np.zeros(0, np.float32)) == pytest.approx(0.005, abs=1e-4)


def at_48_khz():
    ring = Ring(48_000, overwrite=False)
    speaker = SimpleNamespace(
        **{
            "name": "48",
            "device": None,
            "rate": 48_000,
            "ring": ring,
            "latency_s": 0.02,
            "stamp": None,
        },
        **{"failed": None, "underruns": 1, "underflows": 2},
    )
    return LiveSink(speaker), ring


def everything(ring):
    out = np.zeros(ring.capacity, np.float32)
    return out[: ring.pop_into(out)]


def test_pieces_of_any_length_join_without_a_seam():
    pcm = np.random.default_rng(0).uniform(-1, 1, 12_000).astype(np.float32)
    sink, ring = at_48_khz()
    sink.write(pcm)
    whole = everything(ring)
    sink, ring = at_48_khz()
    for piece in np.split(pcm, [0, 1, 1, 2000, 2033, 7000]):
        sink.write(piece)
    assert np.array_equal(everything(ring), whole)


def test_after_a_flush_nothing_old_is_heard():
    sink, ring = at_48_khz()
    sink.write(np.full(4800, 0.9, np.float32))
    sink.flush()
    sink.write(np.zeros(4800, np.float32))
    assert not everything(ring).any()


def test_a_failed_speaker_is_told():
    sink, _ = at_48_khz()
    sink._speaker.failed = "Unplugged."
    with pytest.raises(MoshiTuiError, match=r"48: Unplugged\."):
        sink.write(np.zeros(1, np.float32))


def test_what_a_sink_counts():
    sink, _ = at_48_khz()
    assert (sink.underruns(), sink.underflows()) == (1, 2)
    assert sink.latency_s() == pytest.approx(0.02 + 40 / 24_000)


def test_a_file_is_read_frame_by_frame(tmp_path):
    soundfile.write(tmp_path / "in.wav", np.full(2 * FRAME_SAMPLES + 1, 0.5), SAMPLE_RATE)
    source = FileSource(tmp_path / "in.wav")
    assert not source.live
    sizes = [len(source.read(NEVER, 5)) for _ in range(4)]
    assert sizes == [1, 1, 1, 0]
    assert source.ended
    assert (source.overflows(), source.latency_s()) == (0, 0.0)
    sink = FileSink(None, lambda: 0)
    assert (sink.underflows(), sink.latency_s()) == (0, 0.0)


def test_after_a_gap_nothing_is_left_of_the_sound_before_it():
    """The resampler holds 1.7 ms back: they must not come out as a tick after the silence."""
    speaker = NullSpeaker()
    speaker.rate = 48_000
    sink = LiveSink(speaker)
    sink.write(np.full(1920, 0.5, np.float32))
    heard = np.zeros(48_000, np.float32)
    speaker.ring.pop_into(heard)  # all of it, and the ring is dry
    sink.write(np.zeros(1920, np.float32))
    got = speaker.ring.pop_into(heard)
    assert got > 3000
    assert not heard[:got].any()


def test_a_sink_that_can_not_be_completed_leaves_nothing(tmp_path, monkeypatch):
    close = WavWriter.close

    def full(self):
        close(self)
        raise MoshiTuiError("Cannot write", "disk full", "")

    for end in ("keep", "drop"):
        sink = FileSink(tmp_path / "out.wav", lambda: 10_000)
        sink.write(np.zeros(1920, np.float32))
        monkeypatch.setattr("moshi_tui.audio.files.WavWriter.close", full)
        if end == "keep":
            with pytest.raises(MoshiTuiError):
                sink.keep()
        else:
            sink.drop()
        assert list(tmp_path.iterdir()) == []
        monkeypatch.undo()
