"""How loud Moshi is played."""

from __future__ import annotations

import numpy as np

from moshi_tui.audio.ring import Pcm

LOUDEST_DB = 12.0
MUTE_DB = -40.0
"""The lower end of the scale: here nothing is heard."""

_KNEE_DROP = 0.3
"""With a gain of `_FULL_GAIN` and more, what is above 1 - 0.3 is bent so that it stays below 1."""
_FULL_GAIN = 1.4


def limited(db: float) -> float:
    """The nearest volume that there is, in dB."""
    return min(LOUDEST_DB, max(MUTE_DB, db))


class Volume:
    """A gain that changes without a click. `db` may be set on any thread; `apply` has one.

    At 0 dB sound passes as it is. Above that a soft limiter bends the peaks instead of cutting them
    off; it sets in with the gain, so that turning it up does not click either.
    """

    def __init__(self, db: float = 0.0) -> None:
        self.db = limited(db)
        self._gain = _gain(self.db)

    def apply(self, pcm: Pcm) -> Pcm:
        """`pcm` [n] float32 at this volume, [n]; a change is spread over all of it."""
        before, self._gain = self._gain, _gain(self.db)
        if before == self._gain == 1.0 or not len(pcm):
            return pcm
        gains = np.linspace(before, self._gain, len(pcm), dtype=np.float32)
        louder = pcm * gains
        return louder if max(before, self._gain) <= 1.0 else _bent(louder, gains)


def _bent(pcm: Pcm, gains: Pcm) -> Pcm:
    """Linear up to the knee, then a tanh that ends at 1."""
    part = np.clip((gains - 1) / np.float32(_FULL_GAIN - 1), 0, 1)
    room = np.maximum(np.float32(1e-6), part * np.float32(_KNEE_DROP))
    size = np.abs(pcm)
    bent = 1 - room + room * np.tanh((size - (1 - room)) / room)
    out: Pcm = np.copysign(np.where(size > 1 - room, bent, size), pcm).astype(np.float32)
    return out


def _gain(db: float) -> float:
    return 0.0 if db <= MUTE_DB else float(10 ** (db / 20))
