import threading
import time
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from moshi_tui.audio.virtual import NullSpeaker
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import SAMPLE_RATE
from moshi_tui.recording.reader import Recording
from moshi_tui.replay.player import Player
from moshi_tui.session.events import Failed, Muted, Notice, Ready, Sought, TextPiece
from moshi_tui.session.live import LiveSink
from tests.recording.made import record, sound_of, write_recording

LONG = 5.0
"""Seconds that a thread gets before a test gives up."""


class Time:
    """A clock that goes on when it is waited for, up to where the test lets it go."""

    def __init__(self):
        self.now = 100.0
        self.allowed = 100.0
        self._changed = threading.Condition()
        self._idle = False

    def __call__(self):
        return self.now

    def wait(self, event, seconds):
        if seconds is None:
            return self._block(event, lambda: False)
        target = self.now + seconds
        if self._block(event, lambda: target <= self.allowed):
            return True
        self.now = target
        return False

    def _block(self, event, over):
        """Until the event is set (True) or it is over."""
        with self._changed:
            while not event.is_set():
                if over():
                    return False
                self._idle = True
                self._changed.notify_all()
                self._changed.wait(0.001)
            return True

    def run(self, seconds=0.0):
        """Let so much time go by; returns when all is done that was to be done by then."""
        with self._changed:
            self.allowed += seconds
            self._idle = False
            for _ in range(2):  # it may have been about to wait
                self._idle = False
                assert self._changed.wait_for(lambda: self._idle, LONG)
            if not seconds:
                return
            self.now = max(self.now, self.allowed)


class Speaker:
    """Plays by that clock; its device has another 30 ms to go."""

    name = "speaker"
    device = None
    LATENCY = 0.03

    def __init__(self, clock):
        self.clock = clock
        self.heard = []
        """(when, sound)."""
        self.error = None
        self.closed = self.started = 0
        self._until = 0.0

    def start(self):
        self.started += 1

    def write(self, pcm):
        if self.error:
            raise self.error
        begins = max(self._until, self.clock())
        if len(pcm):
            self.heard.append((begins + self.LATENCY, pcm))
            self._until = begins + len(pcm) / SAMPLE_RATE
        return begins - self.clock() + self.LATENCY

    def flush(self):
        now = self.clock() + self.LATENCY
        kept = []
        for at, pcm in self.heard:
            rest = max(0, round((now - at) * SAMPLE_RATE))
            if rest:
                kept.append((at, pcm[:rest]))
        self.heard = kept
        self._until = self.clock()

    def waiting_s(self):
        return max(0.0, self._until - self.clock())

    def close(self, *, drain):
        self.closed += 1

    @property
    def sound(self):
        return np.concatenate([pcm for _, pcm in self.heard])

    def at(self, when):
        """The sample that is heard at that moment."""
        for at, pcm in self.heard:
            if at <= when < at + len(pcm) / SAMPLE_RATE:
                return float(pcm[int((when - at) * SAMPLE_RATE)])
        return 0.0


def ramp(seconds):
    """Sound that tells where it is: its left channel rises, its right is as high."""
    n = round(seconds * SAMPLE_RATE)
    rising = np.round(np.arange(n) / n * 16000) / 32768
    return np.stack((rising, rising), axis=1).astype(np.float32)


@pytest.fixture
def rig(tmp_path):
    class Rig:
        time = Time()
        speaker = Speaker(time)
        events: ClassVar = []
        player = None

        def play(self, *, seconds=10.0, silent=False, made=None, torn=False, **options):
            folder = write_recording(tmp_path / "made", seconds=seconds, **(made or {}))
            if torn:
                events = folder / "events.jsonl"
                lines = events.read_text().splitlines()
                events.write_text("\n".join([*lines[:3], lines[3][:10], *lines[4:], ""]))
            self.recording = Recording(tmp_path / "made")
            sink = None if silent else lambda: self.speaker
            options = {"clock": self.time, "wait": self.time.wait} | options
            self.player = Player(self.recording, self.events.append, sink, **options)
            self.player.start()
            self.time.run()
            return self.player

        def take(self):
            taken = self.events[:]
            self.events.clear()
            return taken

    rig = Rig()
    yield rig
    if rig.player is not None:
        assert rig.player.stop(LONG)
        assert rig.speaker.closed == rig.speaker.started
        rig.recording.close()


def words(events):
    return [event.text for event in events if isinstance(event, TextPiece)]


def test_both_sides_are_heard_as_they_were_and_it_stops_at_the_end(rig):
    player = rig.play(seconds=3.0)
    assert isinstance(rig.events[0], Ready)
    assert rig.events[0].info.model == "demo"
    rig.time.run(2.0)
    assert not player.paused
    rig.time.run(1.2)
    assert player.paused
    assert player.stats.elapsed_s == player.length_s == 3.0
    assert words(player.events) == words(rig.events)
    wanted = rig.recording.sound(0, rig.recording.samples).sum(axis=1)
    assert np.array_equal(rig.speaker.sound, wanted)


