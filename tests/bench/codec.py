"""How long the codecs take: medians and 95th percentiles in ms a frame.

    python tests/bench/codec.py            a small Mimi, in NumPy
    python tests/bench/codec.py --full     and the full size, rustymimi and NumPy (writes 370 MB)

Run it on a quiet machine, and with OPENBLAS_NUM_THREADS=1 to compare.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from moshi_tui.codec.base import Codec
from moshi_tui.codec.layout import STANDARD
from moshi_tui.codec.pocket import Pocket
from moshi_tui.codec.rusty import Rusty
from moshi_tui.codec.speechlike import speechlike
from moshi_tui.frames import FRAME_SAMPLES
from tests.codec.mimi import POCKET, write_mimi

WARM_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--chunk", type=int, default=1, help="frames of one call")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pocket.safetensors"
        write_mimi(path, POCKET, seed=1)
        measure("pocket, 24 filters", Pocket.open(path, 8), options)
        if options.full:
            path = Path(folder) / "standard.safetensors"
            write_mimi(path, STANDARD, seed=1)
            measure("rustymimi", Rusty(path, 8), options)
            measure("pocket, full size", Pocket.open(path, 8), options)


def measure(title: str, codec: Codec, options: argparse.Namespace) -> None:
    calls, chunk = options.frames // options.chunk, options.chunk
    pcm = speechlike(calls * chunk, seed=2)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, codec.cardinality, (codec.n_q, calls * chunk), np.uint32)
    samples = chunk * FRAME_SAMPLES
    report(title, "encode", lambda i: codec.encode(pcm[i * samples : (i + 1) * samples]), options)
    codec.reset()
    report(title, "decode", lambda i: codec.decode(codes[:, i * chunk : (i + 1) * chunk]), options)


def report(
    title: str, direction: str, call: Callable[[int], object], options: argparse.Namespace
) -> None:
    taken = []
    for i in range(options.frames // options.chunk):
        start = time.perf_counter()
        call(i)
        taken.append(1000 * (time.perf_counter() - start) / options.chunk)
    middle, late = np.percentile(taken[WARM_UP:], [50, 95])
    print(f"{title:20} {direction} {middle:6.1f} ms a frame (95 %: {late:.1f})", flush=True)


if __name__ == "__main__":
    main()
