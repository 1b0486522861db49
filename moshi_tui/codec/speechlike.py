"""Sound that a codec finds as hard as speech, to be timed and tested with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moshi_tui.codec.base import Pcm
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE


def speechlike(frames: int, seed: int) -> Pcm:
    """Sound with the rhythm and spectrum of speech, [frames * 1920] float32, about -20 dBFS.

    Voiced stretches (harmonics of a gliding pitch under moving formants), hisses and pauses.
    """
    rng = np.random.default_rng(seed)
    count = frames * FRAME_SAMPLES
    time = np.arange(count) / SAMPLE_RATE
    knots = np.arange(0.0, time[-1] + 0.4, 0.2)

    def glide(low: float, high: float) -> npt.NDArray[np.float64]:
        return np.interp(time, knots, rng.uniform(low, high, len(knots)))

    pitch = glide(90, 220)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    formants = [glide(300, 900), glide(900, 2300), glide(2300, 3200)]
    voice = np.zeros(count)
    for k in range(1, 30):
        peaks = sum(np.exp(-(((k * pitch - f) / 180) ** 2)) for f in formants)
        voice += np.sin(k * phase) * (0.03 + peaks) / k**0.5
    hiss = np.diff(rng.normal(size=count + 1))
    voiced, hissing = np.clip(glide(-0.6, 1.2), 0, 1), np.clip(glide(-1.5, 0.5), 0, 1)
    sound = voiced * voice + hissing * hiss
    scaled: Pcm = (0.1 * sound / np.sqrt(np.mean(sound**2))).astype(np.float32)
    return scaled.clip(-1, 1)