def test_words_are_told_when_they_are_heard(rig):
    made = {"records": [record(1.0, "text", token=1, text="Hi", begins=True)]}
    player = rig.play(made=made)
    started = rig.time.now
    while not words(rig.take()):
        rig.time.run(0.02)
    assert rig.time.now - started == pytest.approx(1.0 + Speaker.LATENCY, abs=0.03)
    assert player.stats.elapsed_s == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0, 4.0])
def test_the_position_is_what_is_at_the_ear(rig, speed):
    player = rig.play(speed=speed, made={"sound": ramp(10.0)})
    for _ in range(6):
        rig.time.run(0.3)
        heard = rig.speaker.at(rig.time.now) / 2 * 32768 / 16000 * 10.0
        assert player.stats.elapsed_s == pytest.approx(heard, abs=0.08 * max(1, speed))


def test_without_a_speaker_it_goes_at_the_same_pace(rig):
    player = rig.play(silent=True, speed=2.0)
    rig.time.run(1.0)
    assert player.stats.elapsed_s == pytest.approx(2.0, abs=0.2)
    assert rig.events[1:]
    rig.time.run(4.5)
    assert player.paused


def test_pausing_is_heard_at_once_and_nothing_is_lost(rig):
    player = rig.play(made={"sound": ramp(10.0)})
    rig.time.run(1.013)  # it last looked a moment ago
    player.pause(True)
    rig.time.run(1.0)
    last = max(at + len(pcm) / SAMPLE_RATE for at, pcm in rig.speaker.heard)
    assert last - (rig.time.now - 1.0) <= 0.05
    stood = player.stats.elapsed_s
    assert stood == pytest.approx(1.0, abs=0.05)
    player.pause(False)
    rig.time.run(0.5)
    sound = rig.speaker.sound
    assert np.abs(np.diff(sound)).max() <= 4 / 32768  # not a sample twice, none left out
    assert player.stats.elapsed_s == pytest.approx(stood + 0.5, abs=0.1)


def test_seeking_tells_all_up_to_there(rig):
    player = rig.play(made={"sound": ramp(10.0)})
    rig.time.run(0.5)
    rig.take()
    player.seek(6.2)
    assert player.stats.elapsed_s == 6.2
    assert player.stats.muted
    rig.time.run()
    (sought,) = rig.take()
    assert sought.position_s == 6.2
    assert words(sought.events)[:2] == ["Hello", " there."]
    assert sought.events[-1] == Muted(75, True)
    rig.time.run(0.5)
    assert Muted(80, False) in rig.take()
    assert rig.speaker.at(rig.time.now) / 2 * 32768 / 1600 == pytest.approx(6.7, abs=0.1)


def test_of_many_seeks_in_a_row_only_the_last_counts(rig):
    player = rig.play()
    rig.time.run(0.5)
    rig.take()
    hold, listen = threading.Event(), player._listener

    def slow(event):
        listen(event)
        assert hold.wait(LONG)

    player._listener = slow
    for position in range(1, 9):
        player.seek(position)
    hold.set()
    rig.time.run()
    sought = [event.position_s for event in rig.take() if isinstance(event, Sought)]
    assert sought[-1] == 8.0
    assert len(sought) <= 2


def test_seeking_while_it_stands_still_shows_that_place(rig):
    player = rig.play()
    player.pause(True)
    player.seek(2.3)
    rig.time.run(1.0)
    assert player.paused
    assert player.stats.elapsed_s == 2.3
    assert player.stats.lag_ms == 150.0
    assert player.stats.user.rms_db == pytest.approx(-13.5, abs=0.2)
    assert player.stats.moshi.rms_db < -100
    assert rig.speaker.waiting_s() == 0


def test_places_outside_the_recording_are_its_ends(rig):
    player = rig.play()
    player.seek(-5)
    rig.time.run()
    player.seek(500)
    rig.time.run(0.1)
    assert [event.position_s for event in rig.take() if isinstance(event, Sought)][-1] == 10.0
    assert player.paused
    assert player.stats.elapsed_s == 10.0


def test_at_the_end_it_goes_on_from_the_beginning(rig):
    player = rig.play(start_s=9.9)
    rig.time.run(0.5)
    assert player.paused
    rig.take()
    player.pause(False)
    rig.time.run(1.0)
    events = rig.take()
    assert events[0].position_s == 0
    assert not player.paused
    assert player.stats.elapsed_s == pytest.approx(1.0, abs=0.1)
    assert words(events) == ["Hello", " there.", " How"]


def test_it_begins_where_it_is_told_to(rig):
    player = rig.play(start_s=5.0)
    ready, sought = rig.take()[:2]
    assert isinstance(ready, Ready)
    assert sought.position_s == 5.0
    rig.time.run(1.0)
    assert player.stats.elapsed_s == pytest.approx(6.0, abs=0.1)


