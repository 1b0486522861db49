"""Models with random weights, made on the device: what a step takes, before anyone downloads."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from moshi_tui.model.config import LmConfig
from moshi_tui.model.device import is_cpu, is_cuda, keep_kernels
from moshi_tui.model.generate import Generator
from moshi_tui.model.kernel.pack import kinds
from moshi_tui.model.layers import Weight, named_parameters
from moshi_tui.model.lm import Lm
from moshi_tui.model.weights import CACHE_LIMIT, GROUP_SIZE

_TILE = 65_521
"""Random numbers are drawn once and repeated: how long a product takes does not depend on them,
and drawing billions of them takes longer than all the rest. A prime, so that no two rows of a
matrix are alike."""


@dataclass(frozen=True)
class Need:
    """Memory that a talk takes on the device, in bytes."""

    weights: int
    context: int
    """Keys and values of a full context."""
    cache: int = CACHE_LIMIT
    """Freed memory that MLX may keep."""
    moving: int = 0
    """What lies in memory twice for a moment, before the context is there: our own kernel wants
    alike weights together."""

    @property
    def total(self) -> int:
        """The most that is taken at a time."""
        return self.weights + max(self.context, self.moving) + self.cache


def need(config: LmConfig, bits: int | None) -> Need:
    """What a model of that shape takes on this device. Nothing is allocated.

    Args:
        bits: 4 or 8; None: not quantised.
    """
    model, dtype = Lm(config), _dtype()
    quantised = {
        f"{name}.weight": module.shape
        for name, module in model.named_modules()
        if isinstance(module, Weight) and _is_quantised(module, bits)
    }
    weights = 0
    for name, value in named_parameters(model).items():
        if bits is None or name not in quantised:
            weights += value.size * dtype.size
            continue
        groups = value.size // GROUP_SIZE[bits]
        weights += value.size * bits // 8 + 2 * groups * dtype.size  # a scale and a bias for each
    context = 2 * config.num_layers * config.context * config.dim * dtype.size
    return Need(weights, context, moving=_moving(model, bits) if is_cuda() else 0)


def _moving(model: Lm, bits: int | None) -> int:
    """Bytes of the largest stack that the kernel's runner makes (`kernel.pack`)."""
    numbers = (sum(math.prod(each.shape) for each in kind) for kind in kinds(model).values())
    return max(numbers) * (bits or 8 * _dtype().size) // 8


def random_model(config: LmConfig, bits: int | None, seed: int = 1) -> Lm:
    """A model whose weights are random and small enough to keep its numbers in range.

    Stored, and computed in, as `load` would have it on this device. Belongs to the calling thread.
    """
    mx.set_cache_limit(CACHE_LIMIT)
    keep_kernels()
    model, dtype = Lm(config), _dtype()
    key = mx.random.key(seed)
    noise = mx.random.normal((_TILE,), key=key)
    codes = mx.random.randint(-(2**31), 2**31 - 1, (_TILE,), dtype=mx.int32, key=key)
    codes = codes.view(mx.uint32)
    for _, module in model.named_modules():
        if isinstance(module, Weight):
            rows, columns = module.shape
            if bits is not None and _is_quantised(module, bits):
                scale = columns**-0.5 / 2 ** (bits - 1)
                middle = -(2**bits - 1) / 2 * scale
                groups = (rows, columns // GROUP_SIZE[bits])
                module.set_quantised(
                    _repeated(codes, (rows, columns * bits // 32)),
                    mx.full(groups, scale, dtype),
                    mx.full(groups, middle, dtype),
                )
            else:
                module.weight = _repeated((noise * columns**-0.5).astype(dtype), module.shape)
        elif "weight" in module:  # a norm
            module.weight = mx.ones(module.weight.shape, dtype)
        elif "learnt_padding" in module:
            module.learnt_padding = mx.zeros(module.learnt_padding.shape, dtype)
        mx.eval([value for value in module.values() if isinstance(value, mx.array)])
    model.set_dtype_of_activations(dtype)
    return model


def time_steps(
    model: Lm,
    *,
    seconds: float,
    at_least: int,
    limit_s: float,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Step the model with all of its context in use, the slowest that a talk becomes.

    Args:
        model: from `random_model` or `load`.
        seconds: for how long, once it is warm.
        at_least: steps, if they fit the limit.
        limit_s: seconds from the start-up step on, after which no further step begins; one step is
            timed whatever it takes.

    Returns the time of each step, in ms.
    """
    generator = Generator(model, seed=1)
    began = clock()
    codes = np.zeros(model.config.n_user, dtype=np.int64)
    # Nobody waits for four minutes of talk: the rings of zeros count as full from here on.
    generator.runner.pretend(model.config.context)
    warm_up = 0 if is_cpu() else 3  # a CPU builds no kernels; the start-up step warmed it up
    for _ in range(warm_up):
        generator.step(codes)
    times: list[float] = []
    start = clock()
    while not times or clock() - began < limit_s:
        before = clock()
        generator.step(codes)
        times.append((clock() - before) * 1000)
        if len(times) >= at_least and clock() - start >= seconds:
            break
    return times


def _dtype() -> mx.Dtype:
    return mx.float32 if is_cpu() else mx.bfloat16


def _is_quantised(module: Weight, bits: int | None) -> bool:
    return bits is not None and module.shape[1] % GROUP_SIZE[bits] == 0


def _repeated(numbers: mx.array, shape: tuple[int, int]) -> mx.array:
    """`numbers` over and over, as an array of `shape`."""
    whole, rest = divmod(shape[0] * shape[1], numbers.size)
    # Not a part of a longer array: that one would stay in memory as a whole.
    return mx.concatenate([mx.tile(numbers, whole), numbers[:rest]]).reshape(shape)
