import errno
import os
import random
import time
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from moshi_tui.recording import folder as folder_module
from moshi_tui.recording import recorder as recorder_module
from moshi_tui.recording.code_file import CodeFile
from moshi_tui.recording.codes import read_codes
from moshi_tui.recording.journal import read_journal
from moshi_tui.recording.lines import LinesFile
from moshi_tui.recording.reader import Recording
from moshi_tui.recording.rebuild import rebuild
from moshi_tui.recording.timeline import PIECE
from moshi_tui.recording.transcript import transcript_from
from moshi_tui.recording.wav import WavFile
from tests.recording.hand import BLOCK, N_USER, Told, rows, text
from tests.recording.killed import STEP, child, lost
from tests.recording.small_disk import small_disk

NOON = datetime(2026, 3, 4, 12, 30, 59, tzinfo=timezone.utc)


@pytest.fixture
def told():
    return Told()


def wait(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def feed(recorder, blocks, first=0):
    """In real time, so that the end of the recording is the end of the sound."""
    for number in range(first, first + blocks):
        at = recorder.origin + 0.08 * number
        time.sleep(max(0.0, at + 0.08 - time.monotonic()))
        recorder.heard(at, np.full(BLOCK, 0.25, np.float32))
        recorder.played(at + 0.1, np.full(BLOCK, 0.5, np.float32))
        recorder.note(text(f" {number}"))


def transcript(folder):
    return (folder / "transcript.txt").read_text()


def test_a_recording_has_both_sides_the_events_and_the_transcript(tmp_path, told):
    recorder = told.begin(tmp_path / "new", wall=lambda: NOON)
    feed(recorder, 6)
    assert 0.4 < recorder.seconds < 10
    recorder.stop()
    folder, seconds, error, short = told.wait()
    assert (error, short) == (None, "")
    assert told.started == [folder] == [tmp_path / "new" / "moshi-20260304-123059"]
    assert recorder.seconds is None
    data, rate = soundfile.read(folder / "audio.wav", always_2d=True)
    assert rate == 24_000
    assert len(data) == round(seconds * rate)
    assert 0.47 < seconds < 0.9
    assert data[200 : 5 * BLOCK, 0] == pytest.approx(0.25, abs=1e-4)
    assert not data[:2300, 1].any()
    assert data[2600 : 5 * BLOCK, 1] == pytest.approx(0.5, abs=1e-4)
    header, *records = read_journal(folder / "events.jsonl")
    assert (header["type"], header["schema"]) == ("header", 2)
    assert header["started"] == "2026-03-04T12:30:59.000+00:00"
    assert header["seed"] == 7
    assert header["codes"] == {"user": 8, "moshi": 8}
    assert header["microphone"] is None
    assert [r["text"] for r in records if r["type"] == "text"] == [f" {n}" for n in range(6)]
    assert records[0]["type"] == "lag"
    end = max(seconds, *(r["t"] for r in records[:-1]))  # it is behind everything
    totals = records[-1].pop("totals")
    assert records[-1] == {
        "t": pytest.approx(end, abs=0.001),
        "frame": 0,
        "type": "end",
        "seconds": round(seconds, 3),
        "counts": {"header": 1, "lag": 1, "text": 6},
        "dropped": 0,
        "error": None,
    }
    assert (totals["pieces"], totals["words"], totals["steps"]) == (6, 6, 0)
    assert (folder / "transcript.txt").read_text() == transcript_from(folder / "events.jsonl")
    assert (folder / "transcript.vtt").read_text().startswith("WEBVTT\n")
    assert {path.name for path in folder.iterdir()} == {
        "audio.wav",
        "codes.npz",
        "events.jsonl",
        "transcript.txt",
        "transcript.vtt",
    }
    assert told.threads == {"recorder"}


def test_a_folder_is_never_written_over(tmp_path):
    folders = []
    for _ in range(3):
        told = Told()
        told.begin(tmp_path, wall=lambda: NOON).stop()
        folders.append(told.wait()[0].name)
    name = "moshi-20260304-123059"
    assert folders == [name, f"{name}-2", f"{name}-3"]


def test_sound_that_comes_late_is_put_in_its_place(tmp_path, told):
    recorder = told.begin(tmp_path)
    recorder.played(recorder.origin, np.full(24_000, 0.5, np.float32))
    time.sleep(0.7)  # the preliminary end is on disk
    (path,) = tmp_path.glob("*/audio.wav")
    assert soundfile.info(path).frames > 9_000
    recorder.heard(recorder.origin, np.full(12_000, 0.25, np.float32))
    recorder.stop()
    told.wait()
    data, _ = soundfile.read(path)
    assert data[200:12_000, 0] == pytest.approx(0.25, abs=1e-4)


def test_what_was_not_played_after_all_is_silent(tmp_path, told):
    recorder = told.begin(tmp_path)
    recorder.played(recorder.origin, np.full(24_000, 0.5, np.float32))
    recorder.silenced(recorder.origin + 0.1)
    time.sleep(0.25)
    recorder.stop()
    data, _ = soundfile.read(told.wait()[0] / "audio.wav")
    assert len(data) > 5000
    assert data[200:2400, 1] == pytest.approx(0.5, abs=1e-4)
    assert not data[2600:].any()


class FullDisk:
    """A file object on a disk with room for a few more bytes."""

    def __init__(self, file, room):
        self._file = file
        self._room = room

    def write(self, data):
        end = self._file.tell() + len(data)
        size = os.fstat(self._file.fileno()).st_size
        grows = max(0, end - size)
        if grows and not self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = len(data) - max(0, grows - self._room)
        self._room = max(0, self._room - grows)
        return self._file.write(data[:taken])

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_a_full_disk_ends_the_recording_once_and_leaves_it_valid(tmp_path, told, monkeypatch):
    recorder = told.begin(tmp_path)
    wait(lambda: told.started)
    write = WavFile.write

    def write_little(self, at, pcm):
        if not isinstance(self._file, FullDisk):
            self._file = FullDisk(self._file, 10_001)
        write(self, at, pcm)

    monkeypatch.setattr(WavFile, "write", write_little)
    feed(recorder, 14)
    folder, seconds, error, short = told.wait()
    assert short == "disk full"
    assert str(folder) in error.message
    assert "room" in error.hint
    info = soundfile.info(folder / "audio.wav")
    assert info.frames == round(seconds * 24_000)
    assert info.frames > 0
    assert list(read_journal(folder / "events.jsonl"))[-1]["error"] == "disk full"
    recorder.note(text("more"))  # nothing happens
    recorder.stop()
    time.sleep(0.05)
    assert len(told.stopped) == 1


@pytest.fixture
def disk(tmp_path):
    """Two seconds of sound."""
    with small_disk(tmp_path, 200) as disk:
        yield disk


@pytest.mark.parametrize("raw", [False, True])
def test_a_real_disk_that_is_full(disk, told, monkeypatch, raw):
    monkeypatch.setattr(folder_module, "LEAST_FREE", 0)
    recorder = told.begin(disk, raw=raw)
    for number in range(38):
        feed(recorder, 1, first=number)
        recorder.coded(rows(number))
        if recorder.over:
            break
    folder, seconds, error, short = told.wait()
    assert short == "disk full"
    assert error.hint
    assert soundfile.info(folder / "audio.wav").frames == round(seconds * 24_000)
    assert 0.5 < seconds < 2.2
    assert len(list(read_journal(folder / "events.jsonl"))) > 5
    steps = read_codes(folder, N_USER).step
    assert steps.tolist() == list(range(len(steps)))
    assert len(steps) > 5
    if raw:
        assert 0.5 < soundfile.info(folder / "microphone.wav").duration < 2.2


def test_a_disk_full_of_events_leaves_whole_lines(tmp_path, told):
    recorder = told.begin(tmp_path)
    wait(lambda: told.started)
    (path,) = tmp_path.glob("*/events.jsonl")
    put = LinesFile.put

    def put_little(self, at, data):
        if not isinstance(self._file, FullDisk):
            self._file = FullDisk(self._file, 100)
        put(self, at, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LinesFile, "put", put_little)
        for number in range(20):
            recorder.note(text(f"{number}"))
        folder, _, _, short = told.wait()
    assert short == "disk full"
    assert path.read_bytes().endswith(b"\n")
    assert next(read_journal(path))["type"] == "header"
    assert (folder / "transcript.txt").read_bytes()[-1:] in (b"", b"\n")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere an open file can't be deleted")
def test_a_folder_that_is_deleted_ends_the_recording(tmp_path, told):
    recorder = told.begin(tmp_path)
    feed(recorder, 2)
    wait(lambda: told.started)
    for file in told.started[0].iterdir():
        file.unlink()
    told.started[0].rmdir()
    feed(recorder, 8, first=2)
    _, _, error, short = told.wait()
    assert short == "folder gone"
    assert error.hint
    assert not told.started[0].exists()


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, told, monkeypatch):
    def mkdir(self, *args, **options):  # root, who may run the tests, may write anywhere
        if self.parent == tmp_path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    told.begin(tmp_path)
    _, seconds, error, short = told.wait()
    assert (seconds, short) == (0.0, "permission denied")
    assert "--record" in error.hint
    assert not told.started


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, told):
    (tmp_path / "file").write_text("")
    told.begin(tmp_path / "file" / "below")
    _, seconds, error, short = told.wait()
    assert (seconds, short) == (0.0, "not a directory")
    assert error.title == "Cannot record"
    assert not told.started


