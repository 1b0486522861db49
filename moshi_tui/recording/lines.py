"""A text file whose end may be written anew, and which is left with whole lines."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class LinesFile:
    """A new file of lines. `put` raises OSError.

    It is written by its handle: if its folder is renamed meanwhile, nothing is lost.

    Args:
        path: must not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._whole = 0  # bytes up to the end of the last complete line
        self._size = 0
        self._file = path.open("xb", buffering=0)

    @property
    def gone(self) -> bool:
        """Somebody has deleted the file (POSIX; elsewhere an open file can't be deleted)."""
        return os.fstat(self._file.fileno()).st_nlink == 0

    def put(self, at: int, data: bytes) -> None:
        """Let the file go on with `data` from byte `at` on, where a line begins, and end there.

        If that fails, `rescue` leaves what got there of it, and it can be put once more.
        """
        self._file.seek(at)
        rest = memoryview(data)
        try:
            while rest:  # a disk that is nearly full takes a part
                rest = rest[self._file.write(rest) :]
        finally:
            taken = len(data) - len(rest)
            if taken or not data:  # else what stood there still does
                self._whole = at + data.rfind(b"\n", 0, taken) + 1
                self._size = max(self._size, at + taken)
        if self._size > self._whole:
            self._file.truncate(self._whole)
            self._size = self._whole

    def rescue(self) -> None:
        """After an error: cut off half a line."""
        with suppress(OSError):
            self._file.truncate(self._whole)
            self._size = self._whole

    def close(self) -> None:
        """May be called twice."""
        self._file.close()
