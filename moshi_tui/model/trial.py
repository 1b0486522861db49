"""Trying a runner on the person's own machine before it may speak.

What is fastest differs from machine to machine, and a kernel of our own may be wrong on one that
nobody has tried it on. So a candidate takes a few steps on the same inputs as the MLX runner, and
gets the word if it says the same and is faster.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model.config import LmConfig
from moshi_tui.model.runner import Runner, RunnerName, Tokens

log = logging.getLogger(__name__)

UNTIMED = 2
"""First steps, in which kernels are built."""
TIMED = 8
TRIAL_STEPS = UNTIMED + TIMED

_SEED = 1

Clock = Callable[[], float]

_FAILURES = (RuntimeError, ValueError, OSError, MemoryError)
"""What MLX (which has no error of its own for memory), NumPy and the system raise."""


class Rejected(Exception):  # noqa: N818  (nothing failed)
    """Why a candidate may not speak, in a few words."""


@dataclass(frozen=True)
class Candidate:
    """A runner that may be faster than the MLX runner."""

    name: RunnerName
    make: Callable[[], Runner]
    """A fresh stream. May raise Rejected; an error that a machine gives rise to counts as such."""
    agreement: float = 1.0
    """Share of its draws that must be those of the MLX runner. Below 1 for what adds up numbers in
    another order: in half precision that decides a draw now and then."""
    limit_s: float = 2.0
    """Seconds for all of its trial. A step that has begun is waited for."""


@dataclass(frozen=True)
class Verdict:
    """What came out for a candidate."""

    name: RunnerName
    rejected: str = ""
    """Why, in a few words; empty if it got the word."""
    step_ms: float | None = None
    """Median; None if it did not come so far."""
    reference_ms: float | None = None
    """The MLX runner's."""
    agreement: float | None = None

    def __str__(self) -> str:
        """E.g. "compiled: 41.0 ms a step, mlx 47.5 ms"."""
        if self.rejected:
            return f"{self.name} is not used: {self.rejected}"
        return f"{self.name}: {self.step_ms:.1f} ms a step, mlx {self.reference_ms:.1f} ms"


@dataclass(frozen=True)
class Run:
    """Some steps of one runner."""

    said: list[Tokens]
    step_ms: float
    """Median, without the first ones."""


def try_candidates(
    reference: Runner,
    candidates: Sequence[Candidate],
    config: LmConfig,
    clock: Clock = time.perf_counter,
) -> tuple[Runner | None, list[Verdict]]:
    """The first candidate that says what `reference` says and is faster, None if there is none;
    and a verdict for each that was tried. All of them are reset.

    Args:
        reference: a fresh MLX runner. It may remember fewer steps than the model can.
    """
    inputs = _inputs(config)
    expected = _run(reference, inputs, clock, None)
    reference.reset()
    verdicts = []
    for candidate in candidates:
        runner, verdict = _try(candidate, expected, inputs, clock)
        log.info("%s", verdict)
        verdicts.append(verdict)
        if runner is not None:
            return runner, verdicts
    return None, verdicts


def agreement(said: Sequence[Tokens], expected: Sequence[Tokens]) -> float:
    """Share of draws that are equal. In a step, those after the first other one do not count: they
    were drawn after another token."""
    equal = counted = 0
    for ours, theirs in zip(said, expected, strict=True):
        others = np.flatnonzero(ours != theirs)
        equal += int(others[0]) if len(others) else len(ours)
        counted += int(others[0]) + 1 if len(others) else len(ours)
    return equal / counted


def _try(
    candidate: Candidate, expected: Run, inputs: list[Tokens], clock: Clock
) -> tuple[Runner | None, Verdict]:
    deadline = clock() + candidate.limit_s
    try:
        runner = candidate.make()
        run = _run(runner, inputs, clock, deadline)
        runner.reset()
    except Rejected as reason:
        return None, Verdict(candidate.name, str(reason))
    except MoshiTuiError as error:
        return None, Verdict(candidate.name, error.message)
    except _FAILURES as error:
        log.warning("%s failed", candidate.name, exc_info=True)
        return None, Verdict(candidate.name, f"{type(error).__name__}: {error}")
    same = agreement(run.said, expected.said)
    rejected = ""
    if same < candidate.agreement:
        rejected = f"{same:.1%} of its draws are those of mlx, {candidate.agreement:.1%} must be"
    elif run.step_ms >= expected.step_ms:
        rejected = f"{run.step_ms:.1f} ms a step, mlx takes {expected.step_ms:.1f} ms"
    verdict = Verdict(candidate.name, rejected, run.step_ms, expected.step_ms, same)
    return None if rejected else runner, verdict


def _run(runner: Runner, inputs: list[Tokens], clock: Clock, deadline: float | None) -> Run:
    said, times = [], []
    for step, tokens in enumerate(inputs):
        if deadline is not None and clock() > deadline:
            raise Rejected(f"{step} of {len(inputs)} steps took too long")
        start = clock()
        said.append(runner.step(tokens, _SEED, step))
        times.append((clock() - start) * 1000)
    return Run(said, median(times[UNTIMED:]))


def _inputs(config: LmConfig) -> list[Tokens]:
    """[1 + n_q] for each step: any tokens will do."""
    highest = [config.text_card] + [config.card] * config.n_q
    random = np.random.default_rng(_SEED)
    return [random.integers(0, highest).astype(np.int32) for _ in range(TRIAL_STEPS)]
