"""Mimi's transformers: causal, attending to the newest `CONTEXT` positions, without an end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moshi_tui.codec.layers import Rows, product
from moshi_tui.codec.layout import CONTEXT, MimiShape, Tensors

_EPSILON = 1e-5
_PERIOD = 10_000.0
_NEVER = -(1 << 62)

Turns = npt.NDArray[np.complex64]


class Transformer:
    """Layers of pre-norm attention and feed-forward over [T, dim]; without layers, the identity.

    Keys and values live in a ring of `CONTEXT - 1 + most` slots, enough for each of `most` new
    positions to find its own context in it; nothing grows with time. Like PyTorch's Mimi a position
    attends to 250 positions, itself included; rustymimi attends to one more.

    Args:
        side: "encoder_transformer" or "decoder_transformer".
        most: positions of one step at most.
    """

    def __init__(self, tensors: Tensors, shape: MimiShape, side: str, most: int) -> None:
        size = shape.dim // shape.heads
        # in float64: as float32 the angle of a late position is off by its rounding
        self._turns = _PERIOD ** (-np.arange(0, size, 2, dtype=np.float64) / size)
        self._slots = CONTEXT - 1 + most
        names = [f"{side}.transformer.layers.{i}" for i in range(shape.layers)]
        self._layers = [
            _TransformerLayer(tensors, name, shape.heads, self._slots) for name in names
        ]
        self.reset()

    def reset(self) -> None:
        """Forget the stream and the ring."""
        self._position = 0
        self._held = np.full(self._slots, _NEVER, np.int64)
        for layer in self._layers:
            layer.reset()

    def step(self, x: Rows) -> Rows:
        """`x` [T, dim], T up to `most` -> [T, dim]."""
        if not self._layers:
            return x
        positions = np.arange(self._position, self._position + len(x))
        self._position += len(x)
        slots = positions % self._slots
        self._held[slots] = positions
        ago = positions[:, None] - self._held
        mask = np.where((ago >= 0) & (ago < CONTEXT), np.float32(0), np.float32(-np.inf))
        angles = positions[:, None] * self._turns
        turns = np.exp(1j * angles).astype(np.complex64)
        for layer in self._layers:
            x = layer.step(x, turns, slots, mask)
        return x


class _TransformerLayer:
    def __init__(self, tensors: Tensors, name: str, heads: int, slots: int) -> None:
        def weight(part: str) -> Rows:
            return np.ascontiguousarray(tensors[f"{name}.{part}"].T)

        self._in = weight("self_attn.in_proj_weight")
        dim = self._in.shape[0]
        self._heads, self._size, self._slots = heads, dim // heads, slots
        self._in[:, :dim] *= np.float32(self._size**-0.5)  # queries: the scale of the scores
        self._attention_out = (
            weight("self_attn.out_proj.weight") * tensors[f"{name}.layer_scale_1.scale"]
        )
        self._up = weight("linear1.weight")
        self._down = weight("linear2.weight") * tensors[f"{name}.layer_scale_2.scale"]
        self._norms = [
            (tensors[f"{name}.norm{n}.weight"], tensors[f"{name}.norm{n}.bias"]) for n in (1, 2)
        ]
        self.reset()

    def reset(self) -> None:
        self._cache: npt.NDArray[np.float32] | None = None  # [keys and values, heads, slots, size]

    def step(self, x: Rows, turns: Turns, slots: npt.NDArray[np.int64], mask: Rows) -> Rows:
        y = x + product(
            self._attend(_norm(x, *self._norms[0]), turns, slots, mask), self._attention_out
        )
        hidden = gelu(product(_norm(y, *self._norms[1]), self._up))
        y += product(hidden, self._down)
        return y

    def _attend(self, x: Rows, turns: Turns, slots: npt.NDArray[np.int64], mask: Rows) -> Rows:
        if self._cache is None:
            self._cache = np.zeros((2, self._heads, self._slots, self._size), np.float32)
        mixed = product(x, self._in).reshape(len(x), 3, self._heads, self._size)
        # RoPE turns neighbouring pairs: as complex numbers that is one product.
        mixed.view(np.complex64)[:, :2] *= turns[:, None, None]
        queries, new = mixed[:, 0].transpose(1, 0, 2), mixed[:, 1:].transpose(1, 2, 0, 3)
        self._cache[:, :, slots] = new
        keys, values = self._cache
        scores = queries @ keys.transpose(0, 2, 1)
        scores += mask
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        return np.ascontiguousarray((scores @ values).transpose(1, 0, 2)).reshape(x.shape)


def _norm(x: Rows, weight: Rows, bias: Rows) -> Rows:
    share = np.float32(1 / x.shape[1])
    y: Rows = x - x.sum(axis=1, keepdims=True) * share
    y /= np.sqrt((y * y).sum(axis=1, keepdims=True) * share + np.float32(_EPSILON))
    y *= weight
    y += bias
    return y


def gelu(x: Rows) -> Rows:
    """x * Phi(x), the exact GELU, to the last digits of float32.

    NumPy has no erf: Abramowitz and Stegun, formula 7.1.26, is within 1.5e-7 of it.
    """
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1.0 / (1.0 + np.float32(0.3275911) * z)
    tail = np.full_like(t, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail *= t
        tail += np.float32(factor)
    tail *= t
    tail *= np.exp(-z * z)  # 1 - erf(|x| / sqrt 2)
    return np.where(x < 0, x * tail, x * (2.0 - tail)) * np.float32(0.5)
