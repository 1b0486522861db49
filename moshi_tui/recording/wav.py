"""A 16-bit WAV file that grows.

python-soundfile can't bring a header up to date while it writes, so this is ours. Room for RF64's
sizes (EBU Tech 3306) stands in the header from the start, as a JUNK chunk that every reader skips:
a file that grows beyond 4 GB becomes RF64 in place.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moshi_tui.recording.growing import GrowingFile

HEADER_BYTES = 80
_LARGEST = 0xFFFFFFFF


class WavFile(GrowingFile):
    """A new file of int16 PCM. Every method but `rescue` raises OSError.

    Args:
        path: must not exist.
        rate: samples a second.
        channels: samples in a sample frame.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self._rate = rate
        self._channels = channels
        super().__init__(path, HEADER_BYTES, 2 * channels)

    @property
    def frames(self) -> int:
        """Length so far."""
        return self._count

    def write(self, at: int, pcm: npt.NDArray[np.int16]) -> None:
        """Write `pcm` [n, channels] from sample frame `at` on, then a header that counts it."""
        if not len(pcm):
            return
        self._put(at, pcm.astype("<i2").tobytes())
        if at + len(pcm) > self._count:
            self._count = at + len(pcm)
            self._state()

    def trim(self, frames: int) -> None:
        """Let the file end there, if it is longer."""
        self._cut(frames)

    def _header(self, count: int) -> bytes:
        return wav_header(count, self._rate, self._channels)


def wav_header(frames: int, rate: int, channels: int) -> bytes:
    """The header [HEADER_BYTES] of a file with so many sample frames: RIFF, or RF64 above 4 GB."""
    width = 2 * channels
    data = frames * width
    whole = HEADER_BYTES - 8 + data
    large = whole > _LARGEST
    sizes = struct.pack("<QQQI", whole, data, frames, 0) if large else bytes(28)
    return b"".join(
        (
            struct.pack("<4sI4s", b"RF64" if large else b"RIFF", min(whole, _LARGEST), b"WAVE"),
            struct.pack("<4sI", b"ds64" if large else b"JUNK", len(sizes)),
            sizes,
            struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * width, width, 16),
            struct.pack("<4sI", b"data", _LARGEST if large else data),
        )
    )
