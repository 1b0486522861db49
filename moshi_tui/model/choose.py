"""Which runner makes the steps on this machine."""

from __future__ import annotations

from moshi_tui.model.plain import MlxRunner
from moshi_tui.model.runner import Plan, Runner, RunnerName


def make_runner(plan: Plan, name: RunnerName | None = None) -> Runner:
    """A fresh stream.

    Args:
        name: None: the fastest that this machine and this model allow.
    """
    return MlxRunner(plan)
