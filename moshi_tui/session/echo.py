"""Does the microphone hear Moshi? Decided from loudness alone, without any sound.

What is played and what is heard are put on one time line of 20 ms. While Moshi speaks, the ups and
downs of its syllables are looked for in what the microphone hears up to half a second later: an
echo has them too, with one delay; a person who talks at the same time, or noise, has others. Slow
changes (who talks when) are taken out first: taking turns would look like a relation, too.

Measured on speech in simulated rooms, the correlation is above 0.8 for an echo that is louder than
the room's noise, and above 0.4 in one of a hundred looks where there is none.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

BLOCK_SECONDS = 0.01
"""What one level stands for."""
_SLOT_BLOCKS = 2
WINDOW_SECONDS = 10.0
LONGEST_DELAY_SECONDS = 0.5
EVERY_SECONDS = 0.8
"""How often it is looked at."""

ALIKE = 0.55
"""A correlation from here on is an echo, if it is found twice with the same delay..."""
UNLIKE = 0.3
"""...and below this it is none any more."""
_SAME_DELAY_SLOTS = 2

LOUD_DB = 25.0
"""Moshi speaks where it is at most so much softer than its loudest..."""
_FAINT_DB = -60.0
"""...and louder than this, in dBFS."""
SPOKEN_SECONDS = 2.0
"""It must have spoken for so long within the window."""
_AROUND_SLOTS = 7
"""The pauses between syllables belong to the speech."""
_DEPTH_DB = 30.0
"""Of Moshi's ups and downs, so much counts below its loudest."""
_NOISE_DB = 3.0
"""So much above the room's noise, the microphone's begin to count."""
_SLOW_SLOTS = 31
"""What changes more slowly than this is taken out: a mean over 0.6 s."""
_NOTHING = 1e-12
"""Power of digital silence: a number that has a logarithm."""

_WINDOW = round(WINDOW_SECONDS / BLOCK_SECONDS)
_SLOTS = _WINDOW // _SLOT_BLOCKS
_DELAYS = round(LONGEST_DELAY_SECONDS / BLOCK_SECONDS / _SLOT_BLOCKS)


class EchoDetector:
    """Told what is played on one thread, asked on another (which may be the same).

    Times are seconds by any clock, the same for both.
    """

    def __init__(self) -> None:
        self._news: deque[tuple[list[float], float]] = deque(maxlen=64)
        self._played = _Track()
        self._heard = _Track()
        self._next_look = 0
        self._delay: int | None = None
        self._echo_db: float | None = None

    def played(self, levels: list[float], at: float) -> None:
        """So loud (dBFS, RMS of 10 ms each) is what is at the speaker's air from `at` on."""
        self._news.append((levels, at))

    def heard(self, levels: list[float], until: float) -> float | None:
        """So loud is what was at the microphone's air until `until`.

        Returns how loud Moshi is in it, in dB relative to what was played; None: not to be heard,
        or nothing is known yet.
        """
        while self._news:
            self._played.add(*self._news.popleft())
        self._heard.add(levels, until - len(levels) * BLOCK_SECONDS)
        if self._heard.end >= self._next_look:
            self._next_look = self._heard.end + round(EVERY_SECONDS / BLOCK_SECONDS)
            self._look()
        return self._echo_db

    def _look(self) -> None:
        end = self._heard.end
        start = max(self._heard.begin, end - _WINDOW)
        found = likeness(self._played.slots(start, end), self._heard.slots(start, end))
        if found is None:
            return
        alike, delay, echo_db = found
        if alike < UNLIKE:
            self._echo_db = self._delay = None
        elif alike >= ALIKE:
            if self._delay is not None and abs(delay - self._delay) <= _SAME_DELAY_SLOTS:
                self._echo_db = echo_db
            self._delay = delay


