"""`moshi-tui bench lag`: simulate, print, write the files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from moshi_tui.bench import picture, report
from moshi_tui.bench.bars import check
from moshi_tui.bench.ours import OURS
from moshi_tui.bench.outputs import check_target, write
from moshi_tui.bench.policies import PEERS, Policy
from moshi_tui.bench.runs import run_all
from moshi_tui.bench.scenarios import SCENARIOS, SWEEPS, Scenario, Sweep, quick
from moshi_tui.errors import UsageError

POLICIES: Sequence[Policy] = (OURS, *PEERS)
STORIES: Sequence[Scenario | Sweep] = (*SCENARIOS, *SWEEPS)
SEED = 1
WIDTH = 100
"""Columns of the tables where there is no terminal, and the least: a narrower terminal wraps the
lines, which is better than numbers without their ends."""

Named = TypeVar("Named")


@dataclass(frozen=True)
class LagOptions:
    """What `moshi-tui bench lag` was asked for; None: all of them."""

    scenario: str | None = None
    policy: str | None = None
    svg: Path | None = None
    json: Path | None = None
    seed: int = SEED
    quick: bool = False
    check: bool = False


def lag(options: LagOptions) -> int:
    """Simulate, print, write the files. Returns the exit status: 1 if `check` and a bar fails.

    Raises UsageError: unknown name, or nothing to draw; MoshiTuiError: a file can't be written.
    """
    chosen = _named("scenario", STORIES, [each.name for each in STORIES], options.scenario)
    policies = _named("policy", POLICIES, [each.name for each in POLICIES], options.policy)
    stories = [quick(story) if options.quick else story for story in chosen]
    for path in (options.svg, options.json):
        if path is not None:
            check_target(path)
    if options.svg is not None and options.scenario in [sweep.name for sweep in SWEEPS]:
        raise UsageError(
            "Nothing to draw", f"{options.scenario} is a table of many cases", "Leave out --svg."
        )
    width = max(WIDTH, Console().width) if sys.stdout.isatty() else WIDTH
    console = Console(width=width, highlight=False)
    with Console(stderr=True).status("bench lag") as status:
        results = run_all(stories, policies, options.seed, status.update)
    bars = check(results)
    report.show(console, stories, results, bars)
    if options.svg is not None:
        titles = {story.name: story.title for story in stories}
        names = {policy.name: policy.title for policy in policies}
        write(options.svg, picture.draw(results, titles, names))
    if options.json is not None:
        text = json.dumps(report.as_json(results, bars, options.seed), indent=1)
        write(options.json, text + "\n")
    return int(options.check and not all(bar.passed for bar in bars))


def _named(
    kind: str, things: Sequence[Named], names: Sequence[str], wanted: str | None
) -> Sequence[Named]:
    if wanted is None:
        return things
    if wanted not in names:
        hint = f"There are: {', '.join(names)}."
        raise UsageError(f"No such {kind}", wanted, hint)
    return [things[names.index(wanted)]]
