"""Two tracks on one clock: blocks of sound, placed by the moment at which they were at the air.

The moments are measured and jitter, and the clocks of sound cards drift against the session's. So
a block that begins about where the one before it ended follows it without a seam, and is made
longer or shorter by a few samples if the track runs late or early; only what is off by more than
`TOLERANCE` is a gap or an overlap. A block that begins with silence can be put where it belongs
without anybody hearing it. Pure: positions are samples of 24 kHz since the beginning.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from moshi_tui.frames import SAMPLE_RATE

Pcm = npt.NDArray[np.float32]

TOLERANCE = SAMPLE_RATE // 100
"""10 ms: under PulseAudio time stamps wander by 4 ms, within seconds."""
LATE = 5 * SAMPLE_RATE
"""The user's sound may come so late: a microphone's ring holds 4 s while everything stands still.
Moshi's is always placed before it is heard."""
MARGIN = SAMPLE_RATE // 10
"""Between what Moshi says now and the news of it."""
FADE = SAMPLE_RATE // 200
"""5 ms, at both ends of a gap, as in `audio.playout`."""

_SMOOTHING = 4
"""Blocks over which the jitter is averaged."""
_DEADBAND = SAMPLE_RATE // 1000
"""1 ms off is not worth a correction."""
_BEND = 100
"""A block is stretched by 1/100 at most: 17 cents, for the fraction of a second that it takes."""
_SILENT = 0.001
"""-60 dBFS."""
PIECE = 10 * SAMPLE_RATE
"""More than this is not mixed at once: after a standstill of hours it would fill the memory."""

_RISE = np.arange(FADE, dtype=np.float32) / np.float32(FADE)
_FALL = 1 - _RISE


class Track:
    """One side. Not thread-safe."""

    def __init__(self) -> None:
        self.end = 0
        """Where the newest block ends."""
        self._blocks: deque[tuple[int, Pcm]] = deque()  # by start, never overlapping
        self._drift = 0.0  # by how much later than placed the newest blocks were, smoothed
        self._flowing = False  # the next block may follow without a seam

    def place(self, at: float, pcm: Pcm) -> None:
        """Put `pcm` [n] float32 where its first sample belongs.

        Where it overlaps with what was placed before by more than the tolerance (a device that has
        been changed), it takes its place: later news are better. What is no number is silent.
        """
        if not len(pcm):
            return
        if not np.isfinite(pcm).all():
            pcm = np.nan_to_num(pcm, nan=0.0, posinf=0.0, neginf=0.0)
        error = at - self.end
        silent = float(np.abs(pcm[:FADE]).max()) < _SILENT
        if self._flowing and abs(error) <= (_DEADBAND if silent else TOLERANCE):
            start = self.end
            pcm = self._follow(error, pcm)
        else:
            start = round(at)
            self.cut(start)
            pcm = self._risen(start, pcm)
            self._drift = 0.0
        self._flowing = True
        self._blocks.append((start, pcm))
        self.end = start + len(pcm)

    def cut(self, at: float) -> None:
        """Forget all that was placed from `at` on: it will not be heard."""
        end = round(at)
        while self._blocks and self._blocks[-1][0] + len(self._blocks[-1][1]) > end:
            start, pcm = self._blocks.pop()
            if start < end:
                self._blocks.append((start, pcm[: end - start]))
        self.end = min(self.end, end)
        self._flowing = False

    def read(self, start: int, stop: int) -> Pcm:
        """The track from `start` to `stop` [stop - start]; silence where there is nothing."""
        out = np.zeros(max(0, stop - start), np.float32)
        for at, pcm in self._blocks:
            # No step down to the silence that follows; if a block does, it comes on top of this.
            _paste(out, at + len(pcm) - start, _FALL * pcm[-1])
            _paste(out, at - start, pcm)
        return out

    def forget(self, before: int) -> None:
        """Nobody will read what lies before this any more."""
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) + FADE <= before:
            self._blocks.popleft()

    def _risen(self, start: int, pcm: Pcm) -> Pcm:
        """A copy of `pcm` that fades in, while what was before `start` fades out."""
        pcm = pcm.copy()
        pcm[:FADE] *= _RISE[: len(pcm)]
        if self._blocks:
            at, before = self._blocks[-1]
            gap = start - at - len(before)
            falling = _FALL[gap : gap + len(pcm)] * before[-1]
            pcm[: len(falling)] += falling
        return pcm

    def _follow(self, error: float, pcm: Pcm) -> Pcm:
        """`pcm`, a little longer or shorter if the track has drifted."""
        self._drift += (error - self._drift) / _SMOOTHING
        if abs(self._drift) < _DEADBAND:
            return pcm
        most = len(pcm) // _BEND
        change = max(-most, min(most, round(self._drift)))
        self._drift -= change
        return _stretched(pcm, change) if change else pcm


class Timeline:
    """Both sides, and how much of them will not change any more. Not thread-safe."""

    def __init__(self) -> None:
        self.user = Track()
        self.moshi = Track()
        self.settled = 0
        """What lies before this has its final form."""

    def mix(self, until: int) -> npt.NDArray[np.int16]:
        """From `settled` to `until` as it looks now: [n, 2], the user left and Moshi right."""
        both = np.stack(
            (self.user.read(self.settled, until), self.moshi.read(self.settled, until)), axis=1
        )
        pcm: npt.NDArray[np.int16] = np.rint(np.clip(both, -1.0, 1.0) * 32767.0).astype(np.int16)
        return pcm

    def stop(self, now: int) -> int:
        """Up to where to mix next, if all is to be mixed up to `now`."""
        return min(now, self.settled + PIECE)

    def settle(self, now: int, stop: int) -> None:
        """All news up to `now` have come, and all up to `stop` is on disk: what is old enough will
        not change any more."""
        old = min(now - MARGIN, max(self.user.end, now - LATE))
        self.settled = max(self.settled, min(stop, old))
        self.user.forget(self.settled)
        self.moshi.forget(self.settled)


def _paste(out: Pcm, at: int, pcm: Pcm) -> None:
    """Copy what of `pcm` falls into `out`, if it begins at `at` there."""
    first, last = max(0, at), min(len(out), at + len(pcm))
    if first < last:
        out[first:last] = pcm[first - at : last - at]


def _stretched(pcm: Pcm, change: int) -> Pcm:
    there = np.linspace(0, len(pcm) - 1, len(pcm) + change)
    return np.interp(there, np.arange(len(pcm)), pcm).astype(np.float32)
