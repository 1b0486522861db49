"""STOI, the short-time objective intelligibility measure (Taal et al. 2011), in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import resample_poly

RATE = 10_000
_WINDOW, _HOP, _FFT = 256, 128, 512
_BANDS, _LOWEST = 15, 150.0
_SEGMENT = 30
_RANGE_DB = 40.0
_CLIP = 1 + 10 ** (15 / 20)
_TINY = np.finfo(np.float64).eps


def stoi(clean: np.ndarray, heard: np.ndarray, rate: int) -> float:
    """Of `heard` [N] against `clean` [N], at `rate` Hz: about 0 to 1; NaN without speech."""
    x, y = (_at_10k(sound, rate) for sound in (clean, heard))
    x, y = _without_silence(x, y)
    if len(x) < _WINDOW + _HOP * _SEGMENT:
        return float("nan")
    x, y = _segments(x), _segments(y)
    scale = np.linalg.norm(x, axis=-1, keepdims=True)
    scale /= np.linalg.norm(y, axis=-1, keepdims=True) + _TINY
    y = np.minimum(y * scale, x * _CLIP)
    x, y = _normalised(x), _normalised(y)
    return float((x * y).sum(-1).mean())


def _at_10k(sound: np.ndarray, rate: int) -> np.ndarray:
    divisor = np.gcd(RATE, rate)
    return resample_poly(sound.astype(np.float64), RATE // divisor, rate // divisor)


def _window() -> np.ndarray:
    return np.hanning(_WINDOW + 2)[1:-1]


def _frames(sound: np.ndarray) -> np.ndarray:
    """[frames, window], windowed."""
    return sliding_window_view(sound, _WINDOW)[::_HOP] * _window()


def _without_silence(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both without the frames where `x` is 40 dB under its loudest, added up again."""
    rows = _frames(x)
    level = 20 * np.log10(np.linalg.norm(rows, axis=1) + _TINY)
    active = level > level.max() - _RANGE_DB
    return _added(rows[active]), _added(_frames(y)[active])


def _added(rows: np.ndarray) -> np.ndarray:
    out = np.zeros((len(rows) + 1, _HOP))
    out[:-1] += rows[:, :_HOP]
    out[1:] += rows[:, _HOP:]
    return out.ravel()


def _segments(sound: np.ndarray) -> np.ndarray:
    """Envelopes of the bands in each run of 30 frames: [segments, bands, 30]."""
    power = np.abs(np.fft.rfft(_frames(sound), _FFT)) ** 2
    bins = np.linspace(0, RATE / 2, _FFT // 2 + 1)
    centres = _LOWEST * 2 ** (np.arange(_BANDS) / 3)
    low, high = (np.abs(bins - (centres * 2**e)[:, None]).argmin(1) for e in (-1 / 6, 1 / 6))
    bands = [power[:, a:b].sum(1) for a, b in zip(low, high, strict=True)]
    return sliding_window_view(np.sqrt(np.stack(bands)), _SEGMENT, axis=1).transpose(1, 0, 2)


def _normalised(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(-1, keepdims=True)
    return x / (np.linalg.norm(x, axis=-1, keepdims=True) + _TINY)
