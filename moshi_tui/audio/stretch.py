"""Shorter or longer sound: stretches left out or played twice, and speech at another speed.

Everything here is made of splices: playing goes over from one place of a sound to another, and for
a moment both are heard, one fading out and the other in. 24 kHz mono float32. Not for the PortAudio
thread: it allocates.
"""

from __future__ import annotations

import math

import numpy as np

from moshi_tui.audio.ring import Pcm

EDGE = 120
"""Samples at each end of a frame that `TimeScale` leaves alone: 5 ms."""
OVERLAP = 160
"""Samples that a crossfade of `TimeScale` takes: 6.7 ms."""
SHORTEST, LONGEST = 60, 360
"""Samples that one splice takes out or puts in: 2.5 to 15 ms, a period of a voice or a few."""
MOST_CREDIT = 960.0
"""Samples that may wait for a better place, 40 ms: over 5 s the speed is right within 1 %."""

_COARSE = 4
"""Places and lags are first looked for at 6 kHz, which holds what makes a voice periodic."""
_STRIDE = 8
"""Samples between the places that are looked at."""
_FLOOR = 1e-5
"""A power that counts as still (-50 dBFS): any place and any lag will do there."""
_STEEPNESS = 0.5
"""How much a steep place counts as flawed, however periodic: a mismatch there sounds as a click."""
_PRICE = 0.02
"""What a splice costs apart from its flaws: a few long ones are better than many short ones."""
_PATIENCE = 0.05
"""The flaws that are put up with while the credit is small; more of them as it grows."""
_MUCH_CREDIT = 0.9 * MOST_CREDIT
_STARVING = 3
"""Frames with so much credit and no place to use it, after which steep places will do: a long tone
has no others."""
_NEVER = np.float32(np.inf)

_BINS_AN_OCTAVE = 16
_STEP_BINS = 20 * _BINS_AN_OCTAVE
_ENOUGH_STEPS = 48_000
"""2 s: a percentile of less is not to be trusted."""


def cut(pcm: Pcm, start: int, count: int, overlap: int) -> Pcm:
    """`pcm` [n] without `count` samples: [n - count].

    What comes before `start` and what comes from `start + count + overlap` on stay as they are.
    Between them, in `result[start : start + overlap]`, the `overlap` samples at `start` fade out
    and the `overlap` samples at `start + count` fade in; 120 of them (5 ms) do for a pause.

    Raises:
        ValueError: one of the numbers is negative, or `start + count + overlap` above n.
    """
    _check(pcm, start, count, overlap)
    return _splice(pcm, start, start + count, overlap)


def repeat(pcm: Pcm, start: int, count: int, overlap: int) -> Pcm:
    """`pcm` [n] with `pcm[start : start + count]` played twice: [n + count].

    What comes before `start + count` and what comes from `start + overlap` on stay as they are.
    Between them, in `result[start + count : start + count + overlap]`, the `overlap` samples at
    `start + count` fade out and the `overlap` samples at `start` fade in.

    `count` can be anything that the sound holds together with `overlap`; to add more than that,
    repeat again.

    Raises:
        ValueError: one of the numbers is negative, or `start + count + overlap` above n.
    """
    _check(pcm, start, count, overlap)
    return _splice(pcm, start + count, start, overlap)


class Steps:
    """How steep a sound is: a histogram of the differences between its neighbouring samples, of all
    that was heard so far."""

    def __init__(self) -> None:
        self.limit = math.inf
        """No splice belongs where the sound is steeper than this: nearly its 99.9th percentile,
        so that no splice stands out. Infinite while too little is known."""
        self._counts = np.zeros(_STEP_BINS, np.int64)

    def add(self, pcm: Pcm) -> None:
        """Take `pcm` [n] in."""
        steps = np.abs(np.diff(pcm))
        bins = _STEP_BINS + _BINS_AN_OCTAVE * np.log2(np.clip(steps, 1e-6, 1.0))
        self._counts += np.bincount(
            np.clip(bins, 0, _STEP_BINS - 1).astype(np.int64), minlength=_STEP_BINS
        )
        total = np.cumsum(self._counts)
        if total[-1] >= _ENOUGH_STEPS:
            last = int(np.searchsorted(total, 0.999 * total[-1]))
            # The lower edge of its bin, and some room for what the crossfade itself adds.
            self.limit = 0.95 * 2 ** ((last - _STEP_BINS) / _BINS_AN_OCTAVE)


