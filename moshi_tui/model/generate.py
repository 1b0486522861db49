"""The streaming loop around the model: delays, token history, sampling.

Timing is PyTorch's: the user's frame is heard in the very step that it triggers.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moshi_tui.model.choose import make_runner
from moshi_tui.model.lm import Lm
from moshi_tui.model.runner import Plan, RunnerName
from moshi_tui.model.sampling import Sampler


@dataclass(frozen=True)
class Step:
    """What one step gave."""

    text_token: int
    """Sampled in this step; it belongs to the frame whose audio codes come `max_delay` steps on."""
    audio_codes: npt.NDArray[np.uint32] | None
    """[n_generated], one frame for the codec; None while the delays fill."""


class Generator:
    """A conversation with a model, step by step.

    Belongs to the thread that loaded the model. One evaluation, and so one wait for the device,
    a step.

    Args:
        model: from `moshi_tui.model.load`.
        text_temperature: 0 is greedy, as for audio.
        text_top_k: how many candidates may be drawn; 0 for all.
        seed: None: a fresh one, also at each `reset()`; given: `reset()` starts over with it, so
            that the same frames get the same answer.
        conditions: values of the model's conditioners by name; `description` is "very_good" unless
            said. Raises MoshiTuiError for a name or value that the model lacks.
        runner: what computes the steps; None: the fastest that there is here.
    """

    def __init__(
        self,
        model: Lm,
        *,
        text_temperature: float = 0.7,
        text_top_k: int = 25,
        audio_temperature: float = 0.8,
        audio_top_k: int = 250,
        seed: int | None = None,
        conditions: dict[str, str] | None = None,
        runner: RunnerName | None = None,
    ) -> None:
        config = model.config
        self.model = model
        self.config = config
        plan = Plan(
            model,
            Sampler(text_temperature, text_top_k, config.text_card),
            Sampler(audio_temperature, audio_top_k, config.card),
            model.condition(conditions or {}),
        )
        self._fixed_seed = seed
        self.runner = make_runner(plan, runner)
        """What computes the steps."""
        self._delays = np.array(config.delays)
        self._initial = np.array([config.text_card] + [config.card] * config.n_q, dtype=np.int32)
        self._ring = np.zeros((1 + config.n_q, config.max_delay + 2), dtype=np.int32)
        self._rows = np.arange(1 + config.n_q)
        self._offset = 0
        self.seed = 0
        """The seed in use: 32 bits."""
        self.reset()

    @property
    def n_user(self) -> int:
        """Codebooks that `step` takes."""
        return self.config.n_user

    @property
    def n_generated(self) -> int:
        """Codebooks that `step` gives."""
        return self.config.dep_q

    @property
    def context_used(self) -> int:
        """Steps that the model attends to, at most `config.context`."""
        return self.runner.steps

    @property
    def host_bytes(self) -> int:
        """What the runner holds outside MLX's memory."""
        return self.runner.host_bytes

    def reset(self) -> Step:
        """Start a new conversation, and run its start-up step.

        The start-up step sees only initial tokens: with it done, the first `step` uses the frame
        that it is given. Its result is returned, for tests; there is no audio in it unless the
        model has no delays.
        """
        fixed = self._fixed_seed
        self.seed = secrets.randbits(32) if fixed is None else int(fixed) & 0xFFFFFFFF
        self.runner.reset()
        self._offset = 0
        return self._run()

    def step(self, user_codes: npt.NDArray[np.integer]) -> Step:
        """Hear one frame, say one frame.

        Args:
            user_codes: [n_user] int, each from 0 to card - 1. More codebooks than the model hears
                are cut.

        Raises ValueError for a wrong shape or a code out of range; the stream is not touched then.
        """
        config = self.config
        codes = np.asarray(user_codes)
        if codes.ndim != 1 or codes.size < config.n_user or codes.dtype.kind not in "iu":
            raise ValueError(
                f"user_codes: expected [{config.n_user}] int, got {codes.shape} {codes.dtype}"
            )
        codes = codes[: config.n_user].astype(np.int64)
        if codes.min() < 0 or codes.max() >= config.card:
            raise ValueError(f"user_codes: expected 0 to {config.card - 1}, got {codes.tolist()}")
        rows = self._rows[1 + config.dep_q :]
        self._ring[rows, (self._offset + self._delays[rows]) % self._ring.shape[1]] = codes
        return self._run()

    def _run(self) -> Step:
        config, ring, size = self.config, self._ring, self._ring.shape[1]
        starting = self._offset <= self._delays
        tokens = np.where(starting, self._initial, ring[:, self._offset % size]).astype(np.int32)
        said = self.runner.step(tokens, self.seed, self._offset)
        self._offset += 1
        ring[: 1 + config.dep_q, self._offset % size] = said
        return Step(int(said[0]), self._frame())

    def _frame(self) -> npt.NDArray[np.uint32] | None:
        """The newest frame of which all codebooks are known."""
        first = self._offset - self.config.max_delay
        if first <= 0:
            return None
        rows = self._rows[1 : 1 + self.config.dep_q]
        codes = self._ring[rows, (first + self._delays[rows]) % self._ring.shape[1]]
        return np.asarray(codes, dtype=np.uint32)
