"""Streaming convolutions in NumPy, over rows: sound is [time, channels], contiguous.

In this layout the window of a convolution is one run of memory, so a step is one copy and one
matrix product. What a layer remembers is the last rows of its input (or the overhanging part of its
output); its buffers grow to the largest step seen, which `pocket.BLOCK` bounds, and no further.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

Rows = npt.NDArray[np.float32]

_FEW = 4


class Layer(Protocol):
    """One step of a stream. What `step` returns may be overwritten by the next step."""

    def step(self, x: Rows) -> Rows:
        """The next rows [T, C] -> [T', C'] float32."""
        ...

    def reset(self) -> None:
        """Forget the stream."""
        ...


def product(x: Rows, weight: Rows, out: Rows | None = None) -> Rows:
    """`x` [T, n] @ `weight` [n, m] -> [T, m].

    A few rows go one by one: OpenBLAS packs the whole weight for a matrix of any height, which for
    two rows takes 2 to 3 times as long as two matrix-vector products.
    """
    if len(x) > _FEW:
        return np.matmul(x, weight, out=out)
    if out is None:
        out = np.empty((len(x), weight.shape[1]), np.float32)
    for row, result in zip(x, out, strict=True):
        np.matmul(row, weight, out=result)
    return out


def elu(x: Rows, out: Rows) -> Rows:
    """ELU of `x` into `out` (not the same array). `max` is exact: e^x - 1 >= x everywhere."""
    np.minimum(x, 0.0, out=out)
    np.exp(out, out=out)
    np.subtract(out, 1.0, out=out)
    return np.maximum(x, out, out=out)


class Conv:
    """A causal convolution: output t sees the input up to t * stride + stride - 1.

    Args:
        weight: [outputs, inputs, kernel].
        bias: [outputs] or none.
        stride: steps take a multiple of it.
        activate: apply ELU to the input first.
        replicate: before the stream there was its first row over and over (Mimi's down-sampling),
            not silence.
    """

    def __init__(
        self,
        weight: Rows,
        bias: Rows | None,
        *,
        stride: int = 1,
        activate: bool = False,
        replicate: bool = False,
    ) -> None:
        outputs, inputs, kernel = weight.shape
        self._weight = np.ascontiguousarray(
            weight.transpose(2, 1, 0).reshape(kernel * inputs, outputs)
        )
        self._bias = bias
        self._stride = stride
        self._activate = activate
        self._replicate = replicate
        self._inputs = inputs
        self._past = kernel - stride
        self.reset()

    def reset(self) -> None:
        """Forget the stream and the buffers."""
        self._first = True
        self._rows = np.zeros((self._past, self._inputs), np.float32)
        self._windows = np.empty((0, self._weight.shape[0]), np.float32)
        self._out = np.empty((0, self._weight.shape[1]), np.float32)

    def step(self, x: Rows) -> Rows:
        """`x` [T * stride, inputs] -> [T, outputs]."""
        count = len(x) // self._stride
        if count > len(self._out):
            self._grow(len(x))
        rows = self._rows[: self._past + len(x)]
        if self._activate:
            elu(x, out=rows[self._past :])
        else:
            rows[self._past :] = x
        if self._first and self._replicate:
            rows[: self._past] = rows[self._past]
        self._first = False
        out = product(self._unfold(rows, count), self._weight, out=self._out[:count])
        if self._bias is not None:
            out += self._bias
        rows[: self._past] = rows[len(x) :]
        return out

    def _grow(self, length: int) -> None:
        count = length // self._stride
        rows = np.empty((self._past + length, self._inputs), np.float32)
        rows[: self._past] = self._rows[: self._past]
        self._rows = rows
        self._windows = np.empty((count, self._weight.shape[0]), np.float32)
        self._out = np.empty((count, self._weight.shape[1]), np.float32)

    def _unfold(self, rows: Rows, count: int) -> Rows:
        """The windows [count, kernel * inputs] of `rows`."""
        if len(rows) == count:  # kernel 1
            return rows
        size = rows.itemsize
        shape = (count, self._weight.shape[0])
        view = as_strided(rows, shape, (self._stride * self._inputs * size, size), writeable=False)
        np.copyto(self._windows[:count], view)
        return self._windows[:count]


class ConvTranspose:
    """A transposed convolution with a kernel of twice its stride, after ELU.

    Input t adds to the outputs t * stride .. t * stride + 2 * stride - 1; the later half overhangs
    into the next input's, so a step gives what is final and keeps the last overhang.

    Args:
        weight: [inputs, outputs, 2 * stride].
        bias: [outputs].
    """

    def __init__(self, weight: Rows, bias: Rows) -> None:
        inputs, self._outputs, kernel = weight.shape
        self._stride = kernel // 2
        flat = weight.transpose(0, 2, 1).reshape(inputs, kernel * self._outputs)
        self._weight = np.ascontiguousarray(flat)
        self._bias = np.tile(bias, self._stride)
        self.reset()

    def reset(self) -> None:
        """Forget the stream and the buffers."""
        self._overhang = np.zeros(self._bias.size, np.float32)
        self._active = np.empty((0, self._weight.shape[0]), np.float32)
        self._both = np.empty((0, self._weight.shape[1]), np.float32)
        self._out = np.empty((0, self._bias.size), np.float32)

    def step(self, x: Rows) -> Rows:
        """`x` [T, inputs] -> [T * stride, outputs]."""
        count = len(x)
        if count > len(self._out):
            self._active = np.empty((count, self._weight.shape[0]), np.float32)
            self._both = np.empty((count, self._weight.shape[1]), np.float32)
            self._out = np.empty((count, self._bias.size), np.float32)
        both = product(elu(x, out=self._active[:count]), self._weight, out=self._both[:count])
        now, later = both[:, : self._bias.size], both[:, self._bias.size :]
        out = self._out[:count]
        np.add(now, self._bias, out=out)
        out[0] += self._overhang
        out[1:] += later[:-1]
        self._overhang[:] = later[-1]
        return out.reshape(count * self._stride, self._outputs)


class Upsample:
    """The transposed convolution of each channel by itself, from 12.5 to 25 Hz; no bias.

    Args:
        weight: [channels, 1, 2 * stride].
    """

    def __init__(self, weight: Rows) -> None:
        channels, _, kernel = weight.shape
        halves = weight[:, 0].T.reshape(2, kernel // 2, channels)
        self._now, self._later = np.ascontiguousarray(halves)
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._last = np.zeros((1, self._now.shape[1]), np.float32)

    def step(self, x: Rows) -> Rows:
        """`x` [T, channels] -> [T * stride, channels]."""
        before = np.concatenate((self._last, x[:-1]))
        self._last = x[-1:].copy()
        out: Rows = x[:, None] * self._now + before[:, None] * self._later
        return out.reshape(-1, x.shape[1])
