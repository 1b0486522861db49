"""Where the time of the CUDA kernel's step goes: a profile by phases (needs an NVIDIA GPU).

    PYTHONPATH=. python tests/bench/kernel.py [--shape 7b] [--quant 4] [--steps 40]

The kernel is built once more, such that its first block writes down when it comes to each barrier
and when that opens: `work` is from one barrier to the next, `wait` until the last block has come.
Medians over the steps, random weights. Ticks of the first multiprocessor's clock are told as
microseconds at the rate that the step's own time gives: what of it is not the kernel is in there.
"""

from __future__ import annotations

import argparse
import time

import mlx.core as mx
import numpy as np

from moshi_tui.model import Generator, LmConfig, choose
from moshi_tui.model.config import MOSHI_7B
from moshi_tui.model.device import device_name, is_cuda
from moshi_tui.model.kernel import source
from moshi_tui.model.kernel.runner import KernelRunner, on_cuda
from moshi_tui.model.random_weights import random_model
from moshi_tui.model.shapes import SHAPES

TEMPORAL = ["norm, q k v, RoPE", "attention", "out_proj", "norm, gate in", "gate out"]
DEPTH = ["draw or norm, q k v", "attention, out_proj", "norm, gate in", "gate out"]


def phases(config: LmConfig) -> list[str]:
    """What comes before each barrier, in order."""
    slices = [f"depth: {name}" for name in DEPTH] * config.depformer_num_layers
    return [
        "embeddings",
        *[f"temporal: {name}" for name in TEMPORAL] * config.num_layers,
        "heads of text and slices",
        *[*slices, "depth: head"] * config.dep_q,
    ]


def ticks(runner: KernelRunner, barriers: int) -> np.ndarray:
    """[barriers, 2]: when the first block came to each, and when it opened."""
    sync = np.array(runner._inputs[source.ARGUMENTS.index("sync")])
    return sync[2 : 2 + 2 * barriers].astype(np.int64).reshape(-1, 2)


def profile(generator: Generator, place: int, steps: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Work and wait before each barrier in ticks [barriers], and the whole step in us."""
    names = phases(generator.config)
    codes = np.random.default_rng(1).integers(
        0, generator.config.card, (steps + 5, generator.n_user)
    )
    runner = generator.runner
    assert isinstance(runner, KernelRunner)
    works, waits, times = [], [], []
    runner.pretend(place)
    for n, frame in enumerate(codes):
        before = time.perf_counter()
        generator.step(frame)
        taken = (time.perf_counter() - before) * 1e6
        at = ticks(runner, len(names))
        if n >= 5:
            works.append(np.append(0, at[1:, 0] - at[:-1, 1]) % 2**32)
            waits.append((at[:, 1] - at[:, 0]) % 2**32)
            times.append(taken)
    return np.median(works, axis=0), np.median(waits, axis=0), float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--shape", choices=sorted(SHAPES), default="7b")
    parser.add_argument("--quant", choices=["4", "8", "bf16"], default="4")
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    if not is_cuda():
        parser.error("there is no NVIDIA GPU here, or MLX's CUDA backend is not installed")
    config = SHAPES.get(options.shape, MOSHI_7B)
    bits = None if options.quant == "bf16" else int(options.quant)
    model = random_model(config, bits)
    choose.RUNNERS["kernel"] = lambda plan: KernelRunner(
        plan, launch=lambda layout: on_cuda(layout, timed=True)
    )
    generator = Generator(model, seed=1, runner="kernel")
    names = np.array(phases(config))
    found = {place: profile(generator, place, options.steps) for place in (100, config.context)}
    print(f"{options.shape} {model.quantisation} on {device_name()}, MLX {mx.__version__}\n")
    places = "".join(f"{f'step {place}: work, wait':>32}" for place in found)
    print(f"{'us':<32}{'times':>6}{places}")
    for name in dict.fromkeys(names):
        line = f"{name:<32}{(names == name).sum():>6}"
        for work, wait, us in found.values():
            each = us / (work + wait).sum()
            mine = names == name
            line += f"{work[mine].mean() * each:>23.1f}{wait[mine].mean() * each:>9.1f}"
        print(line)
    print(f"{'the whole step':<38}" + "".join(f"{us:>32.0f}" for _, _, us in found.values()))


if __name__ == "__main__":
    main()
