"""The MLX runner with the depth transformer's slices under `mx.compile`.

Python writes down some 80 operations for each slice and MLX plans them anew every frame; compiled,
both are done once, and neighbouring operations on single numbers become one kernel. Whether that
is worth it depends on the machine: it gained nothing on CUDA, where the first call took 11 to 34 s,
and on Linux CPUs it starts a C++ compiler. So it is tried (trial.py), on Macs only.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import mlx.core as mx

from moshi_tui.model.depformer import RunSlice, slice_runner
from moshi_tui.model.lm import LmState
from moshi_tui.model.plain import MlxRunner
from moshi_tui.model.runner import Plan, RunnerName
from moshi_tui.model.trial import Rejected

CompiledSlice = Callable[
    [mx.array, mx.array, mx.array, list[mx.array]], tuple[mx.array, list[mx.array]]
]
"""As `RunSlice` for one slice, with the rings of keys and values given and taken."""


LIMIT_S = 1.5
"""Nobody waits longer for a compiler whose worth is not known."""


class CompiledRunner(MlxRunner):
    """See `runner.Runner` and `plain.MlxRunner`."""

    name: RunnerName = "compiled"

    def __init__(self, plan: Plan, state: LmState | None = None) -> None:
        super().__init__(plan, state)
        self._compiled = [self._compile(i) for i in range(plan.model.config.dep_q)]

    @classmethod
    def ready(cls, plan: Plan) -> CompiledRunner:
        """A fresh stream, compiled. Raises Rejected if that takes too long here."""
        runner = cls(plan)
        runner.prepare(LIMIT_S)
        return runner

    def prepare(self, limit_s: float, clock: Callable[[], float] = time.perf_counter) -> None:
        """Compile all slices before the first step.

        Raises Rejected as soon as it looks as if that would take longer than `limit_s`: a slice
        that is being compiled can't be broken off, but those after it needn't be begun.
        """
        config, start = self.plan.model.config, clock()
        x = mx.zeros((1, 1, config.depformer_dim), self.plan.model.dtype)
        # Of the types that a step gives (a sampler draws uint32): for others MLX compiles anew.
        token = mx.array(0, mx.uint32)
        noise = mx.zeros((self.plan.audio_sampler.noise_size,))
        run = self._slices()
        for i in range(config.dep_q):
            mx.eval(run(i, x, token, noise))
            took = clock() - start
            if took / (i + 1) * config.dep_q > limit_s:
                raise Rejected(f"compiling {i + 1} of {config.dep_q} slices took {took:.1f} s")

    def _slices(self) -> RunSlice:
        rings = self.state.frame

        def run(index: int, x: mx.array, token: mx.array, noise: mx.array) -> mx.array:
            kvs = [ring.kv for ring in rings]
            try:
                spoken, kvs = self._compiled[index](x, token, noise, kvs)
            finally:  # tracing leaves arrays of its own in the rings, which are good for nothing
                for ring, kv in zip(rings, kvs, strict=True):
                    ring.kv = kv
            return spoken

        return run

    def _compile(self, index: int) -> CompiledSlice:
        rings = self.state.frame
        plain = slice_runner(self.plan.model.depformer, rings, self.plan.audio_sampler)

        def one(
            x: mx.array, token: mx.array, noise: mx.array, kvs: list[mx.array]
        ) -> tuple[mx.array, list[mx.array]]:
            for ring, kv in zip(rings, kvs, strict=True):
                ring.kv = kv
            return plain(index, x, token, noise), [ring.kv for ring in rings]

        compiled: CompiledSlice = mx.compile(one)
        return compiled
