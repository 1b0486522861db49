"""`moshi-tui bench`: how fast a model runs here, before anyone downloads one."""

from __future__ import annotations

import json
import sys

from rich.console import Console

from moshi_tui.bench.outputs import check_target, write
from moshi_tui.bench.speed import Part, measure
from moshi_tui.bench.speed_plan import SpeedOptions, make_plan
from moshi_tui.bench.speed_report import BUDGET_MS, as_json, heading, show, verdict
from moshi_tui.clean import clean
from moshi_tui.model import reference
from moshi_tui.model.device import report

INTERRUPTED = 130
WIDTH = 100
"""Columns where there is no terminal."""


def speed(options: SpeedOptions) -> int:
    """Measure, print each part as soon as it is known, write the file.

    Returns the exit status: 1 if a part failed, or with `check` if a frame's median is over 80 ms;
    130 after Ctrl-C. Raises UsageError: an unknown word; MoshiTuiError: the model does not fit, the
    file can't be written, or what to compare with is not installed.
    """
    if options.json is not None:
        check_target(options.json)
    device = report()
    plan = make_plan(options, device)
    if plan.against:
        reference.require()
    width = None if sys.stdout.isatty() else WIDTH
    console = Console(width=width, highlight=False, markup=False)
    console.print(heading(plan, device))
    progress = Progress()

    def show_part(part: Part) -> None:
        progress.clear()
        show(console, part)

    results = measure(plan, progress.say, show_part)
    progress.clear()
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


class Progress:
    """What is being done, on stderr: in a terminal one line that changes, else line after line.

    It moves only when there is something new: a spinner would need a thread, and its work would be
    in the figures.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._told = ""

    def say(self, text: str) -> None:
        """Tell it, unless it was the last that was told. Any thread."""
        if text == self._told:
            return
        self._told, line = text, clean(f"bench: {text}")
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._write(f"\r{line[: self._console.width - 1]}\x1b[K")
        else:
            self._write(f"{line}\n")

    def clear(self) -> None:
        """Make room for what is printed on stdout."""
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._write("\r\x1b[K")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
