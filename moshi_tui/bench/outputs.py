"""The files that a bench writes."""

from __future__ import annotations

from pathlib import Path

from moshi_tui.errors import MoshiTuiError


def check_target(path: Path) -> None:
    """Refuse now what would fail after minutes."""
    if path.is_dir() or not path.parent.is_dir():
        what = "it is a folder" if path.is_dir() else "its folder does not exist"
        raise MoshiTuiError("Cannot write a file", f"{path}: {what}", "Name another file.")


def write(path: Path, text: str) -> None:
    """Raises MoshiTuiError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MoshiTuiError(
            "Cannot write a file", f"{path}: {error.strerror}", "Name another file."
        ) from error
