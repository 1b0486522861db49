"""codes.npy while it grows, and codes.npz once it does not."""

from __future__ import annotations

import struct
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from moshi_tui.recording.codes import CODES, GROWING_CODES, Codes, Ints
from moshi_tui.recording.growing import GrowingFile
from moshi_tui.recording.whole import write_whole

HEADER_BYTES = 128
_PREAMBLE = 10
"""Of it: the magic bytes, the version, and the length of the rest."""


class CodeFile(GrowingFile):
    """A new file of rows that NumPy reads as [n, width] int32, at every moment. Every method but
    `rescue` raises OSError.

    Args:
        path: must not exist.
        width: numbers in a row.
    """

    def __init__(self, path: Path, width: int) -> None:
        self._width = width
        self._waiting: deque[Ints] = deque()
        super().__init__(path, HEADER_BYTES, 4 * width)

    def add(self, rows: Ints) -> None:
        """Keep rows [n, width] for the next `flush`."""
        self._waiting.append(rows)

    def flush(self) -> None:
        """Write what was kept."""
        if not self._waiting:
            return
        while self._waiting:
            rows = self._waiting[0]
            self._put(self._count, rows.astype("<i4").tobytes())
            self._count += len(rows)
            self._waiting.popleft()
        self._state()

    def rescue(self) -> None:
        """After an error: make valid what is there. What was not written is lost."""
        self._waiting.clear()
        super().rescue()

    def _header(self, count: int) -> bytes:
        return npy_header(count, self._width)


def npy_header(rows: int, width: int) -> bytes:
    """The header [HEADER_BYTES] of a file of [rows, width] int32 (NumPy's format, version 1.0)."""
    room = HEADER_BYTES - _PREAMBLE
    text = f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({rows}, {width}), }}"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", room) + f"{text:<{room - 1}}\n".encode()


def pack_codes(folder: Path, n_user: int) -> None:
    """Make codes.npz of codes.npy, in its place. Raises OSError and ValueError; then that stays.

    Args:
        folder: the recording's; nobody writes there any more.
        n_user: how many codes the user has in a row.
    """
    growing = folder / GROWING_CODES
    codes = Codes.from_rows(np.load(growing, allow_pickle=False), n_user)
    arrays: dict[str, Any] = {name: _narrow(array) for name, array in codes.arrays().items()}
    write_whole(folder / CODES, lambda path: np.savez_compressed(path, **arrays))
    growing.unlink()


def _narrow(array: Ints) -> Ints:
    """In half the bytes, if all of it fits. Seeds stay as they are."""
    if array.dtype.kind == "u" or (array.size and _beyond(array)):
        return array
    return array.astype(np.int16)


def _beyond(array: Ints) -> bool:
    limits = np.iinfo(np.int16)
    return bool(array.min() < limits.min or array.max() > limits.max)
