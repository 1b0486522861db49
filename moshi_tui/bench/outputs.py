"""The files that a bench writes."""

from __future__ import annotations

from pathlib import Path

from moshi_tui.errors import MoshiTuiError


def check_target(path: Path) -> None:
    """Refuse now what would fail after minutes; leaves no file, and what there is as it is."""
    if path.is_dir() or not path.parent.is_dir():
        what = "it is a folder" if path.is_dir() else "its folder does not exist"
        raise MoshiTuiError("Cannot write a file", f"{path}: {what}", "Name another file.")
    there = path.exists()
    if there and not path.is_file():
        return  # a pipe or a device: to open it is more than a look
    try:
        path.open("a").close()
        if not there:
            path.unlink()
    except OSError as error:
        raise _can_not_write(path, error) from error


def write(path: Path, text: str) -> None:
    """Raises MoshiTuiError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _can_not_write(path, error) from error


def _can_not_write(path: Path, error: OSError) -> MoshiTuiError:
    return MoshiTuiError("Cannot write a file", f"{path}: {error.strerror}", "Name another file.")
