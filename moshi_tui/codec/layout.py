"""What a Mimi checkpoint looks like: its sizes, the tensors that follow from them; reading both.

Names and shapes are those of the published `tokenizer-e351c8d8-checkpoint125.safetensors`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES
from moshi_tui.tensorfile import promised_size

Dims = tuple[int, ...]
Tensors = dict[str, npt.NDArray[np.float32]]

CONTEXT = 250
"""Positions that a transformer sees, the newest included (Mimi's config, not in the file)."""

_HEAD_DIM = 64
_READABLE = ("F64", "F32", "F16")
_HINT = (
    "Give the Mimi file of the model's repo (tokenizer-….safetensors) with --mimi-weight; "
    "if it is that one, delete it and download it again."
)
_TRANSFORMERS = ("encoder_transformer", "decoder_transformer")


@dataclass(frozen=True)
class MimiShape:
    """The sizes of a Mimi. The defaults are the published one's (see `STANDARD`)."""

    filters: int = 64
    """Channels at 24 kHz; they double with every stage of the encoder."""
    ratios: tuple[int, ...] = (4, 5, 6, 8)
    """Strides of the encoder's stages, in its order; the decoder's are the reverse."""
    dim: int = 512
    """Channels of the transformers."""
    layers: int = 8
    """Layers of each transformer; may be 0."""
    hidden: int = 2048
    """Width of the transformers' feed-forward part; 0 without layers."""
    codebooks: int = 32
    """Codebooks in the file, the semantic one included: the most that `n_q` can be."""
    codebook_size: int = 2048
    codebook_dim: int = 256
    stride: int = 2
    """Of the convolutions between the transformers and the quantiser."""
    kernel: int = 7
    residual_kernel: int = 3
    last_kernel: int = 3
    compress: int = 2
    """Channels of a residual block over those inside it."""

    @property
    def heads(self) -> int:
        """Attention heads: not in the file. 64 channels a head as published (8 of 512), one head at
        least, fewer where they would not divide `dim` into even sizes."""
        return next(
            (h for h in range(self.dim // _HEAD_DIM, 1, -1) if self.dim % (2 * h) == 0),
            1,
        )

    @property
    def frame_samples(self) -> int:
        """Samples that one set of codes stands for."""
        return math.prod(self.ratios) * self.stride

    def tensors(self) -> dict[str, Dims]:
        """Name and shape of every tensor of a checkpoint of these sizes."""
        return {
            **self._encoder(),
            **self._decoder(),
            **self._transformers(),
            "downsample.conv.conv.conv.weight": (self.dim, self.dim, 2 * self.stride),
            "upsample.convtr.convtr.convtr.weight": (self.dim, 1, 2 * self.stride),
            **self._quantizer(),
        }

    def _encoder(self) -> dict[str, Dims]:
        width, name = self.filters, "encoder.model"
        out = _conv(f"{name}.0.conv.conv", width, 1, self.kernel)
        for i, ratio in enumerate(self.ratios):
            out |= self._residual(f"{name}.{3 * i + 1}", width)
            out |= _conv(f"{name}.{3 * i + 3}.conv.conv", 2 * width, width, 2 * ratio)
            width *= 2
        last = f"{name}.{3 * len(self.ratios) + 2}.conv.conv"
        return out | _conv(last, self.dim, width, self.last_kernel)

    def _decoder(self) -> dict[str, Dims]:
        width, name = self.filters << len(self.ratios), "decoder.model"
        out = _conv(f"{name}.0.conv.conv", width, self.dim, self.kernel)
        for i, ratio in enumerate(reversed(self.ratios)):
            up = f"{name}.{3 * i + 2}.convtr.convtr"
            out |= {f"{up}.weight": (width, width // 2, 2 * ratio), f"{up}.bias": (width // 2,)}
            width //= 2
            out |= self._residual(f"{name}.{3 * i + 3}", width)
        last = f"{name}.{3 * len(self.ratios) + 2}.conv.conv"
        return out | _conv(last, 1, width, self.last_kernel)

    def _residual(self, name: str, width: int) -> dict[str, Dims]:
        inner = width // self.compress
        return _conv(f"{name}.block.1.conv.conv", inner, width, self.residual_kernel) | _conv(
            f"{name}.block.3.conv.conv", width, inner, 1
        )

    def _transformers(self) -> dict[str, Dims]:
        dim, out = self.dim, dict[str, Dims]()
        for side in _TRANSFORMERS:
            for i in range(self.layers):
                name = f"{side}.transformer.layers.{i}"
                out |= {
                    f"{name}.norm{n}.{part}": (dim,) for n in (1, 2) for part in ("weight", "bias")
                }
                out |= {f"{name}.layer_scale_{n}.scale": (dim,) for n in (1, 2)}
                out[f"{name}.self_attn.in_proj_weight"] = (3 * dim, dim)
                out[f"{name}.self_attn.out_proj.weight"] = (dim, dim)
                out[f"{name}.linear1.weight"] = (self.hidden, dim)
                out[f"{name}.linear2.weight"] = (dim, self.hidden)
        return out

    def _quantizer(self) -> dict[str, Dims]:
        out = dict[str, Dims]()
        for part, count in (("rvq_first", 1), ("rvq_rest", self.codebooks - 1)):
            name = f"quantizer.{part}"
            if count:
                out[f"{name}.input_proj.weight"] = (self.codebook_dim, self.dim, 1)
                out[f"{name}.output_proj.weight"] = (self.dim, self.codebook_dim, 1)
            for i in range(count):
                book = f"{name}.vq.layers.{i}._codebook"
                out[f"{book}._initialized"] = (1,)
                out[f"{book}.cluster_usage"] = (self.codebook_size,)
                out[f"{book}.embedding_sum"] = (self.codebook_size, self.codebook_dim)
        return out


STANDARD = MimiShape()
"""The published Mimi: the only sizes that rustymimi takes (and any number of codebooks)."""


def is_standard(shape: MimiShape) -> bool:
    """Whether rustymimi can run it."""
    return replace(shape, codebooks=STANDARD.codebooks) == STANDARD


def read_shape(path: Path) -> MimiShape:
    """The sizes of the Mimi in the safetensors file `path`; reads its header only.

    Raises:
        MoshiTuiError: the file is missing, truncated, not safetensors, or not a Mimi.
    """
    header = _read_header(path)
    found = {name: dims for name, (dims, _) in header.items()}
    shape = _infer(path, found)
    # rustymimi ignores tensors that it does not know; the NumPy codec would be wrong without them.
    _compare(path, found, shape.tensors(), allow_more=is_standard(shape))
    if shape.frame_samples != FRAME_SAMPLES:
        raise MoshiTuiError(
            "Not a codec for Moshi",
            f"{path.name} has frames of {shape.frame_samples} samples, not {FRAME_SAMPLES}",
            _HINT,
        )
    if shape.layers and shape.dim % 2:
        raise _foreign(path, [f"its transformers have {shape.dim} channels, which is odd"])
    return shape


def read_tensors(path: Path, shape: MimiShape) -> Tensors:
    """The tensors of `shape` in `path` as float32.

    Raises:
        MoshiTuiError: a tensor is of a type that NumPy lacks, or holds NaN or infinity.
    """
    header = _read_header(path)
    out: Tensors = {}
    with safe_open(path, framework="numpy") as file:
        for name in shape.tensors():
            if name.endswith("._initialized"):
                continue
            dtype = header[name][1]
            if dtype not in _READABLE:
                raise _foreign(
                    path, [f"{name} is stored as {dtype}, not as one of {', '.join(_READABLE)}"]
                )
            out[name] = file.get_tensor(name).astype(np.float32, copy=False)
            if not np.isfinite(out[name]).all():
                raise _foreign(path, [f"{name} holds values that are not finite"])
    return out


def _conv(name: str, channels: int, inputs: int, kernel: int) -> dict[str, Dims]:
    return {f"{name}.weight": (channels, inputs, kernel), f"{name}.bias": (channels,)}


def _read_header(path: Path) -> dict[str, tuple[Dims, str]]:
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            return {name: (tuple(s.get_shape()), s.get_dtype()) for name, s in slices.items()}
    except SafetensorError as error:
        raise _unreadable(path, error) from error
    except OSError as error:
        raise MoshiTuiError("Cannot read the Mimi checkpoint", f"{path}: {error}", _HINT) from error


def _unreadable(path: Path, error: SafetensorError) -> MoshiTuiError:
    size, promised = path.stat().st_size, promised_size(path)
    if promised is not None and size < promised:
        return MoshiTuiError(
            "Mimi checkpoint is truncated",
            f"{path.name} has {size:,} bytes of at least {promised:,}",
            "Delete it and download it again.",
        )
    return MoshiTuiError("Not a safetensors file", f"{path.name}: {error}", _HINT)


def _infer(path: Path, found: Mapping[str, Dims]) -> MimiShape:
    """The sizes that the file's tensors imply; whether all tensors agree is for `_compare`."""

    def dims(name: str, rank: int) -> Dims:
        got = found.get(name)
        if got is None:
            raise _foreign(path, [f"{name} is missing"], found)
        if len(got) != rank or 0 in got:
            raise _foreign(path, [f"{name} is {list(got)}, not {rank} sizes above 0"], found)
        return got

    filters, _, kernel = dims("encoder.model.0.conv.conv.weight", 3)
    inner, _, residual_kernel = dims("encoder.model.1.block.1.conv.conv.weight", 3)
    ratios: list[int] = []
    while (name := f"encoder.model.{3 * len(ratios) + 3}.conv.conv.weight") in found:
        ratios.append(max(1, dims(name, 3)[2] // 2))
    dim, _, last_kernel = dims(f"encoder.model.{3 * len(ratios) + 2}.conv.conv.weight", 3)
    layers = _count(found, r"encoder_transformer\.transformer\.layers\.(\d+)\.linear1\.weight")
    hidden = dims(f"{_TRANSFORMERS[0]}.transformer.layers.0.linear1.weight", 2)[0] if layers else 0
    size, codebook_dim = dims("quantizer.rvq_first.vq.layers.0._codebook.embedding_sum", 2)
    rest = _count(found, r"quantizer\.rvq_rest\.vq\.layers\.(\d+)\._codebook\.embedding_sum")
    return MimiShape(
        filters=filters,
        ratios=tuple(ratios),
        dim=dim,
        layers=layers,
        hidden=hidden,
        codebooks=1 + rest,
        codebook_size=size,
        codebook_dim=codebook_dim,
        stride=max(1, dims("downsample.conv.conv.conv.weight", 3)[2] // 2),
        kernel=kernel,
        residual_kernel=residual_kernel,
        last_kernel=last_kernel,
        compress=max(1, filters // inner),
    )


def _count(found: Mapping[str, Dims], pattern: str) -> int:
    """One more than the largest index that `pattern` catches among the names; 0 if none."""
    hits = (re.fullmatch(pattern, name) for name in found)
    return max((int(hit[1]) + 1 for hit in hits if hit), default=0)


def _compare(
    path: Path, found: Mapping[str, Dims], expected: Mapping[str, Dims], *, allow_more: bool
) -> None:
    odd: list[str] = []
    for name, dims in expected.items():
        if name not in found:
            if not name.endswith("._initialized") or allow_more:  # rustymimi insists on it
                odd.append(f"{name} is missing")
        elif found[name] != dims:
            odd.append(f"{name} is {list(found[name])}, expected {list(dims)}")
    if not allow_more:
        odd += [f"{name} {list(found[name])} is unknown" for name in found if name not in expected]
    if odd:
        raise _foreign(path, odd, found)


def _foreign(path: Path, odd: list[str], found: Mapping[str, Dims] | None = None) -> MoshiTuiError:
    text = "; ".join(odd[:3]) + (f"; and {len(odd) - 3} more" if len(odd) > 3 else "")
    held = f" (it holds {len(found)} tensors, first {min(found)})" if found else ""
    return MoshiTuiError("Not a Mimi checkpoint", f"{path.name}: {text}{held}", _HINT)
