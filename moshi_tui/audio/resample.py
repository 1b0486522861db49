"""Sample rates: from the device's to the model's 24 kHz and back, with next to no delay.

A streaming polyphase filter of our own, because libsoxr works in blocks: it holds back up to 20 ms
(quality LQ) or 40 ms (MQ, HQ, VHQ) of live sound in each direction, its variable-rate mode 5 and
10 ms; this one 1.7 ms (2.5 at 16 kHz).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from moshi_tui.audio.ring import Pcm

_CROSSINGS = 40
"""Zero crossings of the sinc on each side, counted at the lower of the two rates."""
_BETA = 8.5
"""Shape of the Kaiser window: about 85 dB of rejection."""
_TRANSITION = 0.135
"""Width of the filter's slope as a part of half the lower rate; it ends at half that rate."""
_SLICE = 4096
"""Outputs computed at a time: bounds the memory when whole files come in one call."""


class Resampler:
    """Converts one mono stream from `rate_in` to `rate_out`; any block sizes.

    Output sample k stands for the moment k / rate_out of the input, whatever the blocks were.
    The passband reaches 86 % of half the lower rate (10.4 kHz at 24 kHz). Equal rates: `process`
    hands its argument back. Not thread-safe; one object per stream.
    """

    def __init__(self, rate_in: int, rate_out: int) -> None:
        if rate_in < 1 or rate_out < 1:
            raise ValueError(f"cannot resample from {rate_in} to {rate_out} Hz")
        common = math.gcd(rate_in, rate_out)
        self.rate_in = rate_in
        self.rate_out = rate_out
        self._up, self._down = rate_out // common, rate_in // common
        self._half = math.ceil(_CROSSINGS * max(1.0, rate_in / rate_out))
        self._identity = rate_in == rate_out
        if not self._identity:
            self._taps = _filter_bank(self._up, self._down, self._half)
        self.reset()

    @property
    def delay_s(self) -> float:
        """Seconds that a sample spends in here: half the filter's length."""
        return 0.0 if self._identity else self._half / self.rate_in

    def reset(self) -> None:
        """Forget all sound, also what is still in here: the next sample is the first."""
        self._fed = 0
        self._made = 0
        self._history = np.zeros(self._half - 1, np.float32)
        self._next = 0  # position of the next output in self._history, in 1 / up samples

    def process(self, pcm: Pcm) -> Pcm:
        """Feed `pcm` [n] float32; returns [m] float32: what can be said for certain by now."""
        if self._identity:
            return pcm
        self._fed += len(pcm)
        return self._convert(pcm)

    def flush(self) -> Pcm:
        """The rest [m] float32, after which ceil(fed * rate_out / rate_in) samples are out.

        Afterwards only `reset` makes sense.
        """
        if self._identity:
            return np.zeros(0, np.float32)
        total = -(-self._fed * self._up // self._down)
        rest = total - self._made
        return self._convert(np.zeros(self._half, np.float32))[:rest]

    def _convert(self, pcm: Pcm) -> Pcm:
        history = np.concatenate((self._history, pcm))
        width = 2 * self._half
        # Output at position p needs history[p // up : p // up + width].
        room = (len(history) - width + 1) * self._up - self._next
        count = max(0, -(-room // self._down))
        out = np.empty(count, np.float32)
        if count:
            windows = np.lib.stride_tricks.sliding_window_view(history, width)
            for start in range(0, count, _SLICE):
                part = out[start : start + _SLICE]
                self._fill(part, windows, self._next + start * self._down)
        self._next += count * self._down
        used = min(self._next // self._up, len(history))
        self._history = history[used:].copy()
        self._next -= used * self._up
        self._made += count
        return out

    def _fill(self, out: Pcm, windows: Pcm, position: int) -> None:
        at = position + self._down * np.arange(len(out))
        whole, phase = np.divmod(at, self._up)
        np.einsum("ij,ij->i", windows[whole], self._taps[phase], out=out)


def _filter_bank(up: int, down: int, half: int) -> npt.NDArray[np.float32]:
    """One windowed sinc for each of the `up` positions between two inputs, [up, 2 * half]."""
    cutoff = min(1.0, up / down) * (1.0 - _TRANSITION / 2)
    fraction = np.arange(up)[:, None] / up
    distance = np.arange(2 * half)[None, :] - (half - 1) - fraction
    shape = np.sqrt(np.maximum(0.0, 1.0 - (distance / half) ** 2))
    window = np.i0(_BETA * shape) / np.i0(_BETA)
    taps = cutoff * np.sinc(cutoff * distance) * window
    taps /= taps.sum(axis=1, keepdims=True)
    return np.asarray(taps, np.float32)
