"""A binary file that is valid at every moment, also if the process is killed.

It has a header of a fixed size and then items of a fixed size, which the header counts. First items
are written, then a header that counts them.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path


class GrowingFile(ABC):
    """A new file. Every method but `rescue` raises OSError.

    Args:
        path: must not exist.
        header: bytes of the header.
        item: bytes of an item.
    """

    def __init__(self, path: Path, header: int, item: int) -> None:
        self._count = 0
        self._header_bytes = header
        self._item_bytes = item
        self._file = path.open("xb", buffering=0)
        try:
            self._state()
        except BaseException:
            self._file.close()
            raise

    @abstractmethod
    def _header(self, count: int) -> bytes:
        """The header of a file with so many items."""

    @property
    def gone(self) -> bool:
        """Somebody has deleted the file (POSIX; elsewhere an open file can't be deleted)."""
        return os.fstat(self._file.fileno()).st_nlink == 0

    def rescue(self) -> None:
        """After an error: make valid what is there."""
        with suppress(OSError):
            size = os.fstat(self._file.fileno()).st_size
            self._count = max(0, size - self._header_bytes) // self._item_bytes
            self._state()
            self._file.truncate(self._header_bytes + self._count * self._item_bytes)

    def close(self) -> None:
        """May be called twice."""
        self._file.close()

    def _put(self, at: int, data: bytes) -> None:
        """Write from item `at` on. What goes beyond the end is not counted yet."""
        self._write(self._header_bytes + at * self._item_bytes, data)

    def _cut(self, count: int) -> None:
        """Let the file end there, if it is longer."""
        if count < self._count:
            self._count = count
            self._state()
            self._file.truncate(self._header_bytes + count * self._item_bytes)

    def _state(self) -> None:
        """Write a header that tells the count."""
        self._write(0, self._header(self._count))

    def _write(self, at: int, data: bytes) -> None:
        self._file.seek(at)
        rest = memoryview(data)
        while rest:  # a disk that is nearly full takes a part
            rest = rest[self._file.write(rest) :]
