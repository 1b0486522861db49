import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moshi_tui.audio import virtual
from moshi_tui.audio.files import WavWriter, read_audio
from moshi_tui.audio.virtual import MIC_BLOCK, FileMicrophone, NullSpeaker, VoiceMicrophone
from moshi_tui.errors import MoshiTuiError

RATE = 24_000


class FakeTime:
    """Time that passes only when somebody waits; after `until` seconds it stops the waiter."""

    def __init__(self, until, late=lambda: 0.0):
        self.now = 0.0
        self.until = until
        self.late = late
        self.over = threading.Event()
        self.at_each_wait = lambda: None

    def clock(self):
        return self.now

    def wait(self, stop, seconds):
        self.at_each_wait()
        self.now += seconds + (self.late() if seconds else 0)
        if self.now > self.until:
            self.over.set()
        return stop.is_set() or self.over.is_set()

    def run(self, endpoint):
        endpoint.start()
        assert self.over.wait(20)
        endpoint.close()


def make(kind, *args, time, **options):
    return kind(*args, clock=time.clock, wait=time.wait, **options)


def everything(ring):
    out = np.zeros(ring.capacity, np.float32)
    return out[: ring.pop_into(out)]


def noise(count):
    return np.random.default_rng(0).uniform(-1, 1, count).astype(np.float32)


def test_the_file_is_pushed_in_real_time_then_silence(tmp_path):
    time, pcm = FakeTime(2.0), noise(RATE)
    path = tmp_path / "speech.wav"
    soundfile.write(path, pcm, RATE, subtype="FLOAT")
    mic = make(FileMicrophone, path, time=time)
    assert mic.name == "speech.wav"
    time.run(mic)
    heard = everything(mic.ring)
    assert len(heard) == pytest.approx(2.0 * RATE, abs=MIC_BLOCK)
    assert np.array_equal(heard[:RATE], pcm)
    assert not heard[RATE:].any()
    assert mic.finished
    assert mic.failed is None
    mic.close()


def test_it_is_not_finished_before_all_was_pushed():
    time = FakeTime(0.9)
    mic = make(FileMicrophone, noise(RATE), time=time)
    time.run(mic)
    assert not mic.finished


def test_a_loop_begins_again():
    time, pcm = FakeTime(2.0), noise(1000)
    mic = make(FileMicrophone, pcm, time=time, loop=True)
    time.run(mic)
    heard = everything(mic.ring)
    assert np.array_equal(heard, np.tile(pcm, 60)[: len(heard)])
    assert not mic.finished


def test_a_voice_is_asked_for_each_block():
    time, asked = FakeTime(1.0), []

    def speak():
        asked.append(np.full(MIC_BLOCK, len(asked), np.float32))
        return asked[-1]

    mic = make(VoiceMicrophone, "somebody", speak, time=time)
    assert mic.name == "somebody"
    time.run(mic)
    assert len(asked) == pytest.approx(50, abs=1)
    assert np.array_equal(everything(mic.ring), np.concatenate(asked))
    assert not mic.finished


def test_a_voice_that_fails_says_so():
    def speak():
        raise MoshiTuiError("Hoarse", "No voice.", "")

    mic = make(VoiceMicrophone, "somebody", speak, time=FakeTime(1.0))
    mic.start()
    mic._ticker.join(5)
    assert mic.failed == "No voice."
    mic.close()


def test_the_microphone_notes_when_its_sound_was_due_not_when_the_thread_woke():
    time = FakeTime(0.5, late=lambda: 0.013)
    mic = make(FileMicrophone, noise(10), time=time)
    assert mic.stamp is None
    time.run(mic)
    position, at = mic.stamp
    assert position == mic.ring.pushed
    assert at == pytest.approx(position / RATE)


def test_the_speaker_notes_when_its_ring_will_be_heard():
    time = FakeTime(0.5, late=lambda: 0.004)
    speaker = make(NullSpeaker, time=time)
    assert speaker.stamp is None
    speaker.ring.push(noise(RATE))
    time.run(speaker)
    position, at = speaker.stamp
    assert position == speaker.ring.popped
    # The first block is asked for, and heard, one period after the start.
    assert at == pytest.approx(position / RATE + 0.01)
    assert speaker.underflows == 0


def test_slack_of_a_speaker_that_is_none():
    time = FakeTime(0.095)
    speaker = make(NullSpeaker, time=time)
    speaker.ring.push(noise(RATE)[:2400])  # 100 ms
    seen = []
    time.at_each_wait = lambda: seen.append(speaker.slack_s)
    time.run(speaker)
    assert seen[0] == 0.0  # nothing is playing yet
    assert seen[1:] == pytest.approx([0.1 - 0.01 * n for n in range(len(seen) - 1)])


