"""What the session wants of a codec."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint32]


class Codec(Protocol):
    """A streaming neural audio codec at 24 kHz and 12.5 frames a second.

    An instance is either an encoder or a decoder of one stream, and belongs to one thread at a time:
    make two, one for each direction.
    """

    @property
    def n_q(self) -> int:
        """Codebooks in use."""
        ...

    @property
    def cardinality(self) -> int:
        """Codes of one codebook: every code is below it."""
        ...

    def encode(self, pcm: Pcm) -> Codes:
        """The next `pcm` [T * 1920] float32 in -1..1 (others are clipped, NaN is silence) -> codes [n_q, T]."""
        ...

    def decode(self, codes: Codes) -> Pcm:
        """The next `codes` [n_q, T] -> sound [T * 1920] float32. ValueError on a code out of range."""
        ...

    def reset(self) -> None:
        """Forget the stream: what follows is encoded or decoded as if it were the first."""
        ...