class TimeScale:
    """Changes how long speech lasts, frame by frame, without changing its pitch.

    As WSOLA does it: where the sound is most like itself a moment later, that moment (a period of
    the voice, or a few) is left out or played twice. Since it cannot be any length and not every
    place is good, a frame comes out somewhat too long or too short; `credit` carries the difference
    over, and is all that one frame knows of the one before. The first and the last 5 ms of a frame
    stay as they are, so that frames join as they did before. Nothing is held back: no delay.

    Made for frames of 80 ms and speeds of 0.75 to 1.1. Not thread-safe; one object per stream.
    """

    def __init__(self) -> None:
        self.credit = 0.0
        """Samples still to be put in, or if below zero taken out; within `MOST_CREDIT`."""
        self.splices: list[tuple[int, int]] = []
        """The crossfades in the last result, in order: first sample and length."""
        self._steps = Steps()
        self._starved = 0

    def reset(self) -> None:
        """Begin anew: no credit, no splices. How steep the sound is stays known."""
        self.credit = 0.0
        self.splices = []

    def skip(self, pcm: Pcm) -> None:
        """`pcm` [n] is played by other means: no credit any more, no splices."""
        self.reset()
        self._steps.add(pcm)

    def process(self, pcm: Pcm, speed: float) -> Pcm:
        """Play `pcm` [n] float32 at `speed` (above 1 is faster): [m] float32, m about n / speed.

        Where there is nothing to splice it hands its argument back; so it always does at speed 1,
        which forgets the credit as well. Frames of less than 460 samples only count.

        Raises:
            ValueError: `speed` is not above zero.
        """
        if not speed > 0:
            raise ValueError(f"cannot play at speed {speed}")
        self.splices = []
        self._steps.add(pcm)
        if speed == 1:
            self.credit = 0.0
            return pcm
        self.credit += len(pcm) / speed - len(pcm)
        # What an earlier frame did too much of is made up for by doing less, not by undoing it.
        slower = speed < 1
        out, grown = pcm, 0
        debt = self.credit if slower else -self.credit
        limit = self._steps.limit
        places = _places(pcm, debt, limit if self._starved < _STARVING else math.inf)
        if debt >= _MUCH_CREDIT and not places:
            self._starved += 1
        for start, lag in places:
            at = start + grown
            if slower:
                out = repeat(out, at, lag, OVERLAP)
                at += lag
                grown += lag
            else:
                out = cut(out, at, lag, OVERLAP)
                grown -= lag
            self.splices.append((at, OVERLAP))
            if np.abs(np.diff(out[at : at + OVERLAP])).max() <= limit:
                self._starved = 0
        self.credit = max(-MOST_CREDIT, min(MOST_CREDIT, self.credit - grown))
        return out


def _places(pcm: Pcm, debt: float, steepest: float) -> list[tuple[int, int]]:
    """Where to splice to make up for `debt` samples: (start, lag), in order; nowhere where the
    sound is steeper than `steepest`.

    A splice takes `pcm[start : start + lag + OVERLAP]` for itself; the ends are left alone.
    """
    if 2 * debt < SHORTEST or len(pcm) < EDGE + SHORTEST + OVERLAP + EDGE:
        return []
    flaws = _flaws(pcm, steepest)
    lags = SHORTEST + _COARSE * np.arange(flaws.shape[0], dtype=np.int32)[:, None]
    starts = EDGE + _STRIDE * np.arange(flaws.shape[1], dtype=np.int32)
    ends = starts + lags + _COARSE - 1 + OVERLAP  # with the longest exact lag
    worth = 1 / lags.astype(np.float32)
    places: list[tuple[int, int]] = []
    # A lag of more than twice the debt would leave a larger debt than there is.
    while rows := np.count_nonzero(lags <= 2 * debt):
        limit = _PATIENCE * MOST_CREDIT / (MOST_CREDIT - debt) if debt < MOST_CREDIT else math.inf
        flaw = flaws[:rows]
        cost = np.where(flaw <= limit, (flaw + np.float32(_PRICE)) * worth[:rows], _NEVER)
        row, column = divmod(int(cost.argmin()), cost.shape[1])
        if not cost[row, column] < _NEVER:
            break
        start = int(starts[column])
        lag = _exact_lag(pcm, start, int(lags[row, 0]))
        places.append((start, lag))
        debt -= lag
        flaws[(starts < start + lag + OVERLAP) & (ends > start)] = _NEVER
    return sorted(places)


