"""A file that is there with all that belongs into it, or as it was before."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file under another name beside `path`, and move it there. On an error
    nothing is left of it, and the error is raised. A link stays one."""
    real = Path(os.path.realpath(path))
    # A name that nobody else takes who makes the same file at this moment.
    beside = real.with_name(f".{real.stem}.{os.getpid()}-{os.urandom(4).hex()}{real.suffix}")
    try:
        write(beside)
        os.replace(beside, real)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """The same for text, in UTF-8. Raises OSError."""
    write_whole(path, lambda beside: beside.write_bytes(text.encode()))
