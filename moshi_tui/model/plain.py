"""A step in MLX operations: runs on every backend, and is what the other runners must equal."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from moshi_tui.model.runner import Plan, RunnerName, Tokens
from moshi_tui.model.sampling import gumbel_noise


class MlxRunner:
    """See `runner.Runner`."""

    name: RunnerName = "mlx"

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._state = plan.model.make_state()

    @property
    def steps(self) -> int:
        """Steps that the next one attends to, besides itself."""
        return self._state.steps

    def step(self, tokens: Tokens, seed: int, step: int) -> Tokens:
        """One step, evaluated."""
        plan = self._plan
        spoken = plan.model(
            mx.array(tokens),
            self._state,
            plan.text_sampler,
            plan.audio_sampler,
            gumbel_noise(seed, step, plan.noise_sizes),
            condition=plan.condition,
        )
        mx.eval(spoken)
        return np.array(spoken).astype(np.int32)

    def reset(self) -> None:
        """Forget the stream."""
        self._state.reset()

    def pretend(self, steps: int) -> None:
        """Count `steps` steps as seen."""
        self._state.pretend(steps)
