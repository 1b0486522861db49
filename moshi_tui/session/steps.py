"""The steps of the model since the last reset, in case somebody begins to record: to run the model
again, all of them are needed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moshi_tui.recording.codes import COLUMNS, Ints

MOST_STEPS = 1 << 19
"""11.6 hours, 44 MB with 16 codes a step. Who begins to record after that has the steps from there
on."""

_CHUNK = 4096
_EPOCH = COLUMNS.index("epoch")


class Steps:
    """Rows of codes.npy, in memory. Not thread-safe, but what `rows` gives does not change.

    Args:
        most: of more steps than these nothing is kept until the next reset.
    """

    def __init__(self, most: int = MOST_STEPS) -> None:
        self._most = most
        self._epoch = -1
        self._count = 0
        self._full: list[Ints] = []
        self._newest: npt.NDArray[np.int32] = np.empty((0, 0), np.int32)
        self._filled = 0  # of the newest chunk

    def add(self, row: npt.NDArray[np.int32]) -> None:
        """The next row [columns]. With another epoch all before it is forgotten."""
        if row[_EPOCH] != self._epoch:
            self._epoch = int(row[_EPOCH])
            self.forget()
        self._count += 1
        if self._count > self._most:
            self._drop()
            return
        if self._filled == len(self._newest):
            if self._filled:
                self._full.append(self._newest)
            self._newest, self._filled = np.empty((_CHUNK, len(row)), np.int32), 0
        self._newest[self._filled] = row
        self._filled += 1

    def rows(self) -> tuple[Ints, ...]:
        """All of them, in pieces [n, columns]."""
        newest = self._newest[: self._filled].copy()
        return (*self._full, newest) if len(newest) else tuple(self._full)

    def forget(self) -> None:
        """The model was reset: the next row begins anew."""
        self._count = 0
        self._drop()

    def _drop(self) -> None:
        self._full, self._newest, self._filled = [], self._newest[:0], 0
