"""STOI, the short-time objective intelligibility measure (Taal, Hendriks, Heusdens, Jensen 2011).

Written from the paper. 1 is undegraded speech; unrelated sounds come out near 0.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

RATE = 10_000
FRAME = 256
HOP = 128
FFT = 512
BANDS = 15
LOWEST = 150.0
"""Hz: centre of the lowest third-octave band."""
SEGMENT = 30
"""Frames that are compared at once (384 ms)."""
CLIP_DB = -15.0
"""Lower bound of the signal-to-distortion ratio."""
RANGE_DB = 40.0
"""Frames that are softer than the loudest by more than this are left out."""

Array = np.ndarray


def resample(sound: Array, size: int) -> Array:
    """[n] -> [size] over the same time, by cutting or filling up the spectrum."""
    spectrum = np.fft.rfft(sound)
    return np.fft.irfft(spectrum[: size // 2 + 1], size) * (size / len(sound))


def stoi(clean: Array, degraded: Array, rate: int) -> float:
    """Of two sounds [n] at `rate` Hz that are aligned in time."""
    if clean.shape != degraded.shape:
        raise ValueError(f"{clean.shape} and {degraded.shape} are not of one length")
    size = len(clean) * RATE // rate
    x, y = _without_silence(resample(clean, size), resample(degraded, size))
    x, y = _bands(x), _bands(y)
    if x.shape[1] < SEGMENT:
        raise ValueError("less than 384 ms of speech")
    x, y = (sliding_window_view(part, SEGMENT, axis=1) for part in (x, y))
    scale = np.linalg.norm(x, axis=-1, keepdims=True)
    scale = scale / (np.linalg.norm(y, axis=-1, keepdims=True) + _TINY)
    y = np.minimum(y * scale, x * (1 + 10 ** (-CLIP_DB / 20)))
    return float(np.mean(np.sum(_centred(x) * _centred(y), axis=-1)))


_TINY = np.finfo(float).eps


def _window() -> Array:
    return np.hanning(FRAME + 2)[1:-1]


def _frames(sound: Array) -> Array:
    return sliding_window_view(sound, FRAME)[::HOP] * _window()


def _without_silence(clean: Array, degraded: Array) -> tuple[Array, Array]:
    """Both, without the frames in which `clean` is soft; the rest overlapped and added again."""
    x, y = _frames(clean), _frames(degraded)
    level = 20 * np.log10(np.linalg.norm(x, axis=1) + _TINY)
    loud = level > level.max() - RANGE_DB
    return _overlap_add(x[loud]), _overlap_add(y[loud])


def _overlap_add(frames: Array) -> Array:
    out = np.zeros((len(frames) - 1) * HOP + FRAME)
    for i, frame in enumerate(frames):
        out[i * HOP : i * HOP + FRAME] += frame
    return out


def _bands(sound: Array) -> Array:
    """Amplitudes in third octaves, [BANDS, frames]."""
    power = np.abs(np.fft.rfft(_frames(sound), FFT)) ** 2
    frequencies = np.arange(FFT // 2 + 1) * RATE / FFT
    centres = LOWEST * 2.0 ** (np.arange(BANDS) / 3)

    def nearest(edges: Array) -> Array:
        return np.argmin(np.abs(frequencies[:, None] - edges), axis=0)

    lows, highs = nearest(centres * 2 ** (-1 / 6)), nearest(centres * 2 ** (1 / 6))
    parts = (power[:, a:b].sum(1) for a, b in zip(lows, highs, strict=True))
    return np.sqrt(np.array(list(parts)))


def _centred(x: Array) -> Array:
    x = x - x.mean(-1, keepdims=True)
    return x / (np.linalg.norm(x, axis=-1, keepdims=True) + _TINY)
