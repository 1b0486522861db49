"""Speech at another speed and the same pitch, 0.5 to 4 times, as a stream.

WSOLA (Verhelst and Roelands, 1993): the sound is put together anew from overlapping segments of
itself. Each begins near where the speed says it should; of the places around, the one is taken
where the sound goes on most like the segment before it would have.

24 kHz mono float32. `audio/stretch.py` does this for a live talk, at speeds near 1 and without any
delay; here there is time to look ahead.
"""

from __future__ import annotations

import math

import numpy as np

from moshi_tui.audio.ring import Pcm

SLOWEST, FASTEST = 0.5, 4.0

HOP = 360
"""Samples between the segments of the result, 15 ms; each lasts twice that, and overlaps with the
one before and the one after it."""
REACH = 240
"""Samples around the due place that a segment may begin at, 10 ms: a period of a deep voice fits in
on both sides together."""

_COARSE = 4
"""Places are first looked for at 6 kHz, which holds what makes a voice periodic."""
_FLOOR = 1e-3
"""Added to an energy: what is softer than this has no shape worth matching."""

_RISE = (0.5 - 0.5 * np.cos(np.pi * (np.arange(HOP) + 0.5) / HOP)).astype(np.float32)
_FALL = 1 - _RISE


def limited(speed: float) -> float:
    """The nearest speed that there is."""
    return min(FASTEST, max(SLOWEST, speed))


class Tempo:
    """Plays one stream faster or slower. Not thread-safe.

    Args:
        speed: above 1 is faster. At exactly 1 the sound passes through as it is.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._sound = np.zeros(0, np.float32)  # what may still be needed,
        self._gone = 0  # and how many samples were before it
        self._made = 0
        self._segments = 0  # begun so far
        self._start = 0  # where the newest begins

    def process(self, pcm: Pcm) -> Pcm:
        """Take in `pcm` [n]; returns what can be played by now, [m]. Up to 85 ms are held back."""
        if self.speed == 1:
            return pcm
        self._sound = np.concatenate((self._sound, pcm))
        return self._take()

    def finish(self) -> Pcm:
        """The stream is over: the rest of it. All that came out is as long as all that went in,
        divided by the speed."""
        fed = self._gone + len(self._sound)
        missing = round(fed / self.speed) - self._made
        self._sound = np.concatenate((self._sound, np.zeros(2 * self._needed, np.float32)))
        return self._take()[: max(0, missing)]

    def _take(self) -> Pcm:
        """The hops for which there is enough sound."""
        hops = []
        while self._due + self._needed <= self._gone + len(self._sound):
            hops.append(self._hop())
        keep = max(0, min(self._start + HOP, self._due - REACH) - self._gone)
        self._sound, self._gone = self._sound[keep:], self._gone + keep
        made: Pcm = np.concatenate(hops) if hops else self._sound[:0]
        self._made += len(made)
        return made

    @property
    def _due(self) -> int:
        """Where the next segment should begin."""
        return round(self._segments * HOP * self.speed)

    @property
    def _needed(self) -> int:
        """So much sound from there on, so that it fits in and nothing is played too early."""
        return REACH + math.ceil(HOP * max(2.0, self.speed))

    def _hop(self) -> Pcm:
        """The second half of the newest segment, going over to the first half of the next."""
        at = self._start + HOP - self._gone
        ending = self._sound[at : at + HOP]
        if not self._segments:
            self._start, ending = 0, self._sound[:HOP]
        else:
            first = max(0, self._due - REACH - self._gone)
            around = self._sound[first : self._due + REACH + HOP - self._gone]
            self._start = self._gone + first + _alike(around, ending)
        self._segments += 1
        beginning = self._sound[self._start - self._gone :][:HOP]
        return ending * _FALL + beginning * _RISE


def _alike(sound: Pcm, wanted: Pcm) -> int:
    """Where in `sound` [n] the stretch is that is most like `wanted` [m]: 0 to n - m."""
    coarse = _COARSE * _best(_lower(sound), _lower(wanted))
    first = max(0, coarse - _COARSE + 1)
    return first + _best(sound[first : coarse + _COARSE + len(wanted) - 1], wanted)


def _best(sound: Pcm, wanted: Pcm) -> int:
    """The lag with the highest correlation, each stretch measured against its own energy."""
    likeness = np.correlate(sound, wanted, "valid")
    total = np.cumsum(np.square(sound), dtype=np.float64)
    energy = total[len(wanted) - 1 :].copy()
    energy[1:] -= total[: -len(wanted)]
    return int((likeness / np.sqrt(energy + _FLOOR)).argmax())


def _lower(sound: Pcm) -> Pcm:
    """At a quarter of the rate."""
    whole = len(sound) - len(sound) % _COARSE
    low: Pcm = sound[:whole].reshape(-1, _COARSE).mean(axis=1)
    return low
