"""A terminal that only the screen can write to.

Textual paints on file descriptor 2, and so does every native library that has something to say:
PortAudio, ALSA, Rust panics. While the app runs, it paints on a duplicate of that descriptor, and
descriptor 2 itself leads into the log.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def private_terminal(log: Path) -> Iterator[None]:
    """Inside the `with`, Python's `sys.stderr` and `sys.__stderr__` are the terminal, and
    descriptor 2 is the end of the file `log` (nowhere, if that can't be written).

    Enter it before the app is made: Textual's driver looks at `sys.__stderr__` then. On the main
    thread, with descriptor 2 open. Raises OSError if there are no descriptors left.
    """
    system: Any = sys  # __stderr__ is declared final
    before = sys.stderr, sys.__stderr__
    outside = os.dup(2)
    try:
        with open(os.dup(2), "w", encoding="utf-8", errors="replace") as screen:
            _lead(2, log)
            sys.stderr = system.__stderr__ = screen
            try:
                yield
            finally:
                sys.stderr, system.__stderr__ = before
                os.dup2(outside, 2)
    finally:
        os.close(outside)


def _lead(descriptor: int, path: Path) -> None:
    """Point the descriptor at the end of a file."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    try:
        target = os.open(path, flags, 0o600)
    except OSError:
        target = os.open(os.devnull, os.O_WRONLY)
    os.dup2(target, descriptor)
    os.close(target)
