"""A step in MLX operations: runs on every backend, and is what the other runners must equal."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from moshi_tui.model.depformer import RunSlice, slice_runner
from moshi_tui.model.lm import LmState
from moshi_tui.model.runner import Plan, RunnerName, Tokens
from moshi_tui.model.sampling import Noise


class MlxRunner:
    """See `runner.Runner`.

    Args:
        state: what it remembers; None: a fresh stream.
    """

    name: RunnerName = "mlx"
    host_bytes = 0

    def __init__(self, plan: Plan, state: LmState | None = None) -> None:
        plan.model.stack()
        self.plan = plan
        self.state = state or plan.model.make_state()
        self._noise = Noise(plan.samplers)
        self._run_slice = self._slices()

    @property
    def steps(self) -> int:
        """Steps that the next one attends to, besides itself."""
        return self.state.steps

    def step(self, tokens: Tokens, seed: int, step: int) -> Tokens:
        """One step, evaluated."""
        plan = self.plan
        spoken = plan.model(
            tokens,
            self.state,
            plan.text_sampler,
            self._noise(seed, step),
            self._run_slice,
            condition=plan.condition,
        )
        mx.eval(spoken)
        return np.array([token.item() for token in spoken], dtype=np.int32)

    def reset(self) -> None:
        """Forget the stream."""
        self.state.reset()

    def pretend(self, steps: int) -> None:
        """Count `steps` steps as seen."""
        self.state.pretend(steps)

    def _slices(self) -> RunSlice:
        """What computes a slice of the depth transformer."""
        plan = self.plan
        return slice_runner(plan.model.depformer, self.state.frame, plan.audio_sampler)
