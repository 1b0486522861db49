"""Scenarios times policies: which talks they get, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from moshi_tui.bench.figures import Figures, Lags, figures, lags
from moshi_tui.bench.machine import simulate
from moshi_tui.bench.policies import Policy
from moshi_tui.bench.scenarios import Scenario, Sweep
from moshi_tui.bench.talk import make_talk


@dataclass(frozen=True)
class Run:
    """One policy in one scenario."""

    figures: Figures
    lags: Lags


@dataclass(frozen=True)
class Results:
    """Everything that was simulated; the inner keys are names of policies."""

    runs: dict[str, dict[str, Run]]
    """By name of the scenario."""
    sweeps: dict[str, dict[str, list[Figures]]]
    """By name of the sweep: one for each case."""


def run_all(
    stories: Sequence[Scenario | Sweep],
    policies: Sequence[Policy],
    seed: int,
    tell: Callable[[str], None] = lambda title: None,
) -> Results:
    """Simulate everything; `tell` hears what is next."""
    results = Results({}, {})
    for story in stories:
        for policy in policies:
            tell(f"{story.name}: {policy.name}")
            if isinstance(story, Sweep):
                cases = run_sweep(story, policy, seed)
                results.sweeps.setdefault(story.name, {})[policy.name] = cases
            else:
                run = run_scenario(story, policy, seed)
                results.runs.setdefault(story.name, {})[policy.name] = run
    return results


def run_scenario(scenario: Scenario, policy: Policy, seed: int) -> Run:
    """One policy in one scenario, with the talk of that seed."""
    talk = make_talk(scenario.seconds, seed)
    trace = simulate(talk, scenario, policy, seed)
    return Run(figures(talk, trace, scenario), lags(trace))


def run_sweep(sweep: Sweep, policy: Policy, seed: int) -> list[Figures]:
    """One policy, with the stall at each moment of each talk."""
    scenario = sweep.scenario()
    cases = []
    for talk_seed in range(seed, seed + sweep.talks):
        whole = make_talk(sweep.talk_seconds, talk_seed)
        for start_s in sweep.starts():
            talk = whole.window(start_s, scenario.seconds)
            trace = simulate(talk, scenario, policy, talk_seed)
            cases.append(figures(talk, trace, scenario))
    return cases
