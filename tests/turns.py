"""Who may run now, where two processes share the tests (`pytest -n 2`).

What runs in real time, with a sound server and processes of its own, must have the machine to
itself: then no test of the other process runs. All others run two at a time.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Wait until this test may run; `folder` is one that all processes of a run know.

    Whoever wants to be alone closes the door first: else the tests of the other process, one after
    the other, would keep it waiting for ever.
    """
    with _locked(folder / "door", alone=alone) as door, _locked(folder / "room", alone=alone):
        if not alone:
            fcntl.flock(door, fcntl.LOCK_UN)
        yield


@contextmanager
def _locked(path: Path, *, alone: bool) -> Iterator[int]:
    lock = os.open(path, os.O_RDONLY | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield lock
    finally:
        os.close(lock)
