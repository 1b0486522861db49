"""The transformer block that both halves of Moshi are made of.

Parameter names are those of Kyutai's published MLX files. Shapes: a step is [1, 1, dim].
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import cast

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx.nn.layers.normalization import RMSNorm
from mlx.utils import tree_flatten

from moshi_tui.model.cache import KVRing
from moshi_tui.model.device import is_metal


def named_parameters(module: Module) -> dict[str, mx.array]:
    """All parameters of `module` by their dotted names."""
    return dict(cast("list[tuple[str, mx.array]]", tree_flatten(module.parameters())))


class Weight(Module):
    """A matrix [rows, columns] that may be stored quantised, as MLX does it.

    Quantised: `weight` packs the codes of a row into uint32, `scales` and `biases` hold one pair
    for each group of columns. The loader fills them in; until then `weight` is an unevaluated zero.
    """

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.weight = mx.zeros((rows, columns))
        self._shape = (rows, columns)
        self._bits = 0
        self._group = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, whatever the storage."""
        return self._shape

    @property
    def bits(self) -> int:
        """Bits a number, 0 if it is not quantised."""
        return self._bits

    @property
    def group(self) -> int:
        """Columns that share a scale and a bias, 0 if it is not quantised."""
        return self._group

    def set_quantised(self, codes: mx.array, scales: mx.array, biases: mx.array) -> None:
        """Take quantised storage; bits and group size follow from the shapes."""
        self.weight, self.scales, self.biases = codes, scales, biases
        self._bits = codes.shape[1] * 32 // self._shape[1]
        self._group = self._shape[1] // scales.shape[1]


class Linear(Weight):
    """x -> x W^T, without bias. Source of the name: published checkpoints."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(outputs, inputs)

    def __call__(self, x: mx.array) -> mx.array:
        """`x` [..., inputs] -> [..., outputs]."""
        if not self._bits:
            return x @ self.weight.T
        return mx.quantized_matmul(
            x,
            self.weight,
            scales=self.scales,
            biases=self.biases,
            transpose=True,
            group_size=self._group,
            bits=self._bits,
        )


class Embedding(Weight):
    """A table of vectors; with a `rank`, looked up small and projected up by `low_rank`."""

    def __init__(self, tokens: int, dim: int, rank: int | None = None) -> None:
        super().__init__(tokens, rank or dim)
        if rank is not None:
            self.low_rank = Linear(rank, dim)

    def __call__(self, token: mx.array) -> mx.array:
        """`token` [] or [n] int -> [n, dim]."""
        token = token.reshape(-1)
        x = self.weight[token]
        if self._bits:
            x = mx.dequantize(
                x,
                scales=self.scales[token],
                biases=self.biases[token],
                group_size=self._group,
                bits=self._bits,
            )
        return self.low_rank(x) if "low_rank" in self else x


class Attention(Module):
    """Multi-head self attention of one step over what its cache holds.

    Args:
        rope_period: base of the rotary positions (interleaved pairs), None for no positions.
    """

    def __init__(self, dim: int, heads: int, rope_period: float | None) -> None:
        super().__init__()
        self.in_proj = Linear(dim, 3 * dim)
        self.out_proj = Linear(dim, dim)
        self._heads = heads
        self._head_dim = dim // heads
        self._scale = self._head_dim**-0.5
        self._rope_period = rope_period

    def __call__(self, x: mx.array, cache: KVRing, positions: mx.array | None = None) -> mx.array:
        """`x` [1, 1, dim] -> the same shape; appends itself to `cache`.

        Args:
            positions: `positions_of(cache.offset)` if there is a `rope_period`.
        """
        qkv = self.in_proj(x).reshape(3, self._heads, 1, self._head_dim)
        if positions is not None:
            # The values too, at position 0, which leaves them as they are to the last bit: so that
            # they lie beside the keys and one write stores both.
            qkv = mx.fast.rope(
                qkv,
                self._head_dim,
                traditional=True,
                base=self._rope_period,
                scale=1.0,
                offset=positions,
            )
        keys, values = cache.append(qkv[1:])
        out = mx.fast.scaled_dot_product_attention(qkv[:1], keys, values, scale=self._scale)
        return self.out_proj(out.reshape(1, 1, -1))


def _gate(a: mx.array, b: mx.array) -> mx.array:
    return a * mx.sigmoid(a) * b


class _Gate(threading.local):
    """silu(a) * b, on Metal as one kernel. Not `nn.silu`: that one is compiled everywhere, which
    starts a C++ compiler on the CPU and takes seconds on CUDA. What is compiled belongs to a
    thread, as all of MLX's state does."""

    def __init__(self) -> None:
        self.function: Callable[[mx.array, mx.array], mx.array] = (
            mx.compile(_gate, shapeless=True) if is_metal() else _gate
        )


_gates = _Gate()


class Gating(Module):
    """Feed-forward layer gated by SiLU: W_out (silu(a) * b) with a, b = W_in x."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.linear_in = Linear(dim, 2 * hidden)
        self.linear_out = Linear(hidden, dim)

    def __call__(self, x: mx.array) -> mx.array:
        """`x` [1, 1, dim] -> the same shape."""
        gate, value = mx.split(self.linear_in(x), 2, axis=-1)
        return self.linear_out(_gates.function(gate, value))


class Layer(Module):
    """Attention and gating, each behind an RMS norm and added to the stream."""

    def __init__(
        self, dim: int, heads: int, hidden: int, eps: float, rope_period: float | None
    ) -> None:
        super().__init__()
        self.norm1 = RMSNorm(dim, eps=eps)
        self.norm2 = RMSNorm(dim, eps=eps)
        self.self_attn = Attention(dim, heads, rope_period)
        self.gating = Gating(dim, hidden)

    def __call__(self, x: mx.array, cache: KVRing, positions: mx.array | None = None) -> mx.array:
        """`x` [1, 1, dim] -> the same shape; `positions` as for `Attention`."""
        x = x + self.self_attn(self.norm1(x), cache, positions)
        return x + self.gating(self.norm2(x))


class Transformer(Module):
    """A stack of layers; one cache for each."""

    def __init__(
        self,
        layers: int,
        dim: int,
        heads: int,
        hidden: int,
        eps: float,
        rope_period: float | None = None,
    ) -> None:
        super().__init__()
        self.layers = [Layer(dim, heads, hidden, eps, rope_period) for _ in range(layers)]
        self._has_positions = rope_period is not None

    def __call__(self, x: mx.array, caches: Sequence[KVRing]) -> mx.array:
        """`x` [1, 1, dim] -> the same shape."""
        positions = positions_of(caches[0].offset) if self._has_positions else None
        for layer, cache in zip(self.layers, caches, strict=True):
            x = layer(x, cache, positions)
        return x


def positions_of(step: int) -> mx.array:
    """What RoPE turns query, key and value of a step by: [3] int32. A value has no position."""
    return mx.array([step, step, 0], dtype=mx.int32)
