"""The folder of a recording: where it goes, its name, and room for it on the disk."""

from __future__ import annotations

import errno
import os
import shutil
from datetime import datetime
from pathlib import Path

from moshi_tui import paths
from moshi_tui.config import RecordingOptions, Settings
from moshi_tui.errors import MoshiTuiError

LEAST_FREE = 50_000_000
"""Bytes: below this no recording is begun (nine minutes of sound)."""

_PHRASES = {errno.ENOSPC: "disk full", errno.ENOENT: "folder gone"}
_HINTS = {errno.ENOSPC: "What was written stays. Make room on the disk, then record again."}
_ANOTHER = "Choose another folder with --record DIR."


def check_recording(settings: Settings) -> None:
    """Refuse a recording that is to begin with the talk and can't, as far as that can be known
    before anything is loaded. Nothing is made. Raises MoshiTuiError."""
    if not settings.recording.record:
        return
    base = base_folder(settings.recording)
    _check_place(base)
    try:
        there = next((path for path in (base, *base.parents) if path.exists()), base)
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        _check_room(there)
    except OSError as error:
        raise _refused(base, error) from error


def base_folder(options: RecordingOptions) -> Path:
    """The folder in which recordings get theirs, absolute. As it was said if that can't be told:
    the current folder may have been deleted, and "~" may be nowhere."""
    folder = options.record_folder or Path()
    try:
        return folder.expanduser().absolute()
    except (OSError, RuntimeError):
        return folder


def make_folder(base: Path, now: datetime) -> Path:
    """A new folder moshi-YYYYMMDD-HHMMSS in `base`, which is made if need be; -2 and so on is
    added to the name of one that exists. Raises MoshiTuiError."""
    _check_place(base)
    name = folder_name(now)
    try:
        base.mkdir(parents=True, exist_ok=True)
        _check_room(base)
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
        raise _refused(base / name, error) from error


def folder_name(now: datetime) -> str:
    """What a recording that begins now is called."""
    return f"moshi-{now:%Y%m%d-%H%M%S}"


def broken_off(folder: Path, error: Exception) -> MoshiTuiError:
    """What to tell when a recording has ended by itself; see also `phrase`."""
    if not isinstance(error, OSError):
        return MoshiTuiError(
            "Internal error in the recorder",
            f"{type(error).__name__}: {error}.",
            f"What was written stays. The log says more: {paths.log_file()}",
        )
    hint = _HINTS.get(error.errno or 0, "Record again: that begins a new folder.")
    return MoshiTuiError("Recording has ended", f"{folder}: {phrase(error)}.", hint)


def phrase(error: BaseException) -> str:
    """The same in two or three words."""
    if not isinstance(error, OSError):
        return "internal error"
    return _PHRASES.get(error.errno or 0, (error.strerror or str(error)).lower())


def _check_place(base: Path) -> None:
    if base.is_absolute():
        return
    home = str(base).startswith("~")
    why = f"{base}: there is no such home." if home else "The current folder has been deleted."
    raise MoshiTuiError("Cannot record", why, _ANOTHER) from FileNotFoundError(
        errno.ENOENT, os.strerror(errno.ENOENT)
    )


def _check_room(base: Path) -> None:
    free = shutil.disk_usage(base).free
    if free < LEAST_FREE:
        amount = round(free / 1e6)
        raise MoshiTuiError(
            "Not enough room to record",
            f"{base}: {amount} MB {'is' if amount == 1 else 'are'} free, "
            f"{LEAST_FREE / 1e6:.0f} MB are needed.",
            "Make room on the disk, or choose another folder with --record DIR.",
        ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _refused(folder: Path, error: OSError) -> MoshiTuiError:
    return MoshiTuiError("Cannot record", f"{folder}: {error.strerror or error}.", _ANOTHER)
