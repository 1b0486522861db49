"""What a recording that was broken off lacks, or what was deleted from it, made anew."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from moshi_tui.clean import clean
from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.code_file import pack_codes
from moshi_tui.recording.codes import CODES, GROWING_CODES
from moshi_tui.recording.files import AUDIO, EVENTS, TRANSCRIPT
from moshi_tui.recording.folder import phrase
from moshi_tui.recording.reader import Recording
from moshi_tui.recording.subtitles import SUBTITLES, subtitles_from
from moshi_tui.recording.transcript import transcript_of
from moshi_tui.recording.whole import write_text

log = logging.getLogger(__name__)

GROWS_SECONDS = 3.0
"""A recording that is not all complete and was written to more recently may still go on: the
recorder does that twice a second, and packs the codes at the end."""


def rebuild(folder: Path, warn: Callable[[str], object] = log.warning) -> list[Path]:
    """Make transcript.txt and transcript.vtt from events.jsonl, and codes.npz of the codes.npy that
    a recording has while it is being written; returns what was made. Each is made whole, or is as
    it was before. Sound and events stay as they are.

    Args:
        warn: gets a sentence if lines of events.jsonl are damaged.

    Raises MoshiTuiError: it is no recording, it can't be read or written to, or it may still be
    going on.
    """
    recording = Recording(folder)
    recording.close()
    if not recording.complete or (folder / GROWING_CODES).exists():
        _refuse_growing(folder)
    if recording.damage:
        warn(recording.damage)
    try:
        records = [recording.header, *recording.records]
        texts = {TRANSCRIPT: transcript_of(records), SUBTITLES: subtitles_from(records)}
        for name, text in texts.items():
            write_text(folder / name, text)
        made = [folder / name for name in texts]
        if (folder / GROWING_CODES).exists() and not (folder / CODES).exists():
            pack_codes(folder, recording.header["codes"]["user"])
            made.append(folder / CODES)
    except OSError as error:
        raise MoshiTuiError(
            "Cannot write to the recording",
            f"{folder}: {phrase(error)}.",
            "Make room there or let yourself write there, then try again.",
        ) from error
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise MoshiTuiError(  # a record is not what it should be
            "Cannot read the recording",
            f"{folder}: {type(error).__name__}: {clean(str(error))}.",
            "It is damaged, or was not made by moshi-tui. audio.wav plays in any player.",
        ) from error
    return made


def _refuse_growing(folder: Path) -> None:
    now = time.time()
    if any(abs(now - written) < GROWS_SECONDS for written in _written(folder)):
        raise MoshiTuiError(
            "The recording may still be going on",
            f"{folder} is not complete, and was written to in the last seconds.",
            "End the talk that is being recorded; if there is none, try again in a few seconds.",
        )


def _written(folder: Path) -> Iterator[float]:
    """When each of the files was written to that only a recorder writes, and those that become
    codes.npz."""
    packing = folder.glob(f".{Path(CODES).stem}.*")
    for path in (folder / AUDIO, folder / EVENTS, folder / GROWING_CODES, *packing):
        try:
            yield path.stat().st_mtime
        except OSError:
            continue  # not there, or no longer
