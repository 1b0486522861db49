"""`moshi-tui bench`: how fast a model runs here, before anyone downloads one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from moshi_tui.bench.outputs import check_target, write
from moshi_tui.bench.speed import measure
from moshi_tui.bench.speed_plan import SpeedOptions, make_plan
from moshi_tui.bench.speed_report import BUDGET_MS, as_json, heading, show, verdict
from moshi_tui.model.device import report

INTERRUPTED = 130
WIDTH = 100
"""Columns where there is no terminal, and the least."""


def speed(options: SpeedOptions) -> int:
    """Measure, print each part as soon as it is known, write the file.

    Returns the exit status: 1 if a part failed, or with `check` if a frame's median is over 80 ms;
    130 after Ctrl-C. Raises UsageError: an unknown word; MoshiTuiError: the model does not fit, or
    the file can't be written.
    """
    if options.json is not None:
        check_target(options.json)
    device = report()
    plan = make_plan(options, device)
    width = max(WIDTH, Console().width) if sys.stdout.isatty() else WIDTH
    console = Console(width=width, highlight=False, markup=False)
    console.print(heading(plan, device))
    with _progress() as say:
        results = measure(plan, say, lambda part: show(console, part))
    words = verdict(plan, device, results)
    if results.interrupted:
        console.print("\nInterrupted: the rest was not measured.")
    console.print(f"\n{words}", soft_wrap=True)
    if options.json is not None:
        text = json.dumps(as_json(plan, device, results, words), indent=1)
        write(options.json, text + "\n")
    if results.interrupted:
        return INTERRUPTED
    slow = options.check and (results.frame is None or results.frame.median > BUDGET_MS)
    return int(slow or bool(results.failures))


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Where stderr is a terminal a line that changes, else one line after the other."""
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield lambda text: print(f"bench: {text}", file=sys.stderr, flush=True)
        return
    with console.status("bench") as status:
        yield lambda text: status.update(f"bench: {text}")
