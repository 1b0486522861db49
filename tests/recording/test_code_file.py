import numpy as np
import pytest

from moshi_tui.recording.code_file import HEADER_BYTES, CodeFile, npy_header, pack_codes
from moshi_tui.recording.codes import CodedStep, read_codes
from tests.recording.hand import N_USER, rows
from tests.recording.made import codes_of, rows_of


def written(path, many, *, width=21):
    file = CodeFile(path, width)
    file.add(many)
    file.flush()
    file.close()


def test_numpy_reads_it_at_every_moment(tmp_path):
    path = tmp_path / "codes.npy"
    file = CodeFile(path, 21)
    assert np.load(path).shape == (0, 21)
    for number in range(12):
        file.add(rows(number))
        assert len(np.load(path)) == number // 2 * 2
        if number % 2:
            file.flush()
    with path.open("ab") as torn:
        torn.write(b"half a row")
    assert np.load(path).tolist() == np.concatenate([rows(n) for n in range(12)]).tolist()
    file.rescue()
    assert path.stat().st_size == HEADER_BYTES + 12 * 84
    file.close()


@pytest.mark.parametrize("count", [0, 1, 10**6, 2**40])
def test_its_header_is_that_of_numpy_and_always_as_long(tmp_path, count):
    path = tmp_path / "h"
    path.write_bytes(npy_header(count, 21))
    assert path.stat().st_size == HEADER_BYTES
    with path.open("rb") as file:
        assert np.lib.format.read_magic(file) == (1, 0)
        shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
    assert (shape, fortran, kind) == ((count, 21), False, np.dtype("<i4"))


def test_rows_are_as_the_hand_made_recordings_have_them():
    codes = codes_of(5)
    found = []
    for number in range(5):
        moshi = codes.moshi[number]
        step = CodedStep(
            *(int(getattr(codes, name)[number]) for name in ("epoch", "step", "seed", "frame")),
            int(codes.text[number]),
            codes.user[number],
            None if moshi[0] < 0 else moshi,
        )
        found.append(step.row(8))
    assert np.array_equal(np.stack(found), rows_of(codes))


@pytest.mark.parametrize("count", [0, 30])
def test_packed_they_are_the_same_in_less_room(tmp_path, count):
    many = rows_of(codes_of(count)) if count else np.empty((0, 21), np.int32)
    many[:, 2] = -1
    written(tmp_path / "codes.npy", many)
    before = read_codes(tmp_path, N_USER)
    pack_codes(tmp_path, N_USER)
    assert [path.name for path in tmp_path.iterdir()] == ["codes.npz"]
    after = read_codes(tmp_path, N_USER)
    for name, array in before.arrays().items():
        assert np.array_equal(after.arrays()[name], array)
    assert after.user.dtype == after.moshi.dtype == np.int16
    assert after.seed.dtype == np.uint32
    assert after.seed.tolist() == [2**32 - 1] * count


def test_codes_that_are_too_large_for_it_are_not_narrowed(tmp_path):
    many = rows(3)
    many[0, 8] = 100_000
    written(tmp_path / "codes.npy", many)
    pack_codes(tmp_path, N_USER)
    assert read_codes(tmp_path, N_USER).user[0, 3] == 100_000


def test_a_file_that_cannot_be_begun_is_closed(tmp_path):
    handles = []

    class NoRoom(CodeFile):
        def _header(self, count):
            handles.append(self._file)
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="space"):
        NoRoom(tmp_path / "codes.npy", 21)
    assert handles[0].closed
