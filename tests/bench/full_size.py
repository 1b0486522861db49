"""The full-size path with random weights: Moshi 7B in q4 and a standard Mimi, loaded and stepped.

    PYTHONPATH=. python tests/bench/full_size.py [--steps 5] [--keep DIR]

Writes 4.8 GB of random weights in the published q4 format (no config.json, as in Kyutai's repo),
a standard Mimi of 370 MB and a vocabulary of 32,000 pieces; loads them as `--model-dir` does and
prints times and memory. Needs about 11 GB of memory on the CPU and 6 GB of disk.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import mlx.core as mx
import numpy as np

from moshi_tui.checkpoint import resolve
from moshi_tui.codec import load as load_codec
from moshi_tui.codec.layout import STANDARD
from moshi_tui.codec.speechlike import speechlike
from moshi_tui.config import CheckpointOptions
from moshi_tui.model import Generator, load
from moshi_tui.model.config import MOSHI_7B
from moshi_tui.model.device import active_memory, device_name, peak_memory
from moshi_tui.model.layers import Weight, named_parameters
from moshi_tui.model.lm import Lm
from moshi_tui.model.tokenizer import TextTokenizer
from tests.codec.mimi import write_mimi

GROUP, BITS = 32, 4


def write_lm(path: Path) -> None:
    """Random weights of the 7B shape, quantised as Kyutai's q4 file is."""
    model = Lm(MOSHI_7B)
    arrays = {}
    for name, module in model.named_modules():
        if isinstance(module, Weight):
            rows, columns = module.shape
            packed = (rows, columns * BITS // 32)
            codes = mx.random.randint(-(2**31), 2**31 - 1, packed, dtype=mx.int32)
            arrays[f"{name}.weight"] = codes.view(mx.uint32)
            size = (rows, columns // GROUP)
            scale = columns**-0.5 / 8
            arrays[f"{name}.scales"] = mx.full(size, scale, mx.bfloat16)
            arrays[f"{name}.biases"] = mx.full(size, -7.5 * scale, mx.bfloat16)
    for name, value in named_parameters(model).items():
        if value.ndim == 1:
            arrays[name] = mx.ones(value.shape, mx.bfloat16)
    mx.save_safetensors(str(path), arrays)


def write_vocabulary(path: Path, pieces: int) -> None:
    """A sentencepiece model of the right size."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["hello how are you"] * 10),
        model_writer=model,
        vocab_size=pieces,
        user_defined_symbols=[f"word{i}" for i in range(pieces - 16)],
        pad_id=3,
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())


def timed(what: str, work):
    """Run `work`, print how long it took, hand back what it gave."""
    start = time.perf_counter()
    result = work()
    print(f"{what:<34}{time.perf_counter() - start:8.2f} s", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="use, and leave, the files in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run(options.keep or Path(name), options.steps)


def run(folder: Path, steps: int) -> None:
    """Everything, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("model.q4.safetensors", "tokenizer-e351c8d8-checkpoint125.safetensors")
    if not (folder / names[0]).exists():
        timed("write the model", lambda: write_lm(folder / names[0]))
        timed("write Mimi", lambda: write_mimi(folder / names[1], STANDARD, 1))
        write_vocabulary(folder / "tokenizer_spm_32k_3.model", MOSHI_7B.text_card)
    mx.clear_cache()
    mx.reset_peak_memory()
    files = resolve(CheckpointOptions(model_dir=folder))
    print(f"{device_name()}; {files.moshi.stat().st_size / 1e9:.2f} GB, config: {files.config}")
    model = timed("load the model", lambda: load(files))
    held, peak = active_memory() / 1e9, peak_memory() / 1e9
    print(f"{model.quantisation}, {model.dtype}: {held:.2f} GB in MLX, peak {peak:.2f} GB")
    print(f"vocabulary: {TextTokenizer(files.tokenizer).vocab_size}")
    encoder = timed("load Mimi (encoder)", lambda: load_codec(files.mimi, 8))
    decoder = timed("load Mimi (decoder)", lambda: load_codec(files.mimi, 8))
    generator = timed("start-up step and KV ring", lambda: Generator(model, seed=1))
    times = []
    for pcm in speechlike(steps, 1).reshape(steps, -1):
        start = time.perf_counter()
        codes = encoder.encode(pcm)[:, 0]
        encoded = time.perf_counter()
        step = generator.step(codes)
        stepped = time.perf_counter()
        assert step.audio_codes is not None
        sound = decoder.decode(step.audio_codes[:, None])
        assert np.isfinite(sound).all()
        times.append((encoded - start, stepped - encoded, time.perf_counter() - stepped))
    for label, values in zip(("encode", "step", "decode"), zip(*times, strict=True), strict=True):
        milliseconds = np.array(values) * 1e3
        print(f"{label:<8} median {np.median(milliseconds):8.1f} ms  max {milliseconds.max():8.1f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak: {peak_memory() / 1e9:.2f} GB in MLX, {peak / 1e9:.2f} GB resident")


if __name__ == "__main__":
    main()
