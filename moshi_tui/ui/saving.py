"""The conversation as a text file."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path

from moshi_tui.clean import clean
from moshi_tui.errors import MoshiTuiError
from moshi_tui.paths import shown
from moshi_tui.ui.conversation import Conversation


def save(
    conversation: Conversation, folder: Path, header: str = "", *, now: datetime | None = None
) -> Path:
    """Write the conversation into a new file in `folder` and return it.

    Named after the time `now`; no file is ever overwritten. It is there with all its text or not
    at all. The folder is made if it is missing.

    Args:
        header: what to say in the first line besides the time: the model, the seed.

    Raises:
        MoshiTuiError: the file can't be written.
    """
    now = now or datetime.now()
    first = " · ".join(
        part for part in ("moshi-tui", clean(header), f"{now:%Y-%m-%d %H:%M}") if part
    )
    text = "\n".join([first, "", *conversation.lines(), ""])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _new_file(folder, f"moshi-talk-{now:%Y%m%d-%H%M%S}")
        _fill(path, text)
    except OSError as error:
        raise MoshiTuiError(
            "Conversation not saved",
            f"{clean(shown(folder.absolute()))}: {error.strerror or error}",
            "Make room there or let yourself write there, then save again.",
        ) from error
    return path


def _new_file(folder: Path, name: str) -> Path:
    """An empty file that was not there before: nobody else gets its name."""
    number = 1
    while True:
        path = folder / (f"{name}.txt" if number == 1 else f"{name}-{number}.txt")
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return path


def _fill(path: Path, text: str) -> None:
    """Write beside it and move; on an error nothing is left."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, path.stat().st_mode)  # as open as any new file of the person
        os.replace(beside, path)
    except OSError:
        Path(beside).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise
