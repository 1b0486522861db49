"""The split residual vector quantiser: a semantic codebook, and acoustic ones in a row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moshi_tui.codec.base import Codes
from moshi_tui.codec.layers import Rows, product
from moshi_tui.codec.layout import Tensors

_LEAST_USAGE = np.float32(1e-5)


class Codebook:
    """Vectors [size, dim]: the published file stores sums, and how much was summed in each."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        usage = np.maximum(tensors[f"{name}.cluster_usage"], _LEAST_USAGE)
        self.vectors: Rows = np.ascontiguousarray(tensors[f"{name}.embedding_sum"] / usage[:, None])
        self._across = np.ascontiguousarray(self.vectors.T)
        self._half_squares: Rows = np.sum(self.vectors**2, axis=1) / np.float32(2)

    def nearest(self, x: Rows) -> npt.NDArray[np.intp]:
        """The codes [T] of the vectors nearest to the rows of `x` [T, dim]."""
        # |x - v|^2 / 2, less |x|^2 / 2 which is the same for all
        distances = self._half_squares - product(x, self._across)
        codes: npt.NDArray[np.intp] = np.argmin(distances, axis=1)
        return codes


class ResidualQuantizer:
    """Codebooks in a row, each for what the ones before left over, between two 1x1 convolutions."""

    def __init__(self, tensors: Tensors, name: str, count: int) -> None:
        self._in = np.ascontiguousarray(tensors[f"{name}.input_proj.weight"][:, :, 0].T)
        self._out = np.ascontiguousarray(tensors[f"{name}.output_proj.weight"][:, :, 0].T)
        self._books = [Codebook(tensors, f"{name}.vq.layers.{i}._codebook") for i in range(count)]

    def encode(self, x: Rows, out: Codes) -> None:
        """The codes of `x` [T, dim] into `out` [count, T]."""
        rest = product(x, self._in)
        for book, codes in zip(self._books, out, strict=True):
            found = book.nearest(rest)
            codes[:] = found
            rest -= book.vectors[found]

    def decode(self, codes: Codes) -> Rows:
        """`codes` [count, T] -> [T, dim]."""
        total = self._books[0].vectors[codes[0]]
        for book, row in zip(self._books[1:], codes[1:], strict=True):
            total += book.vectors[row]
        return product(total, self._out)


class SplitQuantizer:
    """Codebook 0 by itself, 1 to `n_q` - 1 in a row: both see the same input. No state."""

    def __init__(self, tensors: Tensors, n_q: int) -> None:
        self._n_q = n_q
        self._first = ResidualQuantizer(tensors, "quantizer.rvq_first", 1)
        self._rest = ResidualQuantizer(tensors, "quantizer.rvq_rest", n_q - 1) if n_q > 1 else None

    def encode(self, x: Rows) -> Codes:
        """`x` [T, dim] -> codes [n_q, T]."""
        codes = np.empty((self._n_q, len(x)), np.uint32)
        self._first.encode(x, codes[:1])
        if self._rest is not None:
            self._rest.encode(x, codes[1:])
        return codes

    def decode(self, codes: Codes) -> Rows:
        """`codes` [n_q, T] -> [T, dim]."""
        x = self._first.decode(codes[:1])
        if self._rest is not None:
            x += self._rest.decode(codes[1:])
        return x