def test_too_little_room_is_refused(tmp_path, told, monkeypatch):
    usage = SimpleNamespace(free=49_000_000)
    monkeypatch.setattr(folder_module.shutil, "disk_usage", lambda path: usage)
    told.begin(tmp_path)
    _, _, error, short = told.wait()
    assert short == "disk full"
    assert error.message.endswith(": 49 MB are free, 50 MB are needed.")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_too_slow_costs_sound_and_is_told(tmp_path, told, monkeypatch):
    monkeypatch.setattr(recorder_module, "QUEUE_ITEMS", 10)
    recorder = told.begin(tmp_path)
    wait(lambda: told.started)
    write = WavFile.write

    def slowly(self, at, pcm):
        time.sleep(0.3)
        write(self, at, pcm)

    monkeypatch.setattr(WavFile, "write", slowly)
    began = time.monotonic()
    for _ in range(300):
        recorder.heard(time.monotonic() - 0.08, np.zeros(BLOCK, np.float32))
        time.sleep(0.005)
        if told.gaps:
            break
    assert time.monotonic() - began < 5
    recorder.stop()
    folder, _, error, _ = told.wait()
    assert error is None
    assert told.gaps == [folder]
    assert list(read_journal(folder / "events.jsonl"))[-1]["dropped"] == recorder.dropped > 0


