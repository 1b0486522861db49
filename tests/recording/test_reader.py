import json
from contextlib import closing

import numpy as np
import pytest

from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.reader import Recording
from tests.recording.made import RATE, codes_of, sound_of, write_recording


def damage_lines(path, number, *damaged):
    """In place of some lines."""
    lines = path.read_bytes().split(b"\n")
    lines[number : number + len(damaged)] = damaged
    path.write_bytes(b"\n".join(lines))


@pytest.mark.parametrize("complete", [True, False])
def test_a_recording_opens_whether_it_was_completed_or_broken_off(tmp_path, complete):
    recording = Recording(write_recording(tmp_path / "talk", seconds=3.0, complete=complete))
    assert recording.complete == complete
    assert recording.header["seed"] == 7
    assert (recording.seconds, recording.rate) == (3.0, RATE)
    codes, expected = recording.codes(), codes_of(37)
    for name, values in expected.arrays().items():
        assert np.array_equal(getattr(codes, name), values), name
    recording.close()


def test_sound_is_read_from_anywhere_and_silent_beyond_its_ends(tmp_path):
    recording = Recording(write_recording(tmp_path / "talk", seconds=2.0))
    whole = sound_of(2.0)
    assert np.abs(recording.sound(1000, 500) - whole[1000:1500]).max() < 1e-4
    around = recording.sound(-100, 2 * RATE + 200)
    assert not around[:100].any()
    assert not around[-100:].any()
    assert np.abs(around[100:-100] - whole).max() < 1e-4
    recording.close()


def test_what_is_no_recording_is_told(tmp_path):
    folder = write_recording(tmp_path / "moshi-20261123-120000", seconds=1.0)
    for path, words in (
        (tmp_path / "nowhere", "does not exist"),
        (folder / "audio.wav", "is a file"),
        (tmp_path, "has no events.jsonl"),
    ):
        with pytest.raises(MoshiTuiError) as caught:
            Recording(path)
        assert words in caught.value.message
    assert "moshi-20261123-120000" in caught.value.hint
    (folder / "audio.wav").unlink()
    with pytest.raises(MoshiTuiError, match="No recording"):
        Recording(folder)


def test_files_that_are_damaged_are_told(tmp_path):
    for number, damage in enumerate(
        (
            lambda folder: (folder / "events.jsonl").write_text("what?\n"),
            lambda folder: (folder / "events.jsonl").write_text(""),
            lambda folder: (folder / "events.jsonl").write_text("[1]\n"),
            lambda folder: (folder / "events.jsonl").write_text('{"type": "header"}\n'),
            lambda folder: damage_lines(folder / "events.jsonl", 0, b"{what?"),
            lambda folder: (folder / "events.jsonl").write_bytes(b"\xff\xfe\n"),
            lambda folder: (folder / "audio.wav").write_bytes(b"no sound"),
        )
    ):
        folder = write_recording(tmp_path / str(number), seconds=1.0)
        damage(folder)
        with pytest.raises(MoshiTuiError, match="Cannot read the recording"):
            Recording(folder)


def test_codes_that_are_missing_or_damaged_are_told(tmp_path):
    folder = write_recording(tmp_path / "talk", seconds=1.0)
    recording = Recording(folder)
    whole = (folder / "codes.npz").read_bytes()
    np.savez_compressed(folder / "packed.npz", **codes_of(400).arrays())
    torn = bytearray((folder / "packed.npz").read_bytes())
    torn[30 + len("epoch.npy") + 20] = 255  # where the first array begins: no such compression
    for damaged in (b"no codes", b"", whole[: len(whole) // 2], bytes(torn)):
        (folder / "codes.npz").write_bytes(damaged)
        with pytest.raises(MoshiTuiError, match="Cannot read"):
            recording.codes()
    (folder / "codes.npz").unlink()
    with pytest.raises(MoshiTuiError, match="No codes"):
        recording.codes()
    recording.close()


def test_a_newer_format_is_refused(tmp_path):
    folder = write_recording(tmp_path / "talk", seconds=1.0, header={"schema": 99})
    with pytest.raises(MoshiTuiError, match="newer"):
        Recording(folder)
    lines = (folder / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["schema"] == 99


def test_lines_that_are_torn_are_passed_over_and_counted(tmp_path):
    folder = write_recording(tmp_path / "talk", seconds=10.0)
    with closing(Recording(folder)) as whole:
        assert (whole.damaged_lines, whole.damage) == (0, "")
    torn = (b'{"t":1.0,"fra{"t":2', b"\xff\x00", b"3", b'{"t": 3}', b"[" * 100_000)
    damage_lines(folder / "events.jsonl", 4, *torn)
    with closing(Recording(folder)) as recording:
        assert recording.records == [*whole.records[:3], *whole.records[8:]]
        assert (recording.damaged_lines, recording.complete) == (5, True)
        assert recording.damage == f"{folder / 'events.jsonl'}: 5 lines are damaged and left out"


@pytest.mark.parametrize(
    ("codes", "rows"),
    [(None, np.zeros((3, 21), np.int32)), ({"user": 8}, np.zeros(21, np.int32)), ({}, None)],
)
def test_codes_of_another_form_are_told(tmp_path, codes, rows):
    header = {"codes": codes}
    folder = write_recording(tmp_path / "talk", seconds=1.0, header=header, complete=False)
    if rows is not None:
        np.save(folder / "codes.npy", rows)
    recording = Recording(folder)
    with closing(recording), pytest.raises(MoshiTuiError, match="Cannot read"):
        recording.codes()