class _Track:
    """The powers of the last 20 seconds, by time."""

    def __init__(self) -> None:
        self._power = np.zeros(2 * _WINDOW)
        self.begin = self.end = 0

    def add(self, levels: list[float], at: float) -> None:
        """Note levels from `at` on; what was not noted before that is nothing."""
        start = round(at / BLOCK_SECONDS)
        if not self.end or start - self.end > _WINDOW:
            self.begin = self.end = start
            self._power[:] = 0.0
        if abs(start - self.end) <= 1:
            start = self.end  # a matter of rounding
        for block in range(self.end, start):
            self._power[block % len(self._power)] = 0.0
        for block, level in enumerate(levels, start):
            self._power[block % len(self._power)] = 10 ** (level / 10)
        self.end = start + len(levels)

    def slots(self, start: int, end: int) -> Numbers:
        """Mean power of each slot from block `start` to before `end`, [n]; 0: nothing noted."""
        count = (end - start) // _SLOT_BLOCKS * _SLOT_BLOCKS
        blocks = np.arange(end - count, end)
        power = self._power[blocks % len(self._power)]
        power[(blocks >= self.end) | (blocks < self.begin)] = 0.0
        return np.asarray(power.reshape(-1, _SLOT_BLOCKS).mean(axis=1))


def likeness(played: Numbers, heard: Numbers) -> tuple[float, int, float] | None:
    """How much the one is like the other, with which delay, and how much louder.

    Args:
        played, heard: power of each slot of 20 ms of the same time, [n]; 0: not known.

    Returns correlation at the best delay, that delay in slots, and the echo's loudness in dB above
    what was played; None if too little was said.
    """
    if len(heard) < _DELAYS + round(SPOKEN_SECONDS / BLOCK_SECONDS / _SLOT_BLOCKS):
        return None
    said = 10 * np.log10(np.maximum(played, _NOTHING))
    top = float(np.percentile(said, 95))
    speaks = said > max(top - LOUD_DB, _FAINT_DB)
    if np.count_nonzero(speaks) * _SLOT_BLOCKS * BLOCK_SECONDS < SPOKEN_SECONDS:
        return None
    got = 10 * np.log10(np.maximum(heard, _NOTHING))
    noise = float(np.percentile(got, 15))
    ours = _quick(np.maximum(said, top - _DEPTH_DB))
    theirs = _quick(np.maximum(got, noise + _NOISE_DB))
    around = np.convolve(speaks, np.ones(2 * _AROUND_SLOTS + 1), "same") > 0
    alike = _correlations(ours, theirs, around.astype(np.float64))
    delay = int(alike.argmax())
    loud = said[: len(said) - delay] > top - 10
    if not loud.any():
        return None
    louder = float(np.median((got[delay:] - said[: len(said) - delay])[loud]))
    return float(alike[delay]), delay, louder


def _quick(levels: Numbers) -> Numbers:
    """What is left of `levels` [n] without their slow changes, [n]."""
    half = _SLOW_SLOTS // 2
    total = np.cumsum(np.pad(levels, (half + 1, half), mode="edge"))
    return np.asarray(levels - (total[_SLOW_SLOTS:] - total[:-_SLOW_SLOTS]) / _SLOW_SLOTS)


def _correlations(ours: Numbers, theirs: Numbers, weight: Numbers) -> Numbers:
    """Weighted correlation of `theirs` with `ours` delayed by 0, 1, 2 … slots, [_DELAYS].

    The weight goes with `ours`.
    """
    count = len(ours) - _DELAYS + 1
    late = theirs[_DELAYS - 1 :]

    def delayed(values: Numbers) -> Numbers:
        return np.lib.stride_tricks.sliding_window_view(values, count)[::-1]

    weights, weighted, squares = delayed(weight), delayed(weight * ours), weight * ours * ours
    total = np.maximum(weights.sum(axis=1), 1.0)
    our_mean, their_mean = weighted.sum(axis=1) / total, weights @ late / total
    both = weighted @ late / total - our_mean * their_mean
    our_power = delayed(squares).sum(axis=1) / total - our_mean**2
    their_power = weights @ (late * late) / total - their_mean**2
    scale = np.sqrt(np.maximum(our_power * their_power, 0.0))
    return np.where(scale > math.ulp(1.0), both / np.maximum(scale, math.ulp(1.0)), 0.0)
