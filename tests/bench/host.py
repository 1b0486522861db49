"""Which runner is the fastest on the CPU, and from which weights: the table behind model/choose.py.

    PYTHONPATH=. python tests/bench/host.py [--shape demo small layers] [--steps 60]

All runners of a shape take turns, a block of steps each, with the same tokens. Random weights, and
contexts that only count as full. Needs about 4 GB of memory for the last shape. The rows with 2
threads are left out where NumPy's BLAS is not OpenBLAS.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as moshi_tui.cli does

import mlx.core as mx
import numpy as np

from moshi_tui.demo.checkpoint import demo_config
from moshi_tui.model import Generator, LmConfig
from moshi_tui.model.config import MOSHI_7B
from moshi_tui.model.host_weights import bytes_to_write
from moshi_tui.model.random_weights import random_model
from moshi_tui.model.runner import Runner

SHAPES = {
    "demo": LmConfig.from_dict(demo_config()),
    "small": replace(
        MOSHI_7B,
        dim=512,
        num_layers=4,
        num_heads=8,
        text_card=8000,
        depformer_dim=256,
        depformer_num_layers=2,
        depformer_num_heads=4,
        depformer_dim_feedforward=1056,
    ),
    # A quarter of a 1B: all sizes but the number of layers.
    "layers": replace(MOSHI_7B, dim=2048, num_layers=4, num_heads=16, depformer_num_layers=2),
}
BLOCK = 5
"""Steps of one runner before it is the other's turn, ..."""
SETTLE = 2
"""...of which so many do not count: the caches hold the others' weights."""
PAUSE_S = 0.05
"""Between blocks: OpenBLAS's threads spin for a while after their work."""
POSITIONS = (100, 3000)


@dataclass
class Candidate:
    """A runner with its weights."""

    title: str
    runner: Runner
    threads: int = 1
    times: dict[int, list[float]] = field(default_factory=lambda: {at: [] for at in POSITIONS})
    """In ms, by the steps that it attends to."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--steps", type=int, default=60, help="of each runner and position")
    options = parser.parse_args()
    mx.set_default_device(mx.cpu)
    set_threads = openblas_threads()
    for name in options.shape:
        candidates = candidates_of(SHAPES[name], several_threads=set_threads is not None)
        for at in POSITIONS:
            for _ in range(-(-options.steps // (BLOCK - SETTLE))):
                for candidate in candidates:
                    if set_threads is not None:
                        set_threads(candidate.threads)
                    run_block(candidate, at)
        show(name, candidates)


def candidates_of(config: LmConfig, *, several_threads: bool) -> list[Candidate]:
    found = []
    for title, bits in (("f32", None), ("q8", 8), ("q4", 4)):
        model = random_model(config, bits)
        found.append(Candidate(f"mlx    {title}", Generator(model, seed=1, runner="mlx").runner))
        written = bytes_to_write(model)
        start = time.perf_counter()
        runner = Generator(model, seed=1, runner="numpy").runner
        taken = time.perf_counter() - start
        note = f", {written / 1e6:.0f} MB written in {taken:.1f} s" if written else ""
        found.append(Candidate(f"numpy  {title}{note}", runner))
        if several_threads and bits is None:
            again = Generator(model, seed=1, runner="numpy").runner
            found.append(Candidate(f"numpy  {title}, 2 threads", again, threads=2))
    return found


def run_block(candidate: Candidate, at: int) -> None:
    time.sleep(PAUSE_S)
    candidate.runner.pretend(at)
    tokens = np.zeros(17, np.int32)
    for step in range(BLOCK):
        start = time.perf_counter()
        candidate.runner.step(tokens, 1, step)
        if step >= SETTLE:
            candidate.times[at].append(1000 * (time.perf_counter() - start))


def show(name: str, candidates: list[Candidate]) -> None:
    print(f"{name:42}" + "".join(f"    at {at:4}     times" for at in POSITIONS), flush=True)
    first = {at: np.median(candidates[0].times[at]) for at in POSITIONS}
    for candidate in candidates:
        middles = {at: float(np.median(candidate.times[at])) for at in POSITIONS}
        figures = (f"{middles[at]:8.2f} ms {first[at] / middles[at]:9.1f}" for at in POSITIONS)
        print(f"  {candidate.title:40}" + "".join(figures), flush=True)


def openblas_threads() -> Callable[[int], None] | None:
    """What sets the number of threads of NumPy's own OpenBLAS; None: there is none."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    libraries = {line.split()[-1] for line in lines if "numpy.libs" in line and "openblas" in line}
    for library in libraries:
        loaded = ctypes.CDLL(library)
        for name in ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads"):
            if hasattr(loaded, name):
                return getattr(loaded, name)
    return None


if __name__ == "__main__":
    main()