def test_another_speed_is_heard_at_once(rig):
    player = rig.play(made={"sound": ramp(10.0)})
    rig.time.run(1.0)
    before = player.stats.elapsed_s
    player.set_speed(9.0)
    assert player.speed == 4.0
    rig.time.run(0.5)
    assert player.stats.elapsed_s == pytest.approx(before + 2.0, abs=0.3)
    assert not any(isinstance(event, Sought) for event in rig.events)
    player.set_speed(1.0)
    rig.time.run(0.1)
    _, block = rig.speaker.heard[-1]
    assert np.abs(np.diff(block)).max() <= 2 / 32768


def test_another_volume_is_heard_at_once(rig):
    player = rig.play(volume_db=-6.0, made={"sound": ramp(10.0)})
    rig.time.run(1.0)
    assert rig.speaker.at(rig.time.now) == pytest.approx(0.1 * 0.97 / 2, rel=0.1)
    player.set_volume(-99)
    assert player.stats.volume_db == -40
    rig.time.run(0.1)
    assert rig.speaker.at(rig.time.now) == 0
    assert player.stats.volume_db == -40


def test_a_speaker_that_cannot_be_opened_is_told(rig):
    def refuse():
        raise MoshiTuiError("No speaker", "There is none.", "Plug one in.")

    rig.play(silent=True)
    assert rig.player.stop(LONG)
    rig.take()
    rig.player = Player(
        rig.recording, rig.events.append, refuse, clock=rig.time, wait=rig.time.wait, start_s=1.0
    )
    rig.player.start()
    rig.time.run(1.0)
    notice = rig.events[1]
    assert isinstance(notice, Notice)
    assert "There is none." in notice.message
    assert notice in rig.events[2].events
    assert rig.player.stats.elapsed_s == pytest.approx(2.0, abs=0.1)


def test_a_speaker_that_fails_is_told_and_the_recording_goes_on(rig):
    player = rig.play()
    rig.time.run(1.0)
    rig.speaker.error = MoshiTuiError("The speaker has failed", "Unplugged.", "Plug it in.")
    rig.take()
    rig.time.run(1.0)
    assert next(each for each in rig.take() if isinstance(each, Notice)).hint == "Plug it in."
    assert rig.speaker.closed == 1
    assert player.stats.elapsed_s == pytest.approx(2.0, abs=0.1)


def test_a_recording_with_a_torn_line_plays_and_says_so(rig):
    rig.play(torn=True)
    assert rig.events[1].title == "The recording is damaged"
    assert "1 line is damaged" in rig.events[1].message
    rig.time.run(1.0)
    assert rig.player.stats.elapsed_s == pytest.approx(1.0, abs=0.1)


def test_a_recording_that_was_broken_off_says_so(rig):
    rig.play(made={"complete": False})
    assert rig.events[1].title == "The recording has no end"
    assert "still records" in rig.events[1].message
    rig.player.seek(3.0)
    rig.time.run()
    assert rig.events[-1].events[0] == rig.events[1]


def test_a_recording_that_cannot_be_read_any_more_ends_it(rig):
    player = rig.play()
    error = MoshiTuiError("Cannot read the recording", "Gone.", "")

    def gone(start, count):
        raise error

    rig.recording.sound = gone
    rig.time.allowed += 1.0
    assert player._thread.join(LONG) is None
    assert rig.events[-1] == Failed(error)
    assert rig.speaker.closed == 1


def test_a_damaged_recording_is_refused_before_it_begins(tmp_path):
    folder = write_recording(tmp_path / "made", records=[record(1.0, "text", token=1)])
    with pytest.raises(MoshiTuiError, match="event 1"):
        Player(Recording(folder), print)


def test_stopping_does_not_wait_for_a_speaker_that_hangs(rig, monkeypatch):
    hang = threading.Event()
    monkeypatch.setattr("moshi_tui.session.ends.let_hang", lambda: None)
    rig.play(silent=True)
    rig.player.stop(LONG)
    rig.player = Player(rig.recording, rig.events.append, lambda: hang.wait(LONG) and rig.speaker)
    rig.player.start()
    time.sleep(0.02)
    assert rig.player.stop(0.5)
    hang.set()
    deadline = time.monotonic() + LONG
    while rig.speaker.closed < 1 and time.monotonic() < deadline:
        time.sleep(0.01)


def test_in_real_time_a_speaker_plays_it(tmp_path):
    folder = write_recording(tmp_path / "made", seconds=0.6)
    recording, out = Recording(folder), tmp_path / "out.wav"
    player = Player(recording, print, lambda: LiveSink(NullSpeaker(out)))
    player.start()
    deadline = time.monotonic() + LONG
    while not player.paused and time.monotonic() < deadline:
        time.sleep(0.02)
    assert player.stop(LONG)
    recording.close()
    heard, _ = soundfile.read(out, dtype="float32")
    # Not sample by sample: a busy machine may put gaps in.
    assert np.sum(heard**2) == pytest.approx(np.sum(sound_of(0.6) ** 2), rel=0.1)
    assert np.abs(np.fft.rfft(heard, SAMPLE_RATE)).argmax() == pytest.approx(300, abs=5)