def test_killed_at_any_moment_all_but_the_last_second_is_there(tmp_path):
    rng = random.Random(5)
    children = []
    for number in range(10):
        base = tmp_path / str(number)
        children.append((rng.uniform(0.2, 2.5), base, child(base)))
    for _, _, process in children:
        process.stdout.readline()
    began = time.monotonic()
    for moment, _, process in sorted(children, key=lambda entry: entry[0]):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        process.kill()
    for _, base, process in children:
        out, _ = process.communicate()
        fed = float(out.splitlines()[-1]) if out else STEP
        missing = lost(base, fed)
        assert max(missing.values()) < 1.0, missing


def test_any_error_ends_the_recording_is_told_once_and_leaves_it_valid(tmp_path, told):
    recorder = told.begin(tmp_path)
    feed(recorder, 8)
    recorder.note({"type": "text"})  # without what the transcript needs
    folder, seconds, error, short = told.wait()
    assert short == "internal error"
    assert error.title == "Internal error in the recorder"
    assert "KeyError" in error.message
    assert recorder.join(5)
    assert recorder.seconds is None
    assert len(told.stopped) == 1
    assert soundfile.info(folder / "audio.wav").frames == round(seconds * 24_000) > 0
    assert [r["type"] for r in read_journal(folder / "events.jsonl")][-1] == "end"
    assert "Moshi  0" in transcript(folder)
    assert_closed(folder)


def assert_closed(folder):
    if Path("/proc/self/fd").exists():
        open_files = {os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()}
        assert not [name for name in open_files if name.startswith(str(folder))]


