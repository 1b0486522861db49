"""How loud a moment of sound is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Level:
    """Loudness of a moment, in dBFS: 0 is full scale, -inf is digital silence."""

    rms_db: float = -math.inf
    peak_db: float = -math.inf
    clipped: bool = False
    """A sample stood at full scale."""


SILENCE = Level()
QUIETEST_DB = -120.0
"""What `block_levels` says of digital silence: a number, so that it can be averaged."""


def measure(pcm: npt.NDArray[np.float32]) -> Level:
    """The level of `pcm` [n] float32, full scale 1.0. Not for the PortAudio thread: it
    allocates."""
    if pcm.size == 0:
        return SILENCE
    peak = float(np.max(np.abs(pcm)))
    rms = math.sqrt(float(np.mean(np.square(pcm, dtype=np.float64))))
    return Level(_db(rms), _db(peak), peak >= 0.999)


def block_levels(pcm: npt.NDArray[np.float32], block: int = 240) -> list[float]:
    """RMS of every whole block of `block` samples (10 ms) of `pcm` [n] float32, in dBFS:
    [n // block], never below `QUIETEST_DB`."""
    count = len(pcm) // block
    blocks = pcm[: count * block].reshape(count, block)
    power = np.mean(np.square(blocks, dtype=np.float64), axis=1)
    levels: list[float] = (10.0 * np.log10(np.maximum(power, 10 ** (QUIETEST_DB / 10)))).tolist()
    return levels


def _db(amplitude: float) -> float:
    return 20.0 * math.log10(amplitude) if amplitude > 0 else -math.inf
