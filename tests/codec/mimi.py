"""Random Mimis that behave: their codes tell sounds apart, and any codes make a moderate sound.

They know nothing about speech; what they say is noise, in which every weight has its say.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from moshi_tui.codec.layout import MimiShape, Tensors
from moshi_tui.codec.pocket import Pocket
from moshi_tui.codec.speechlike import speechlike
from moshi_tui.frames import FRAME_SAMPLES

POCKET = MimiShape(
    filters=24, dim=256, layers=2, hidden=1024, codebooks=8, codebook_size=2048, codebook_dim=64
)
"""Small enough for NumPy in a few milliseconds a frame, with a transformer as the published one."""

_CALIBRATION_FRAMES = 96
_GAIN = 1.25  # ELU of a unit normal has 1 / 1.25 of its size
_LAYER_SCALE = 0.1
_LOUDNESS = 10 ** (-22 / 20)
_PEAK = 10 ** (-6 / 20)

Array = npt.NDArray[np.float32]


def write_mimi(path: Path, shape: MimiShape, seed: int) -> None:
    """Write a random checkpoint of `shape` to `path`: the same bytes for the same seed and machine.

    Takes about a second for `POCKET`, 15 s for `STANDARD`.
    """
    rng = np.random.default_rng(seed)
    tensors = {name: _random(name, dims, rng) for name, dims in shape.tensors().items()}
    _fit_codebooks(tensors, shape, rng)
    _set_loudness(tensors, shape, rng)
    save_file(tensors, path)


def _random(name: str, dims: tuple[int, ...], rng: np.random.Generator) -> Array:
    """A starting value that keeps signals near size 1 through the layers."""
    if name.endswith(("_initialized", "cluster_usage")):
        return np.ones(dims, np.float32)
    if name.endswith(".scale"):
        return np.full(dims, _LAYER_SCALE, np.float32)
    if ".norm" in name and name.endswith("weight"):
        return rng.uniform(0.8, 1.2, dims).astype(np.float32)
    size = 0.05
    if name.endswith(("weight", "embedding_sum")) and len(dims) > 1:
        size = _GAIN / np.sqrt(_inputs(name, dims))
    return rng.standard_normal(dims, np.float32) * np.float32(size)


def _inputs(name: str, dims: tuple[int, ...]) -> float:
    """How many inputs one output adds up, weighted where a layer wants to be louder or softer."""
    if name == "encoder.model.0.conv.conv.weight":
        return dims[2] / 100  # sound comes at -20 dBFS
    if ".convtr." in name:
        return 2 * dims[0] if dims[1] > 1 else 2
    if ".block.3." in name:
        return 4 * dims[1]
    return float(np.prod(dims[1:]))


def _fit_codebooks(tensors: Tensors, shape: MimiShape, rng: np.random.Generator) -> None:
    """Make codebooks of what the encoder says to speech-like sound: speech then uses many codes."""
    pcm = speechlike(_CALIBRATION_FRAMES, int(rng.integers(1 << 31)))
    latents = Pocket(shape, tensors, 1).latents(pcm)
    for part, count in (("rvq_first", 1), ("rvq_rest", shape.codebooks - 1)):
        if not count:
            continue
        name = f"quantizer.{part}"
        weight = tensors[f"{name}.input_proj.weight"]
        projected = latents @ weight[:, :, 0].T
        size = np.sqrt(np.mean(np.var(projected, axis=0)))
        weight /= size
        rest = projected / size
        for i in range(count):
            book = _sample(rest, shape.codebook_size, rng)
            tensors[f"{name}.vq.layers.{i}._codebook.embedding_sum"] = book
            distances = np.sum(book**2, axis=1) / 2 - rest @ book.T
            rest = rest - book[np.argmin(distances, axis=1)]


def _sample(rows: Array, count: int, rng: np.random.Generator) -> Array:
    """`count` vectors spread like `rows` [T, dim], no two alike."""
    picked = rows[rng.integers(len(rows), size=count)]
    middle, spread = rows.mean(axis=0), rows.std(axis=0).mean()
    noise = rng.standard_normal(picked.shape, np.float32) * np.float32(0.6 * spread)
    return np.ascontiguousarray(middle + 0.8 * (picked - middle) + noise, dtype=np.float32)


def _set_loudness(tensors: Tensors, shape: MimiShape, rng: np.random.Generator) -> None:
    """Scale the last convolution for -22 dBFS, or less where that would come near clipping."""
    last = f"decoder.model.{3 * len(shape.ratios) + 2}.conv.conv"
    codes = rng.integers(0, shape.codebook_size, (shape.codebooks, _CALIBRATION_FRAMES), np.uint32)
    sound = Pocket(shape, tensors, shape.codebooks).decode(codes)
    sound = sound[5 * FRAME_SAMPLES :]
    offset = sound.mean()
    sound = sound - offset
    scale = min(_LOUDNESS / np.sqrt(np.mean(sound**2)), _PEAK / np.abs(sound).max())
    tensors[f"{last}.weight"] *= np.float32(scale)
    tensors[f"{last}.bias"] = (tensors[f"{last}.bias"] - offset) * np.float32(scale)
