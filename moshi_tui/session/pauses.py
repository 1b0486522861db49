"""Where one utterance of Moshi ends and the next begins."""

from __future__ import annotations

import math
from collections import deque

from moshi_tui.frames import FRAME_RATE

PAUSE_FRAMES = math.ceil(FRAME_RATE)
"""Frames without a word that end an utterance: the first number that makes a second."""

_REMEMBERED = 750
"""Skipped frames to remember: a minute of them."""


class Pauses:
    """Counts the frames that the model has stepped since the last word.

    Frames are numbered at the microphone, and those that were skipped leave gaps in the numbers.
    They don't make a pause: for the model the words follow each other, even in the middle of a
    word. That the listener heard a gap there is an event of its own.
    """

    def __init__(self) -> None:
        self._last = 0
        self._skipped: deque[int] = deque(maxlen=_REMEMBERED)

    def word(self, frame: int) -> None:
        """A word came in this frame."""
        self._last = frame
        # The model may have yet to reach where frames were skipped: those count for the next word.
        self._skipped = deque((skip for skip in self._skipped if skip > frame), _REMEMBERED)

    def skip(self, frame: int, frames: int = 1) -> None:
        """The model has not heard so many frames from this one on."""
        end = frame + frames
        self._skipped.extend(range(max(frame, end - _REMEMBERED), end))

    def over(self, frame: int) -> bool:
        """Whether, in this frame, the last word is a pause ago."""
        passed = frame - self._last
        if passed < PAUSE_FRAMES:
            return False
        skipped = sum(self._last < skip < frame for skip in self._skipped)
        return passed - skipped >= PAUSE_FRAMES
