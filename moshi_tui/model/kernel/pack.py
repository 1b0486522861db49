"""The weights as the kernel reads them: each kind of matrix, of all layers, in one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
from mlx.nn.layers.normalization import RMSNorm

from moshi_tui.model.layers import Layer, Weight
from moshi_tui.model.lm import Lm
from moshi_tui.model.stacks import moved

TYPES = {mx.float32: "F32", mx.float16: "F16", mx.bfloat16: "BF16"}
"""The types of numbers that the kernel reads, by its names for them."""


@dataclass(frozen=True)
class Format:
    """How a matrix is stored."""

    columns: int
    bits: int
    """0: not quantised."""
    group: int
    dtype: mx.Dtype
    """Of the numbers, or of the scales and biases."""

    @property
    def chunk(self) -> int:
        """Columns in 16 bytes, the piece that a thread reads at once."""
        return 128 // self.bits if self.bits else 16 // self.dtype.size

    @property
    def fits(self) -> bool:
        """Whether the kernel can read it."""
        known = self.dtype in TYPES and self.columns % max(4, self.chunk) == 0
        return known and (not self.bits or (self.bits in (4, 8) and self.group % self.chunk == 0))

    @property
    def cuda(self) -> str:
        """The type in products.cuh."""
        return f"Matrix<{self.bits}, {self.group}, {TYPES[self.dtype]}>"


def kinds(model: Lm) -> dict[str, list[Weight]]:
    """All matrices by the kernel's names, in its order: layer by layer, slice by slice."""
    slices = model.depformer.slices
    return {
        "text_emb": [model.text_emb],
        "audio_emb": list(model.audio_embs),
        **_layers("", model.transformer.layers),
        "text_linear": [model.text_linear],
        "depth_linear_in": [part.linear_in for part in slices],
        "depth_text_emb": [slices[0].emb],
        # A model with one codebook has none of these: any matrix will do, it is never read.
        "depth_audio_emb": [part.emb for part in slices[1:]] or [slices[0].emb],
        **_layers("depth_", [layer for part in slices for layer in part.transformer.layers]),
        "depth_linear_out": [part.linear_out for part in slices],
    }


def _layers(prefix: str, layers: Sequence[Layer]) -> dict[str, list[Weight]]:
    return {
        f"{prefix}in_proj": [layer.self_attn.in_proj for layer in layers],
        f"{prefix}out_proj": [layer.self_attn.out_proj for layer in layers],
        f"{prefix}gate_in": [layer.gating.linear_in for layer in layers],
        f"{prefix}gate_out": [layer.gating.linear_out for layer in layers],
    }


def _norms(model: Lm) -> dict[str, list[RMSNorm]]:
    layers = model.transformer.layers
    depth = [layer for part in model.depformer.slices for layer in part.transformer.layers]
    return {
        "norm1": [layer.norm1 for layer in layers],
        "norm2": [layer.norm2 for layer in layers],
        "out_norm": [model.out_norm],
        "depth_norm1": [layer.norm1 for layer in depth],
        "depth_norm2": [layer.norm2 for layer in depth],
    }


def format_of(matrix: Weight) -> Format:
    """How `matrix` is stored."""
    numbers = matrix.scales if matrix.bits else matrix.weight
    return Format(matrix.shape[1], matrix.bits, matrix.group, numbers.dtype)


def formats(model: Lm) -> dict[str, Format] | str:
    """The format of each kind, or why the kernel can't read this model."""
    found = {}
    for name, matrices in kinds(model).items():
        if any("low_rank" in matrix for matrix in matrices):
            return "it has embeddings of low rank"
        each = {format_of(matrix) for matrix in matrices}
        if len(each) > 1:
            return f"{name} is stored in {len(each)} ways"
        (found[name],) = each
        if not found[name].fits:
            return f"{name} is stored as {found[name]}"
    return found


def stacked(model: Lm) -> dict[str, mx.array]:
    """All weights as the kernel's inputs, by name: `<kind>`, `<kind>_scales`, `<kind>_biases` and
    the norms in float32.

    The model's own parameters become views of them, one kind after another and the largest first,
    so that nothing is held twice for long.
    """
    inputs = {}
    for name, matrices in sorted(kinds(model).items(), key=_size):
        for key in ("weight", "scales", "biases") if matrices[0].bits else ("weight",):
            inputs[name if key == "weight" else f"{name}_{key}"] = moved(matrices, key)
            mx.clear_cache()
    for name, norms in _norms(model).items():
        inputs[name] = mx.stack([norm.weight for norm in norms]).astype(mx.float32)
    mx.eval(inputs)
    return inputs


def _size(kind: tuple[str, list[Weight]]) -> int:
    return -sum(matrix.weight.nbytes for matrix in kind[1])
