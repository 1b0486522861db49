"""What the session wants of a codec."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint32]


class Codec(Protocol):
    """A streaming neural audio codec at 24 kHz and 12.5 frames a second.

    An instance is either an encoder or a decoder of one stream, and belongs to one thread at a
    time: make two, one for each direction. A ValueError leaves the stream as it was.
    """

    @property
    def name(self) -> str:
        """What runs it, in a word for the person: "rustymimi" or "pocket"."""
        ...

    @property
    def n_q(self) -> int:
        """Codebooks in use."""
        ...

    @property
    def cardinality(self) -> int:
        """Codes of one codebook: every code is below it."""
        ...

    def encode(self, pcm: Pcm) -> Codes:
        """The next `pcm` [T * 1920] float32 -> codes [n_q, T] uint32; T above 0.

        Samples beyond -1..1 are clipped, NaN is silence. ValueError on another shape.
        """
        ...

    def decode(self, codes: Codes) -> Pcm:
        """The next `codes` [n_q, T] -> sound [T * 1920] float32, not clipped; T above 0.

        ValueError on another shape or on a code that is not below `cardinality`.
        """
        ...

    def reset(self) -> None:
        """Forget the stream: what follows is encoded or decoded as if it were the first."""
        ...