def test_an_error_before_the_first_file_is_told(tmp_path, told):
    def wall():
        raise RuntimeError("no clock")

    told.begin(tmp_path, wall=wall)
    _, seconds, error, short = told.wait()
    assert (seconds, short) == (0.0, "internal error")
    assert "no clock" in error.message


def test_a_current_folder_that_was_deleted_is_told(tmp_path, told):
    told.begin(Path())
    folder, seconds, error, short = told.wait()
    assert (seconds, short) == (0.0, "folder gone")
    assert error.message == "The current folder has been deleted."
    assert "--record" in error.hint
    assert not folder.exists()


def test_a_standstill_of_hours_is_written_in_pieces(tmp_path, told, monkeypatch):
    still = [0.0]
    sizes = []
    write = WavFile.write

    def measured(self, at, pcm):
        sizes.append(len(pcm))
        if still[0]:
            recorder.note(text(" a"))
        if len(sizes) == 20:  # the talk goes on meanwhile
            recorder.heard(clock(), np.full(2 * BLOCK, 0.25, np.float32))
        write(self, at, pcm)

    def clock():
        return time.monotonic() + still[0]

    monkeypatch.setattr(recorder_module, "QUEUE_ITEMS", 10)
    monkeypatch.setattr(WavFile, "write", measured)
    recorder = told.begin(tmp_path, clock=clock)
    recorder.played(recorder.origin, np.full(BLOCK, 0.5, np.float32))
    wait(lambda: told.started)
    still[0] = 600.0
    again = clock()
    recorder.played(again, np.full(BLOCK, 0.5, np.float32))
    wait(lambda: sum(sizes) > 600 * 24_000)
    time.sleep(0.3)
    recorder.stop()
    folder, seconds, error, _ = told.wait()
    assert error is None
    assert max(sizes) <= PIECE
    assert recorder.dropped == 0
    data, _ = soundfile.read(folder / "audio.wav", dtype="int16")
    assert 600 < seconds < 603
    assert data[200 : BLOCK - 200, 1].min() > 16_000
    start = round((again - recorder.origin) * 24_000)
    assert data[start + 200 : start + BLOCK - 200, 1].min() > 16_000
    assert not data[BLOCK + 200 : start - 200].any()
    assert (data[start:, 0] > 8_000).sum() > 1.5 * BLOCK


def test_the_numbers_come_in_their_own_time_also_while_nothing_else_happens(
    tmp_path, told, monkeypatch
):
    monkeypatch.setattr(recorder_module, "NUMBERS_SECONDS", 0.05)
    recorder = told.begin(tmp_path)
    time.sleep(0.6)
    recorder.stop()
    folder = told.wait()[0]
    times = [r["t"] for r in read_journal(folder / "events.jsonl") if r["type"] == "lag"]
    assert len(times) >= 6


@pytest.mark.parametrize("raw", [False, True])
def test_a_recording_of_no_length_can_be_read_by_all(tmp_path, told, raw):
    told.begin(tmp_path, clock=lambda: 5.0, raw=raw).stop()
    folder, seconds, error, _ = told.wait()
    assert (seconds, error) == (0.0, None)
    recording = Recording(folder)
    assert recording.complete
    assert (recording.seconds, len(recording.codes())) == (0.0, 0)
    assert not recording.sound(0, 10).any()
    recording.close()
    for path in folder.glob("*.wav"):
        assert len(soundfile.read(path)[0]) == 0
    assert len(rebuild(folder)) == 2


def test_a_wild_time_stamp_is_not_believed(tmp_path, told):
    recorder = told.begin(tmp_path)
    recorder.played(recorder.origin + 1e9, np.ones(BLOCK, np.float32))
    recorder.played(recorder.origin, np.full(BLOCK, 0.5, np.float32))
    time.sleep(0.2)
    recorder.stop()
    data, _ = soundfile.read(told.wait()[0] / "audio.wav")
    assert data[200:1000, 1] == pytest.approx(0.5, abs=1e-4)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere the folder of an open file stays")
