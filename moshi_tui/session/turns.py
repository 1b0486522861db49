"""The user's turns: from when somebody speaks to when they have been silent for a second.

Pure: fed with what `activity.py` finds in each frame, gives the events for the screen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from moshi_tui.audio.levels import QUIETEST_DB
from moshi_tui.frames import FRAME_RATE
from moshi_tui.session.activity import BLOCK_SECONDS, Activity
from moshi_tui.session.events import UserTurn

LEAST_BLOCKS = round(0.2 / BLOCK_SECONDS)
"""Less speech than this is a click or a cough, and no turn."""
BLIP_FRAMES = 5
"""As long as a turn has not begun, so many frames without speech end the attempt: keys that are
being typed shall not add up."""
PAUSE_FRAMES = math.ceil(FRAME_RATE)
"""Frames without speech that end a turn: the first number that makes a second."""
LONGEST_FRAMES = round(60 * FRAME_RATE)
"""A turn that lasts a minute ends there, and the next begins with the next speech: each event has
all levels of its turn, so they must not grow without limit."""


class Turns:
    """Follows one speaker frame by frame. Not thread-safe."""

    def __init__(self) -> None:
        self._start = 0
        self._powers: list[float] = []  # of each frame since the first speech; empty: silence
        self._spoken = 0  # blocks of speech, until there are enough
        self._quiet = 0  # frames without speech at the end
        self._told = 0  # frames of the turn when it was last told

    def add(
        self, frame: int, activities: Sequence[Activity], levels: Sequence[float]
    ) -> UserTurn | None:
        """Take in the next frame: what is heard in each of its blocks of 10 ms, and how loud it is
        in dBFS. Returns the event that is due, if one is.

        Frames may be missing (lost before anybody heard them): they count as silent.
        """
        blocks = sum(activity is Activity.SPEECH for activity in activities)
        if not self._powers:
            if not blocks:
                return None
            self._begin(frame)
        missing = frame - self._start - len(self._powers)
        self._powers.extend([_power(QUIETEST_DB)] * missing)
        self._powers.append(sum(map(_power, levels)) / len(levels))
        self._spoken += blocks
        self._quiet = 0 if blocks else self._quiet + missing + 1
        return self._due()

    def end(self) -> UserTurn | None:
        """The speaker can't be heard any more, or the talk was reset: the turn is over."""
        spoken = len(self._powers) - self._quiet
        turn = self._tell(spoken, over=True) if self._told else None
        self._powers.clear()
        self._told = 0
        return turn

    def _begin(self, frame: int) -> None:
        self._start = frame
        self._spoken = self._quiet = 0

    def _due(self) -> UserTurn | None:
        frames = len(self._powers)
        begun = self._spoken >= LEAST_BLOCKS
        if self._quiet >= (PAUSE_FRAMES if begun else BLIP_FRAMES) or frames >= LONGEST_FRAMES:
            return self.end()
        if not begun or frames // UserTurn.BLOCK_FRAMES == self._told // UserTurn.BLOCK_FRAMES:
            return None
        self._told = frames
        return self._tell(frames, over=False)

    def _tell(self, frames: int, *, over: bool) -> UserTurn:
        step = UserTurn.BLOCK_FRAMES
        blocks = (self._powers[at : min(at + step, frames)] for at in range(0, frames, step))
        levels = tuple(10 * math.log10(sum(block) / len(block)) for block in blocks)
        return UserTurn(self._start, frames, levels, over)


def _power(level_db: float) -> float:
    power: float = 10 ** (level_db / 10)
    return power
