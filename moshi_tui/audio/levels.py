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


def measure(pcm: npt.NDArray[np.float32]) -> Level:
    """The level of `pcm` [n] float32, full scale 1.0. Not for the PortAudio thread: it
    allocates."""
    if pcm.size == 0:
        return SILENCE
    peak = float(np.max(np.abs(pcm)))
    rms = math.sqrt(float(np.mean(np.square(pcm, dtype=np.float64))))
    return Level(_db(rms), _db(peak), peak >= 0.999)


def _db(amplitude: float) -> float:
    return 20.0 * math.log10(amplitude) if amplitude > 0 else -math.inf
