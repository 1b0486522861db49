"""Random Mimis that behave: their codes tell sounds apart, and any codes make a moderate sound.

They know nothing about speech. The demo and the tests run on them; nothing is downloaded.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from moshi_tui.codec.layout import STANDARD, MimiShape, Tensors
from moshi_tui.codec.pocket import Pocket
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE

__all__ = ["POCKET", "STANDARD", "MimiShape", "speechlike", "write_mimi"]

POCKET = MimiShape(
    filters=24, dim=256, layers=2, hidden=1024, codebooks=8, codebook_size=2048, codebook_dim=64
)
"""The demo's codec: small enough for NumPy in a few milliseconds a frame."""

_CALIBRATION_FRAMES = 96
_GAIN = 1.25  # ELU of a unit normal has 1 / 1.25 of its size
_LAYER_SCALE = 0.1
_LOUDNESS = 10 ** (-22 / 20)
_PEAK = 10 ** (-6 / 20)
_STEP_RATE = 25
_NOTES = (200, 225, 250, 300, 375)  # a major ninth chord in just intonation, all multiples of 25 Hz

Array = npt.NDArray[np.float32]


def write_mimi(path: Path, shape: MimiShape, seed: int, *, tonal: bool = True) -> None:
    """Write a random checkpoint of `shape` to `path`: the same bytes for the same seed and machine.

    The file appears complete or not at all. Takes about a second for `POCKET`, 15 s for `STANDARD`.

    Args:
        tonal: the decoder is a bank of soft notes that the codes play; otherwise plain noise, in
            which every weight has its say (for comparing implementations).
    """
    rng = np.random.default_rng(seed)
    tensors = {name: _random(name, dims, rng) for name, dims in shape.tensors().items()}
    if tonal:
        _tune(tensors, shape, rng)
    _fit_codebooks(tensors, shape, rng)
    _set_loudness(tensors, shape, rng)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def speechlike(frames: int, seed: int) -> Array:
    """Sound with the rhythm and spectrum of speech, [frames * 1920] float32, about -20 dBFS.

    Voiced stretches (harmonics of a gliding pitch under moving formants), hisses and pauses.
    """
    rng = np.random.default_rng(seed)
    count = frames * FRAME_SAMPLES
    time = np.arange(count) / SAMPLE_RATE
    knots = np.arange(0.0, time[-1] + 0.4, 0.2)

    def glide(low: float, high: float) -> npt.NDArray[np.float64]:
        return np.interp(time, knots, rng.uniform(low, high, len(knots)))

    pitch = glide(90, 220)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    formants = [glide(300, 900), glide(900, 2300), glide(2300, 3200)]
    voice = np.zeros(count)
    for k in range(1, 30):
        peaks = sum(np.exp(-(((k * pitch - f) / 180) ** 2)) for f in formants)
        voice += np.sin(k * phase) * (0.03 + peaks) / k**0.5
    hiss = np.diff(rng.normal(size=count + 1))
    voiced, hissing = np.clip(glide(-0.6, 1.2), 0, 1), np.clip(glide(-1.5, 0.5), 0, 1)
    sound = voiced * voice + hissing * hiss
    scaled: Array = (0.1 * sound / np.sqrt(np.mean(sound**2))).astype(np.float32)
    return scaled.clip(-1, 1)


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


def _tune(tensors: Tensors, shape: MimiShape, rng: np.random.Generator) -> None:
    """Make the decoder a bank of oscillators, one a channel at 24 kHz.

    Steps come at 25 Hz and every note is a multiple of that, so it has the same phase at each step:
    a stage only has to turn each oscillator's (cosine, sine) pair on by the time that its kernel
    spans, and fade from one step to the next. Codes set how loud a note is, e^x for a normal x: few
    at a time.
    """
    notes = _notes(shape.filters)
    for name in tensors:
        if name.startswith("decoder.model"):
            tensors[name] *= 0.0 if name.endswith("bias") else 0.02
    smooth = np.array([[1, 2], [1, 0]], np.float32) / 2  # fades from code to code
    tensors["upsample.convtr.convtr.convtr.weight"][:, 0] = np.resize(smooth, 2 * shape.stride)
    _set_gates(tensors, shape, rng)
    rate = _STEP_RATE
    for i, stride in enumerate(reversed(shape.ratios)):
        name = f"decoder.model.{3 * i + 2}.convtr.convtr.weight"
        first, last = i == 0, i == len(shape.ratios) - 1
        phases = rng.uniform(0, 2 * np.pi, len(notes)) if first else np.zeros(len(notes))
        _turn_on(tensors[name], notes / (rate * stride), phases, gates=first, real=last)
        rate *= stride
    mix = tensors[f"decoder.model.{3 * len(shape.ratios) + 2}.conv.conv.weight"]
    mix[0, :, -1] = (notes / notes.min()) ** -0.6


def _notes(count: int) -> npt.NDArray[np.float64]:
    """`count` frequencies in Hz: four octaves of the chord, then again from the bottom."""
    ladder = [note << octave for octave in range(4) for note in _NOTES]
    return np.resize(np.array(ladder, np.float64), count)


def _set_gates(tensors: Tensors, shape: MimiShape, rng: np.random.Generator) -> None:
    """The first convolution: channel i is how loud note i is, the one after the notes always 1."""
    weight, bias = (tensors[f"decoder.model.0.conv.conv.{part}"] for part in ("weight", "bias"))
    count = shape.filters
    taps = np.array([0.2, 0.4, 0.4], np.float32)[-shape.kernel :]
    mixing = rng.standard_normal((count, shape.dim), np.float32) / np.float32(np.sqrt(shape.dim))
    weight[: count + 1] = 0
    weight[:count, :, -len(taps) :] = 2.5 * mixing[:, :, None] * taps
    bias[:count] = -2.0
    bias[count] = 1.0


def _turn_on(
    weight: Array,
    turns: npt.NDArray[np.float64],
    phases: npt.NDArray[np.float64],
    *,
    gates: bool,
    real: bool,
) -> None:
    """Set a transposed convolution [inputs, outputs, kernel] for oscillators of `turns` a sample.

    Pairs sit in channels 2i and 2i + 1. With `gates` the input is ELU(gate) in channel i instead,
    and 1 in the channel after them; with `real` the output is the cosine alone, in channel i.
    """
    kernel, count = weight.shape[2], len(turns)
    fade = np.sin(np.pi * (np.arange(kernel) + 0.5) / kernel) ** 2
    angle = 2 * np.pi * turns[:, None] * np.arange(kernel) + phases[:, None]
    cosine, sine = fade * np.cos(angle), fade * np.sin(angle)
    i = np.arange(count)
    weight[: count + 1 if gates else 2 * count] = 0
    if gates:
        small = 0.1  # from here on ELU is close to a straight line
        for source in (i, count):  # ELU + 1 is e^gate below 0
            weight[source, 2 * i], weight[source, 2 * i + 1] = small * cosine, small * sine
    elif real:
        weight[2 * i, i], weight[2 * i + 1, i] = cosine, -sine
    else:
        weight[2 * i, 2 * i], weight[2 * i + 1, 2 * i] = cosine, -sine
        weight[2 * i, 2 * i + 1], weight[2 * i + 1, 2 * i + 1] = sine, cosine


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
