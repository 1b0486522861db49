"""The waveform of a recording, as low and high as it gets in each column of a picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moshi_tui.recording.reader import Recording

Peaks = npt.NDArray[np.float32]

_BLOCK_SECONDS = 10
"""Read at once: the sound of hours does not fit into memory."""


def peaks(recording: Recording, seconds: float) -> Peaks:
    """[2, n, 2]: of the user and of Moshi, for each `seconds` of the sound its lowest and highest
    sample. Raises MoshiTuiError."""
    total = recording.samples
    wide = max(1.0, seconds * recording.rate)
    edges = np.rint(np.arange(int(np.ceil(total / wide)) + 1) * wide).astype(np.int64)
    edges = np.minimum(edges, total)
    if len(edges) > 2 and edges[-2] == total:  # of the last column nothing is left by rounding
        edges = edges[:-1]
    columns = len(edges) - 1
    found = np.zeros((2, columns, 2), np.float32)
    step = max(1, int(_BLOCK_SECONDS * recording.rate / wide))
    for first in range(0, columns, step):
        bounds = edges[first : min(first + step, columns) + 1]
        start, stop = int(bounds[0]), int(bounds[-1])
        pcm = np.ascontiguousarray(recording.sound(start, stop - start).T)
        into = found[:, first : first + len(bounds) - 1]
        into[..., 0] = np.minimum.reduceat(pcm, bounds[:-1] - start, axis=1)
        into[..., 1] = np.maximum.reduceat(pcm, bounds[:-1] - start, axis=1)
    return np.nan_to_num(found)