def test_late_wakes_do_not_add_up():
    random = np.random.default_rng(0)
    time = FakeTime(60.0, late=lambda: random.uniform(0, 0.05))
    mic = make(FileMicrophone, noise(10), time=time, ring_s=70)
    time.run(mic)
    assert mic.ring.pushed / RATE == pytest.approx(60.0, abs=0.1)


def test_a_suspended_process_does_not_push_hours_at_once():
    lates = iter([0.0] * 10 + [3600.0])
    time = FakeTime(3602.0, late=lambda: next(lates, 0.0))
    mic = make(FileMicrophone, noise(10), time=time)
    time.run(mic)
    assert mic.ring.pushed / RATE == pytest.approx(2.0, abs=0.1)


def test_a_missing_file_and_an_empty_array_are_refused(tmp_path):
    with pytest.raises(MoshiTuiError, match=r"none\.wav"):
        FileMicrophone(tmp_path / "none.wav")
    with pytest.raises(ValueError, match="empty"):
        FileMicrophone(np.zeros(0, np.float32))


def test_a_file_that_breaks_while_it_plays_is_told(tmp_path):
    path = tmp_path / "speech.wav"
    soundfile.write(path, noise(RATE), RATE)
    mic = FileMicrophone(path)
    path.unlink()
    mic.start()
    mic._ticker.join(5)
    assert "does not exist" in mic.failed
    mic.close()


def test_an_unexpected_error_is_told_and_logged(monkeypatch, caplog):
    speaker = NullSpeaker()
    monkeypatch.setattr(speaker._playout, "fill", lambda block: 1 // 0)
    speaker.start()
    speaker._ticker.join(5)
    assert speaker.failed == "ZeroDivisionError: integer division or modulo by zero."
    assert "null-speaker ended" in caplog.text
    speaker.close()


def test_the_file_holds_what_was_played_with_its_gap(tmp_path):
    time, pcm = FakeTime(1.0), noise(4800)
    path = tmp_path / "out.wav"
    speaker = make(NullSpeaker, path, time=time)
    times = iter(range(1000))

    def produce():
        if next(times) in (10, 50):  # 0.1 s and 0.5 s
            speaker.ring.push(pcm)

    time.at_each_wait = produce
    time.run(speaker)
    heard = read_audio(path)
    assert len(heard) == pytest.approx(RATE, abs=480)
    assert np.abs(heard[2400 + 120 : 7200] - pcm[120:]).max() < 1e-4
    assert np.abs(heard[12_000 + 120 : 16_800] - pcm[120:]).max() < 1e-4
    assert not heard[:2400].any()
    assert not heard[7200 + 120 : 12_000].any()
    assert speaker.underruns == 2
    speaker.close()


def test_drain_plays_the_rest_and_is_no_underrun(tmp_path):
    path = tmp_path / "out.wav"
    speaker = NullSpeaker(path)
    speaker.ring.push(np.full(2400, 0.5, np.float32))
    speaker.start()
    speaker.close(drain=True)
    assert np.count_nonzero(read_audio(path) > 0.49) >= 2400 - 120
    assert speaker.underruns == 0
    assert not speaker.ring.fill


def test_closing_without_drain_leaves_the_rest():
    speaker = NullSpeaker()
    speaker.ring.push(np.zeros(48_000, np.float32))
    speaker.start()
    speaker.close()
    speaker.close()
    assert speaker.ring.fill


def test_closing_what_was_never_started():
    NullSpeaker().close(drain=True)
    FileMicrophone(noise(10)).close()


def test_a_full_disk_is_told_and_playing_goes_on(tmp_path, monkeypatch):
    def full(self, pcm):
        raise MoshiTuiError("Can't write sound file", "No space left on device")

    time = FakeTime(0.5)
    speaker = make(NullSpeaker, tmp_path / "out.wav", time=time)
    monkeypatch.setattr(WavWriter, "write", full)
    speaker.ring.push(noise(4800))
    time.run(speaker)
    assert "No space left" in speaker.failed
    assert not speaker.ring.fill


def test_the_file_survives_a_kill(tmp_path):
    path = tmp_path / "out.wav"
    script = (
        "import sys, time, pathlib\n"
        "from moshi_tui.audio.virtual import NullSpeaker\n"
        "fast = iter(range(10**9))\n"
        "NullSpeaker(pathlib.Path(sys.argv[1]), clock=lambda: next(fast) / 100).start()\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=Path.cwd())
    try:
        enough = 2 * virtual.SAMPLE_RATE * 5
        while not path.exists() or os.path.getsize(path) < enough:
            assert process.poll() is None
            threading.Event().wait(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert soundfile.info(path).frames >= 4 * RATE
