"""A model's weights as NumPy arrays, all float32, for the runner that computes in NumPy.

Float32 weights of MLX are looked at where they lie. What is quantised or of half precision is
written out once, matrix by matrix, and kept as long as the model: NumPy has no product for the one
and a slow one for the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import numpy as np
import numpy.typing as npt
from mlx.nn.layers.normalization import RMSNorm

from moshi_tui.model.depformer import Slice
from moshi_tui.model.device import is_cpu
from moshi_tui.model.layers import Embedding, Layer, Weight
from moshi_tui.model.lm import Lm
from moshi_tui.model.per_model import PerModel

Array = npt.NDArray[np.float32]

_ROWS = 64
"""Rows that are written out at a time: few enough to stay in the processor's cache."""


@dataclass(frozen=True)
class HostEmbedding:
    """A table [tokens, rank], and what projects it up [dim, rank] where the rank is low."""

    table: Array
    low_rank: Array | None

    def __call__(self, token: int) -> Array:
        """The vector [dim] of `token`: not to be written to."""
        row: Array = self.table[token]
        return row if self.low_rank is None else self.low_rank @ row


@dataclass(frozen=True)
class HostLayer:
    """One transformer block. Matrices are [outputs, inputs]."""

    norm1: Array
    in_proj: Array
    out_proj: Array
    norm2: Array
    gate_in: Array
    gate_out: Array


@dataclass(frozen=True)
class HostSlice:
    """What one codebook has of its own in the depth transformer."""

    emb: HostEmbedding
    linear_in: Array
    layers: list[HostLayer]
    linear_out: Array


@dataclass(frozen=True)
class HostWeights:
    """All of a model."""

    embs: list[HostEmbedding]
    """For text, then for each audio codebook."""
    layers: list[HostLayer]
    out_norm: Array
    text_linear: Array
    slices: list[HostSlice]
    written: int
    """Bytes that were written out, and so are held besides MLX's."""


def host_weights(model: Lm) -> HostWeights:
    """The weights of `model`; the same object whenever the same model is given."""
    made = _made.get(model)
    if made is not None:
        return made
    weights = HostWeights(
        [_embedding(emb) for emb in (model.text_emb, *model.audio_embs)],
        [_layer(layer) for layer in model.transformer.layers],
        _norm(model.out_norm),
        matrix(model.text_linear),
        [_slice(part) for part in model.depformer.slices],
        bytes_to_write(model),
    )
    return _made.set(model, weights)


def bytes_to_write(model: Lm) -> int:
    """What `host_weights` will take, at most, besides what the model takes."""
    if _made.get(model) is not None:
        return 0
    matrices = (m for _, m in model.named_modules() if isinstance(m, Weight))
    return sum(4 * m.shape[0] * m.shape[1] for m in matrices if not _is_float32(m))


def to_host(array: mx.array) -> Array:
    """`array` as float32: where it lies if it is that already, and on the CPU; else a copy."""
    if is_cpu() and array.dtype == mx.float32:
        return np.array(array, copy=False)  # keeps MLX's buffer alive
    return np.array(array.astype(mx.float32))


def matrix(module: Weight) -> Array:
    """[rows, columns] of `module`, however it is stored."""
    return _dequantised(module) if module.bits else to_host(module.weight)


_made = PerModel[HostWeights]()


def _is_float32(module: Weight) -> bool:
    return is_cpu() and not module.bits and bool(module.weight.dtype == mx.float32)


def _dequantised(module: Weight) -> Array:
    """Codes times scales plus biases: what mx.dequantize says to the last bit, in a quarter of its
    time where no code lies across two bytes."""
    bits, group = module.bits, module.group
    if 8 % bits:
        arrays = module.weight, module.scales, module.biases
        return to_host(mx.dequantize(*arrays, group_size=group, bits=bits)).copy()
    codes = np.array(module.weight, copy=not is_cpu()).view(np.uint8)  # the lowest bits come first
    scales, biases = (to_host(array)[:, :, None] for array in (module.scales, module.biases))
    numbers = np.empty(module.shape, np.float32)
    for top in range(0, len(numbers), _ROWS):
        rows = slice(top, top + _ROWS)
        by_byte = numbers[rows].reshape(*codes[rows].shape, 8 // bits)
        for i in range(8 // bits):
            by_byte[:, :, i] = codes[rows] >> i * bits & 2**bits - 1
        by_group = numbers[rows].reshape(*scales[rows].shape[:2], group)
        by_group *= scales[rows]
        by_group += biases[rows]
    return numbers


def _norm(module: RMSNorm) -> Array:
    return to_host(module.weight)


def _embedding(module: Embedding) -> HostEmbedding:
    low_rank = matrix(module.low_rank) if "low_rank" in module else None
    return HostEmbedding(matrix(module), low_rank)


def _layer(module: Layer) -> HostLayer:
    attention, gating = module.self_attn, module.gating
    return HostLayer(
        _norm(module.norm1),
        matrix(attention.in_proj),
        matrix(attention.out_proj),
        _norm(module.norm2),
        matrix(gating.linear_in),
        matrix(gating.linear_out),
    )


def _slice(module: Slice) -> HostSlice:
    return HostSlice(
        _embedding(module.emb),
        matrix(module.linear_in),
        [_layer(layer) for layer in module.transformer.layers],
        matrix(module.linear_out),
    )
