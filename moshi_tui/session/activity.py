"""Is anybody speaking? Decided block by block from loudness alone, against a noise floor that
follows the room.

What is called a pause here may be left out to make up for lag, so the doubt goes to speech: a word
begins at once and has an edge when it ends, and all that is far above any usual noise is speech.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from enum import IntEnum

BLOCK_SECONDS = 0.01
"""Length of a block: what one level stands for."""

ON_DB = 9.0
"""This far above the noise floor speech begins."""
OFF_DB = 5.0
"""Less than this far above it, speech ends (after the hangover)."""
GATE_DB = -65.0
"""Whatever is quieter than this, in dBFS, is a pause: no microphone is that good."""

_SMOOTH_BLOCKS = 3
_BUCKET_BLOCKS = 50
_BUCKETS = 6
_QUIETEST_DB = -90.0
"""Digital silence is not a noise floor to measure a room against."""


class Activity(IntEnum):
    """What is heard in a block, or in a frame: the most of its blocks."""

    PAUSE = 0
    EDGE = 1
    """What follows speech: the soft end of a word, and the pause as the listener knows it."""
    SPEECH = 2


class NoiseFloor:
    """The quietest that it has been in the last three seconds, in dBFS.

    Speech has gaps between its words, so the minimum of the smoothed level finds the noise behind
    it (the idea of minimum statistics: Martin, "Noise power spectral density estimation based on
    optimal smoothing and minimum statistics", 2001). Half-second buckets, the oldest forgotten.

    Args:
        limit_db: the floor is never taken to be above this: a tone held for long is no noise.
    """

    def __init__(self, limit_db: float) -> None:
        self._limit = limit_db
        # At first a room is taken to be quiet: what is heard then may be speech already.
        self._buckets: deque[float] = deque((GATE_DB,), maxlen=_BUCKETS)
        self._count = 0

    def update(self, level_db: float) -> float:
        """Take a smoothed level in; returns the floor."""
        if self._count % _BUCKET_BLOCKS == 0:
            self._buckets.append(level_db)
        elif level_db < self._buckets[-1]:
            self._buckets[-1] = level_db
        self._count += 1
        return max(_QUIETEST_DB, min(self._limit, *self._buckets))


class SpeechDetector:
    """Tells speech from pauses, for blocks of 10 ms in order. Not thread-safe.

    Args:
        hangover_s: what follows speech for so long is its edge: the ends of words are soft, and a
            listener wants to hear that there is a pause.
        floor_limit_db: see `NoiseFloor`.
    """

    def __init__(self, *, hangover_s: float = 0.2, floor_limit_db: float = -35.0) -> None:
        self._hangover = round(hangover_s / BLOCK_SECONDS)
        self._floor_limit = floor_limit_db
        self.reset()

    def reset(self) -> None:
        """Forget the room."""
        self._floor = NoiseFloor(self._floor_limit)
        self._powers: deque[float] = deque(maxlen=_SMOOTH_BLOCKS)
        self._speaking = False
        self._left = 0  # blocks of hangover

    def update(self, levels: Iterable[float]) -> list[Activity]:
        """What is heard in each block, from `levels` (dBFS, RMS of 10 ms)."""
        return [self._block(level) for level in levels]

    def _block(self, level: float) -> Activity:
        self._powers.append(10 ** (level / 10))
        smooth = 10 * math.log10(sum(self._powers) / len(self._powers))
        floor = self._floor.update(smooth)
        # A word begins with the block itself, not with an average that lags behind.
        loud = max(level, smooth) if not self._speaking else smooth
        self._speaking = loud > max(GATE_DB, floor + (OFF_DB if self._speaking else ON_DB))
        if self._speaking:
            self._left = self._hangover
            return Activity.SPEECH
        self._left -= 1
        return Activity.EDGE if self._left >= 0 else Activity.PAUSE