def _flaws(pcm: Pcm, steepest: float) -> Pcm:
    """How bad a splice would be at every place with every lag: [lags, starts].

    0 is perfect; 1 is to join two sounds that have nothing in common and are as loud as the frame.
    Where the splice would not fit in, or be too steep, it is infinite. Measuring against the frame
    as well as against the place itself makes soft places better ones.
    """
    count = (len(pcm) - 2 * EDGE) // _COARSE
    inner = pcm[EDGE : EDGE + count * _COARSE + 1]
    blocks = inner[:-1].reshape(count, _COARSE)
    low = blocks.mean(axis=1)
    power = np.einsum("ij,ij->i", blocks, blocks) / np.float32(_COARSE)
    steps = np.abs(np.diff(inner)).reshape(count, _COARSE).max(axis=1)

    width = OVERLAP // _COARSE
    unlike = _means(np.square(_later(low, 0.0) - low), width)
    loudness = _means(power, width)
    # What 6 kHz cannot show is taken to be unlike itself.
    rough = _means(power - low * low, width)
    steep = _windows(steps, width).max(axis=1)
    rough += np.float32(_STEEPNESS) * np.square(steep)
    # The exact lag may be a few samples off, into the next block.
    rough[_windows(np.pad(steep, 1), 3).max(axis=1) > steepest] = _NEVER

    every = slice(None, None, _STRIDE // _COARSE)
    scale = (loudness + _later(loudness, 0.0))[:, every]
    scale = scale / 2 + (power.mean() + np.float32(_FLOOR))
    unlike = unlike[:, every] + (rough + _later(rough, math.inf))[:, every]
    return np.asarray(unlike / scale, np.float32)


def _exact_lag(pcm: Pcm, start: int, lag: int) -> int:
    """The lag around `lag`, found at 6 kHz, with which the sound at `start` is most like itself."""
    first, last = max(SHORTEST, lag - _COARSE + 1), min(LONGEST, lag + _COARSE - 1)
    # The place ends at the frame's edge at the latest.
    last = min(last, len(pcm) - EDGE - OVERLAP - start)
    later = _windows(pcm[start + first : start + last + OVERLAP], OVERLAP)
    apart = later - pcm[start : start + OVERLAP]
    return first + int(np.einsum("ij,ij->i", apart, apart).argmin())


def _windows(values: Pcm, width: int) -> Pcm:
    """All windows of `width` values: a view [n - width + 1, width]."""
    return np.lib.stride_tricks.sliding_window_view(values, width)


def _means(values: Pcm, width: int) -> Pcm:
    """The mean of every `width` neighbours along the last axis: [..., n - width + 1]."""
    total = np.cumsum(values, axis=-1)
    total[..., width:] -= total[..., :-width].copy()
    return total[..., width - 1 :] / np.float32(width)


def _later(values: Pcm, beyond: float) -> Pcm:
    """`values` [n] of blocks as seen from every block, one lag after the other: a view [lags, n].

    Past the end it is `beyond`.
    """
    ahead = np.concatenate((values, np.full(LONGEST // _COARSE, beyond, np.float32)))
    return _windows(ahead, len(values))[SHORTEST // _COARSE :]


def _check(pcm: Pcm, start: int, count: int, overlap: int) -> None:
    if min(start, count, overlap) < 0 or start + count + overlap > len(pcm):
        raise ValueError(
            f"no splice at {start} by {count} with an overlap of {overlap} in {len(pcm)} samples"
        )


def _splice(pcm: Pcm, leave: int, enter: int, overlap: int) -> Pcm:
    """`pcm` up to `leave`, a crossfade of `overlap` samples, and `pcm` after that from `enter`."""
    faded = _crossfade(pcm[leave : leave + overlap], pcm[enter : enter + overlap])
    return np.concatenate((pcm[:leave], faded, pcm[enter + overlap :]))


def _crossfade(old: Pcm, new: Pcm) -> Pcm:
    """`old` [n] going over to `new` [n].

    Two sounds of equal power and correlation r, at weights w and 1 - w, have the power
    w^2 + (1 - w)^2 + 2 r w (1 - w). Dividing by its root keeps the loudness, so the law is linear
    for the same sound twice (r = 1) and one of equal power for noise (r = 0). The result stays
    within the larger of the two peaks: what did not clip does not clip now.
    """
    if not len(old):
        return old
    rise = np.arange(1, len(old) + 1, dtype=np.float32) / np.float32(len(old) + 1)
    fall = 1 - rise
    both = math.sqrt(float(old @ old) * float(new @ new))
    alike = max(0.0, float(old @ new) / both) if both > 0 else 1.0
    gain = 1 / np.sqrt(rise * rise + fall * fall + np.float32(2 * alike) * rise * fall)
    peak = max(np.abs(old).max(), np.abs(new).max())
    faded: Pcm = np.clip((old * fall + new * rise) * gain, -peak, peak)
    return faded
