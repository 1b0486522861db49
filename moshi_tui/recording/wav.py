"""A 16-bit WAV file that is valid at every moment, also if the process is killed.

python-soundfile can't bring a header up to date while it writes, so this is ours. Room for RF64's
sizes (EBU Tech 3306) stands in the header from the start, as a JUNK chunk that every reader skips:
a file that grows beyond 4 GB becomes RF64 in place.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

HEADER_BYTES = 80
_LARGEST = 0xFFFFFFFF


class WavFile:
    """A new file of int16 PCM. Every method but `rescue` raises OSError.

    Args:
        path: must not exist.
        rate: samples a second.
        channels: samples in a sample frame.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self.frames = 0
        """Length so far."""
        self._rate = rate
        self._channels = channels
        self._file = path.open("xb", buffering=0)
        self._state()

    @property
    def gone(self) -> bool:
        """Somebody has deleted the file (POSIX; elsewhere an open file can't be deleted)."""
        return os.fstat(self._file.fileno()).st_nlink == 0

    def write(self, at: int, pcm: npt.NDArray[np.int16]) -> None:
        """Write `pcm` [n, channels] from sample frame `at` on, then a header that counts it."""
        if not len(pcm):
            return
        self._put(HEADER_BYTES + at * self._width, pcm.astype("<i2").tobytes())
        if at + len(pcm) > self.frames:
            self.frames = at + len(pcm)
            self._state()

    def trim(self, frames: int) -> None:
        """Let the file end there, if it is longer."""
        if frames < self.frames:
            self.frames = frames
            self._state()
            self._file.truncate(HEADER_BYTES + frames * self._width)

    def rescue(self) -> None:
        """After an error: make valid what is there."""
        with suppress(OSError):
            size = os.fstat(self._file.fileno()).st_size
            self.frames = max(0, size - HEADER_BYTES) // self._width
            self._state()
            self._file.truncate(HEADER_BYTES + self.frames * self._width)

    def close(self) -> None:
        """May be called twice."""
        self._file.close()

    @property
    def _width(self) -> int:
        return 2 * self._channels

    def _state(self) -> None:
        """Write a header that tells the length."""
        self._put(0, wav_header(self.frames, self._rate, self._channels))

    def _put(self, at: int, data: bytes) -> None:
        self._file.seek(at)
        rest = memoryview(data)
        while rest:  # a disk that is nearly full takes a part
            rest = rest[self._file.write(rest) :]


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
