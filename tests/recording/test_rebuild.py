import os
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.codes import read_codes
from moshi_tui.recording.journal import Journal
from moshi_tui.recording.rebuild import rebuild
from moshi_tui.recording.transcript import TranscriptFile, transcript_from
from tests.recording.hand import Told
from tests.recording.made import a_talk, codes_of, record, rows_of, write_recording

NAMES = ["transcript.txt", "transcript.vtt"]


def broken_off(folder, **options):
    """Killed a minute ago."""
    return a_minute_later(write_recording(folder, complete=False, **options))


def a_minute_later(folder):
    for path in folder.iterdir():
        os.utime(path, (time.time() - 60,) * 2)
    return folder


def not_packed(folder):
    """It has its end, and its codes as they grew."""
    write_recording(folder, seconds=2.0)
    (folder / "codes.npz").unlink()
    np.save(folder / "codes.npy", rows_of(codes_of(25)))
    return folder


def test_what_was_deleted_comes_back(tmp_path):
    folder = write_recording(tmp_path / "talk", seconds=12.0)
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    assert rebuild(folder) == [folder / name for name in NAMES]
    made = {path: path.read_bytes() for path in folder.iterdir()}
    assert made.keys() - kept.keys() == {folder / name for name in NAMES}
    assert kept.items() <= made.items()
    assert "00:00 Moshi  Hello there. How are" in (folder / "transcript.txt").read_text()
    rebuild(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == made


def test_one_that_was_broken_off_gets_what_it_lacks(tmp_path):
    records = [
        *a_talk(12.0),
        record(12.0, "user_start"),
        record(13.5, "text", token=1, text=" so", begins=False),
    ]
    folder = broken_off(tmp_path / "talk", seconds=12.0, records=records)
    events = (folder / "events.jsonl").read_bytes()
    assert rebuild(folder) == [folder / name for name in (*NAMES, "codes.npz")]
    assert (folder / "events.jsonl").read_bytes() == events
    assert (folder / "transcript.txt").read_text().endswith("00:12 You    (1.5 s)\n")
    assert (
        "00:00:12.000 --> 00:00:13.500\n<v You>(1.5 s)" in (folder / "transcript.vtt").read_text()
    )
    assert not (folder / "codes.npy").exists()
    for name, values in codes_of(150).arrays().items():
        assert np.array_equal(getattr(read_codes(folder, 8), name), values), name
    assert rebuild(folder) == [folder / name for name in NAMES]


def test_one_that_still_grows_is_left_alone(tmp_path):
    folder = write_recording(tmp_path / "talk", seconds=2.0, complete=False)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(MoshiTuiError, match="may still be going on"):
        rebuild(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_one_whose_codes_are_being_packed_is_left_alone(tmp_path):
    folder = not_packed(tmp_path / "talk")
    with pytest.raises(MoshiTuiError, match="may still be going on"):
        rebuild(folder)
    a_minute_later(folder)
    (folder / ".codes.12-ab.npz").touch()
    with pytest.raises(MoshiTuiError, match="may still be going on"):
        rebuild(folder)
    assert not (folder / "transcript.vtt").exists()


def test_one_whose_codes_could_not_be_packed_long_ago_gets_them_packed(tmp_path):
    folder = a_minute_later(not_packed(tmp_path / "talk"))
    assert rebuild(folder) == [folder / name for name in (*NAMES, "codes.npz")]
    assert len(read_codes(folder, 8)) == 25
    assert not (folder / "codes.npy").exists()


def test_damaged_lines_are_told_and_the_rest_is_used(tmp_path):
    folder = write_recording(tmp_path / "talk", seconds=12.0)
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    lines[2] = lines[2][: len(lines[2]) // 2] + "\n"
    (folder / "events.jsonl").write_text("".join(lines))
    warned = []
    assert rebuild(folder, warned.append) == [folder / name for name in NAMES]
    assert warned == [f"{folder / 'events.jsonl'}: 1 line is damaged and left out"]
    assert "Hello there" in (folder / "transcript.vtt").read_text().replace("\n", " ")


def test_a_folder_that_cannot_be_written_to_is_told_and_keeps_what_it_had(tmp_path, monkeypatch):
    folder = write_recording(tmp_path / "talk", seconds=2.0)
    rebuild(folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}

    def full(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(MoshiTuiError, match="disk full") as caught:
        rebuild(folder)
    assert "room" in caught.value.hint
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"t": 1.0, "frame": 1, "type": "text"},
        {"t": 1.0, "frame": 1, "type": "text", "text": 7, "begins": True},
        {"t": "soon", "frame": 1, "type": "lag"},
        {"t": float("inf"), "frame": 1, "type": "user_start"},
        {"t": float("nan"), "frame": 1, "type": "mute", "muted": True},
        {"t": 1.0, "frame": 1, "type": "skip", "side": "dark", "kind": "speech", "ms": 80.0},
        {"t": 1.0, "frame": 1, "type": "device", "side": "up", "name": "USB"},
    ],
)
def test_a_damaged_record_is_told(tmp_path, wrong):
    folder = write_recording(tmp_path / "talk", seconds=2.0, records=[wrong])
    with pytest.raises(MoshiTuiError, match="Cannot read the recording"):
        rebuild(folder)
    assert not (folder / "transcript.txt").exists()


def test_what_is_no_recording_is_told(tmp_path):
    with pytest.raises(MoshiTuiError, match="No recording"):
        rebuild(tmp_path)


KINDS = {
    "text": {"text": " so", "begins": True},
    "text on": {"text": "mewhat", "begins": False},
    "text then": {"text": " then.", "begins": False},
    "user_stop": {},
    "skip": {"side": "user", "kind": "silence", "ms": 160.0},
    "underrun": {"ms": 120.0},
    "volume": {"db": 3.0},
    "mute": {"muted": True},
    "reset": {},
}


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(KINDS)), st.floats(0, 4), st.floats(0, 3), st.booleans()),
        max_size=80,
    )
)
def test_written_as_it_went_or_made_of_the_events_the_transcript_is_the_same(
    tmp_path_factory, happened
):
    folder = tmp_path_factory.mktemp("talk")
    journal, file = Journal(folder / "e"), TranscriptFile(folder / "t")
    now = stopped = 0.0
    for kind, later, late, flush in happened:
        now += later
        records = [record(now, kind.split()[0], **KINDS[kind])]
        if kind == "user_stop":  # turns become known late
            stop = now - late
            if stop - 0.5 <= stopped:
                continue
            records = [record(stop - 0.5, "user_start"), record(stop, kind, seconds=0.5)]
            stopped = stop
        for each in records:
            journal.add(each)
            file.transcript.add(each)
        if flush:
            journal.flush()
            file.update()
    journal.flush()
    file.update()
    journal.close()
    file.close()
    assert (folder / "t").read_text() == transcript_from(folder / "e")


def test_a_recorder_writes_the_very_files_that_are_made_anew(tmp_path):
    told = Told()
    recorder = told.begin(tmp_path)
    for number, each in enumerate(a_talk(30.0)):
        recorder.note({**each, "at": recorder.origin + each.pop("t")})
        if number % 20 == 0:
            time.sleep(0.01)
    recorder.stop()
    folder = told.wait()[0]
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert before[folder / "transcript.txt"].count(b"Moshi") == 5
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)
    assert rebuild(folder) == [folder / name for name in NAMES]
    made = {path: path.read_bytes() for path in folder.iterdir()}
    assert before.items() <= made.items()
