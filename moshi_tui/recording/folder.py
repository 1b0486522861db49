"""The folder of a recording: its name, and room for it on the disk."""

from __future__ import annotations

import errno
import shutil
from datetime import datetime
from pathlib import Path

from moshi_tui.errors import MoshiTuiError

LEAST_FREE = 50_000_000
"""Bytes: below this no recording is begun (nine minutes of sound)."""

_PHRASES = {errno.ENOSPC: "disk full", errno.ENOENT: "folder gone"}
_HINTS = {errno.ENOSPC: "What was written stays. Make room on the disk, then record again."}


def make_folder(base: Path, now: datetime) -> Path:
    """A new folder moshi-YYYYMMDD-HHMMSS in `base`, which is made if need be; -2 and so on is
    added to the name of one that exists. Raises MoshiTuiError."""
    name = f"moshi-{now:%Y%m%d-%H%M%S}"
    try:
        base.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(base).free
        if free < LEAST_FREE:
            raise MoshiTuiError(
                "Not enough room to record",
                f"{base.resolve()}: {free / 1e6:.0f} MB are free, {LEAST_FREE / 1e6:.0f} MB needed",
                "Make room on the disk, or choose another folder with --record DIR.",
            )
        number = 1
        while True:
            folder = base / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
            else:
                return folder
    except OSError as error:
        raise MoshiTuiError(
            "Cannot record",
            f"{base.absolute() / name}: {error.strerror or error}",
            "Choose another folder with --record DIR.",
        ) from error


def broken_off(folder: Path, error: OSError) -> MoshiTuiError:
    """What to tell when a recording can't be written any more; see also `phrase`."""
    hint = _HINTS.get(error.errno or 0, "Record again: that begins a new folder.")
    return MoshiTuiError("Recording has ended", f"{phrase(error)}: {folder}", hint)


def phrase(error: OSError) -> str:
    """The same in two or three words."""
    return _PHRASES.get(error.errno or 0, (error.strerror or str(error)).lower())