def test_a_folder_that_is_renamed_keeps_all_that_is_written(tmp_path, told):
    recorder = told.begin(tmp_path)
    feed(recorder, 3)
    wait(lambda: told.started)
    moved = told.started[0].rename(tmp_path / "my talk")
    feed(recorder, 5, first=3)
    recorder.coded(rows(0))
    recorder.stop()
    *_, error, short = told.wait()
    assert short == ""
    assert error.message == f"{told.started[0] / 'transcript.vtt'}: folder gone."
    assert soundfile.info(moved / "audio.wav").frames > 0.6 * 24_000
    assert len(read_codes(moved, N_USER)) == 1
    assert transcript(moved) == transcript_from(moved / "events.jsonl")
    assert transcript(moved).count("Moshi") == 8


def test_a_transcript_that_cannot_be_written_is_told(tmp_path, told, monkeypatch):
    put = LinesFile.put

    def put_some(self, at, data):
        if self.path.name == "transcript.txt" and not isinstance(self._file, FullDisk):
            self._file = FullDisk(self._file, 50)
        put(self, at, data)

    monkeypatch.setattr(LinesFile, "put", put_some)
    recorder = told.begin(tmp_path)
    feed(recorder, 10)
    recorder.stop()
    folder, _, error, short = told.wait()
    assert short == ""
    assert error.title == "The transcript could not be written"
    assert error.message == f"{folder / 'transcript.txt'}: disk full."
    assert "events.jsonl" in error.hint
    assert transcript(folder) == "00:00 Moshi  0\n00:00 Moshi  1\n00:00 Moshi  2\n"
    assert transcript_from(folder / "events.jsonl").count("Moshi") == 10


def test_a_transcript_that_was_deleted_is_told(tmp_path, told):
    recorder = told.begin(tmp_path)
    wait(lambda: told.started)
    (told.started[0] / "transcript.txt").unlink()
    recorder.note(text(" a"))
    recorder.stop()
    assert told.wait()[2].title == "The transcript could not be written"


def test_a_disk_that_fills_just_before_the_end_is_told(tmp_path, told, monkeypatch):
    recorder = told.begin(tmp_path)
    feed(recorder, 8)
    put = LinesFile.put

    def put_nothing(self, at, data):
        if not isinstance(self._file, FullDisk):
            self._file = FullDisk(self._file, 0)
        put(self, at, data)

    monkeypatch.setattr(LinesFile, "put", put_nothing)
    recorder.stop()
    folder, _, error, short = told.wait()
    assert short == "disk full"
    assert error.message == f"{folder}: disk full."
    assert "Moshi  0" in transcript(folder)
    assert next(read_journal(folder / "events.jsonl"))["type"] == "header"


def test_what_goes_on_at_the_end_is_closed(tmp_path, told):
    told.closing = [{"at": 0.0, "frame": 1, "type": "mute", "muted": True}]
    recorder = told.begin(tmp_path)
    recorder.stop()
    folder = told.wait()[0]
    kinds = [r["type"] for r in read_journal(folder / "events.jsonl")]
    assert "mute" in kinds[1:-1]
    assert transcript(folder) == "00:00 -      Muted\n"


def test_the_codes_are_there_at_every_moment_and_packed_at_the_end(tmp_path, told):
    before = tuple(rows(number, seed=1 << 31) for number in range(3))
    recorder = told.begin(tmp_path, before=before)
    for number in (3, 4, 6):
        recorder.coded(rows(number, seed=1 << 31))
    wait(lambda: told.started)
    growing = told.started[0] / "codes.npy"
    wait(lambda: len(np.load(growing)) == 6)
    while_growing = read_codes(growing.parent, N_USER)
    recorder.stop()
    folder, _, error, _ = told.wait()
    assert error is None
    assert not growing.exists()
    codes = read_codes(folder, N_USER)
    assert codes.step.tolist() == [0, 1, 2, 3, 4, 6]  # the hole is seen
    assert codes.seed.tolist() == [1 << 31] * 6
    assert codes.moshi[:, 0].tolist() == [-1, -1, 7, 8, 9, 11]
    assert codes.user.dtype == np.int16
    for name, array in codes.arrays().items():
        assert np.array_equal(array, getattr(while_growing, name))
    totals = list(read_journal(folder / "events.jsonl"))[-1]["totals"]
    assert totals["steps"] == 3  # while it was recorded


def test_codes_that_cannot_be_packed_stay_as_they_are(tmp_path, told, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez_compressed", fail)
    recorder = told.begin(tmp_path)
    recorder.coded(rows(0))
    recorder.stop()
    folder, _, error, short = told.wait()
    assert short == ""
    assert error.title == "The codes could not be packed"
    assert error.message == f"{folder / 'codes.npz'}: disk full. They are all in codes.npy."
    assert error.hint.endswith(f"moshi-tui replay {folder} --rebuild")
    assert len(read_codes(folder, N_USER)) == 1
    assert Recording(folder).complete
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere an open file can't be deleted")
def test_codes_that_are_deleted_end_the_recording(tmp_path, told):
    told.begin(tmp_path)
    wait(lambda: told.started)
    (told.started[0] / "codes.npy").unlink()
    folder, _, _, short = told.wait()
    assert short == "folder gone"
    assert list(read_journal(folder / "events.jsonl"))[-1]["error"] == "folder gone"


def test_a_disk_full_of_codes_leaves_whole_rows(tmp_path, told, monkeypatch):
    recorder = told.begin(tmp_path)
    wait(lambda: told.started)
    flush = CodeFile.flush

    def flush_little(self):
        if not isinstance(self._file, FullDisk):
            self._file = FullDisk(self._file, 100)
        flush(self)

    monkeypatch.setattr(CodeFile, "flush", flush_little)
    for number in range(3):
        recorder.coded(rows(number))
    folder, _, _, short = told.wait()
    assert short == "disk full"
    assert np.load(folder / "codes.npy").tolist() == rows(0).tolist()
    assert (folder / "codes.npy").stat().st_size == 128 + 84
    assert not (folder / "codes.npz").exists()
    assert (folder / "transcript.vtt").exists()
    assert list(read_journal(folder / "events.jsonl"))[-1]["error"] == "disk full"


def test_subtitles_that_cannot_be_written_are_told(tmp_path, told):
    recorder = told.begin(tmp_path)
    wait(lambda: told.started)
    (told.started[0] / "transcript.vtt").mkdir()
    recorder.stop()
    folder, _, error, short = told.wait()
    assert short == ""
    assert error.title == "The transcript could not be written"
    assert error.message.startswith(f"{folder / 'transcript.vtt'}: ")
    assert (folder / "codes.npz").exists()


def test_the_microphone_as_captured_is_kept_beside_what_the_model_heard(tmp_path, told):
    recorder = told.begin(tmp_path, raw=True)
    tone = 0.25 * np.sin(np.arange(12 * BLOCK) / 30).astype(np.float32)
    silence = np.zeros(BLOCK, np.float32)
    jitter = random.Random(1)
    at = recorder.origin
    for number, block in enumerate(np.split(tone, 12)):
        at = recorder.origin + 0.08 * number + jitter.uniform(-0.004, 0.004)
        heard = silence if 4 <= number < 8 else block
        recorder.heard(at, heard, block)
    time.sleep(max(0.0, at + 0.1 - time.monotonic()))
    recorder.stop()
    folder = told.wait()[0]
    header = next(read_journal(folder / "events.jsonl"))
    assert header["microphone"] == "microphone.wav"
    both, _ = soundfile.read(folder / "audio.wav")
    raw, rate = soundfile.read(folder / "microphone.wav", always_2d=True)
    assert (len(raw), rate, raw.shape[1]) == (len(both), 24_000, 1)
    heard, raw = both[:, 0], raw[:, 0]
    muted = slice(4 * BLOCK + 300, 8 * BLOCK - 300)
    assert not heard[muted].any()
    assert raw[muted].std() > 0.15
    for first, last in ((0, 4), (9, 11)):
        part = slice(first * BLOCK + 300, last * BLOCK - 300)
        alike = [np.dot(heard[part], np.roll(raw, shift)[part]) for shift in range(-60, 61)]
        assert abs(int(np.argmax(alike)) - 60) <= 24  # 1 ms


def test_where_nobody_asks_for_it_the_microphone_is_not_kept(tmp_path, told):
    recorder = told.begin(tmp_path)
    recorder.heard(recorder.origin, np.zeros(BLOCK, np.float32), np.ones(BLOCK, np.float32))
    recorder.stop()
    assert not (told.wait()[0] / "microphone.wav").exists()
