"""What a recording gets once nothing is added to it any more: subtitles, and its codes packed.

It can do without either: both can be made of what is there (rebuild.py). So what goes wrong here is
told, and the recording is well.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path

from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.code_file import pack_codes
from moshi_tui.recording.codes import CODES, GROWING_CODES
from moshi_tui.recording.files import AUDIO, EVENTS, TRANSCRIPT
from moshi_tui.recording.folder import phrase
from moshi_tui.recording.subtitles import SUBTITLES, write_subtitles

log = logging.getLogger(__name__)


def complete(folder: Path, n_user: int, untold: Exception | None) -> MoshiTuiError | None:
    """Make both; returns what to tell of the first thing that is missing.

    Args:
        folder: the recording's, whose files are closed.
        n_user: how many codes the user has in a row.
        untold: why the transcript lacks something.
    """
    without_subtitles = subtitle(folder)
    unpacked = _tried(lambda: pack_codes(folder, n_user))
    if untold is not None:
        return _untold(folder / TRANSCRIPT, untold)
    if without_subtitles is not None:
        return _untold(folder / SUBTITLES, without_subtitles)
    return None if unpacked is None else _unpacked(folder, unpacked)


def subtitle(folder: Path) -> Exception | None:
    """Make transcript.vtt, also of a recording that has ended by itself; returns why it could not
    be made."""
    return _tried(lambda: write_subtitles(folder))


def _tried(make: Callable[[], None]) -> Exception | None:
    try:
        make()
    except Exception as error:
        log.warning("at the end of a recording", exc_info=True)
        traceback.clear_frames(error.__traceback__)  # a file that they read is closed by that
        return error
    return None


def _untold(path: Path, error: Exception) -> MoshiTuiError:
    return MoshiTuiError(
        "The transcript could not be written",
        f"{path}: {phrase(error)}.",
        f"{AUDIO} is complete, and {EVENTS} has every word.",
    )


def _unpacked(folder: Path, error: Exception) -> MoshiTuiError:
    return MoshiTuiError(
        "The codes could not be packed",
        f"{folder / CODES}: {phrase(error)}. They are all in {GROWING_CODES}.",
        f"Pack them later: moshi-tui replay {folder} --rebuild",
    )
