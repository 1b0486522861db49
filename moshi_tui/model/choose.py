"""Which runner makes the steps on this machine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import mlx.core as mx

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model.compiled import CompiledRunner
from moshi_tui.model.device import is_cpu, is_cuda, is_metal
from moshi_tui.model.host import NumpyRunner, ring_bytes
from moshi_tui.model.host_weights import bytes_to_write
from moshi_tui.model.kernel.runner import KernelRunner, let_go, problem
from moshi_tui.model.lm import Lm
from moshi_tui.model.per_model import PerModel
from moshi_tui.model.plain import MlxRunner
from moshi_tui.model.runner import Plan, Runner, RunnerName
from moshi_tui.model.trial import TRIAL_STEPS, Candidate, Verdict, try_candidates
from moshi_tui.ram import ram

log = logging.getLogger(__name__)


def _kernel(plan: Plan) -> Runner:
    """For whoever asks for it by name. Raises MoshiTuiError."""
    why = problem(plan)
    if why is not None:
        raise _no_kernel(why)
    return KernelRunner(plan)


def _no_kernel(why: str) -> MoshiTuiError:
    hint = "Leave out --runner (--runner auto, if the settings name it)."
    return MoshiTuiError("The kernel can't run here", f"{why}.", hint)


def check_runner(name: str | None) -> None:
    """Refuse what can't run here whatever the model: to be known before gigabytes are loaded.
    Raises MoshiTuiError."""
    if name == "kernel" and not is_cuda():
        raise _no_kernel("it is for NVIDIA GPUs")


RUNNERS: dict[RunnerName, Callable[[Plan], Runner]] = {
    "mlx": MlxRunner,
    "compiled": CompiledRunner,
    "kernel": _kernel,
    "numpy": NumpyRunner,
}

SPARE = 2_000_000_000
"""Bytes of memory to leave: the codecs come after the model."""


def make_runner(plan: Plan, name: RunnerName | None = None) -> Runner:
    """A fresh stream.

    Args:
        name: None: the fastest that this machine and this model allow. On a GPU that is tried, a
            few seconds, the first time that a model is given.
    """
    if name is None and (candidates := _candidates(plan)):
        return _best(plan, candidates)
    return RUNNERS[name or fastest(plan.model)](plan)


def verdicts(model: Lm) -> list[Verdict]:
    """What came out for the runners that `make_runner` tried with `model`; none on the CPU."""
    tried = _tried.get(model)
    return tried.verdicts if tried else []


def fastest(model: Lm, available: int | None = None) -> RunnerName:
    """What the benchmark (tests/bench/host.py) found to be the fastest for `model`.

    On the CPU NumPy is, also when the weights must be written out as float32 first, if they fit.

    Args:
        available: bytes of memory; None: what there is now.
    """
    if not is_cpu():
        return "mlx"
    written = bytes_to_write(model)
    if not written:
        return "numpy"
    needed = written + ring_bytes(model.config) + SPARE
    left = ram().available if available is None else available
    log.info(
        "%s weights as float32 and a full context need %.1f GB, %.1f GB are free: %s",
        model.quantisation,
        needed / 1e9,
        left / 1e9,
        "they are written out" if needed <= left else "they stay as they are, and steps are slow",
    )
    return "numpy" if needed <= left else "mlx"


@dataclass(frozen=True)
class _Tried:
    best: RunnerName
    verdicts: list[Verdict]


_tried = PerModel[_Tried]()

KERNEL_AGREEMENT = 0.6
"""Share of the kernel's draws that must be MLX's in half precision, which MLX rounds to after every
operation, the kernel only when it stores keys and values. One that is wrong hits a few percent."""

KERNEL_LIMIT_S = 60.0
"""At the first start ever, building it takes up to 10 s, beside the reference's kernels."""


def _candidates(plan: Plan) -> list[Candidate]:
    """What may be faster than the MLX runner here, the most promising first."""
    if is_metal():
        return [Candidate("compiled", lambda: CompiledRunner.ready(plan))]
    if not is_cuda():
        return []
    why = problem(plan)
    if why is not None:
        log.info("kernel is not used: %s", why)
        return []
    agreement = 0.99 if plan.model.dtype == mx.float32 else KERNEL_AGREEMENT
    return [Candidate("kernel", lambda: KernelRunner(plan), agreement, KERNEL_LIMIT_S)]


def _best(plan: Plan, candidates: list[Candidate]) -> Runner:
    """The MLX runner, or the candidate that beats it."""
    model = plan.model
    tried = _tried.get(model)
    if tried is not None:
        return RUNNERS[tried.best](plan)
    # With rings for the trial's steps only: those of a talk take gigabytes.
    reference = MlxRunner(plan, model.make_state(TRIAL_STEPS))
    runner, found = try_candidates(reference, candidates, model.config)
    _tried.set(model, _Tried(runner.name if runner else "mlx", found))
    if any(candidate.name == "kernel" for candidate in candidates):
        # The kernel's runner has moved the weights, also if it lost: what the MLX runner's stacks
        # hold lies in memory twice by now.
        model.unstack()
    if runner is not None:
        return runner
    let_go(model)
    return MlxRunner(plan)
