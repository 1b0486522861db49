"""The figures as tables in a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from moshi_tui.bench.bars import Bar, pauses_sufficed
from moshi_tui.bench.figures import Figures
from moshi_tui.bench.runs import Results
from moshi_tui.bench.scenarios import Scenario, Sweep

COLUMNS = (
    ("lag\nbefore", "before"),
    ("\nafter", "after"),
    ("\nmedian", "median"),
    ("\nmax", "most"),
    ("\nend", "final"),
    ("user\nlost", "user_lost"),
    ("Moshi\nlost", "moshi_lost"),
    ("\ncut", "moshi_cut"),
    ("sped\nup", "gained"),
    ("shed\n%", "shed"),
    ("silent\n%", "shed_silent"),
    ("row\n", "longest_row"),
    ("under-\nruns", "underruns"),
    ("gaps\n", "gaps"),
)
NOTES = """\
Lags and times in ms. Before, after: 3 s before the stall, 3 s after its end. Lost: speech that the
model never heard, or that was never played. Cut: all that was left out on Moshi's side. Sped up:
time won by playing faster. Shed: the user's frames that the model was not given; how many of them
without speech; the longest row with speech.
* where the pauses sufficed: a policy that knew the future could have been back within 80 ms."""


def show(
    console: Console, stories: Sequence[Scenario | Sweep], results: Results, bars: Sequence[Bar]
) -> None:
    """Print everything."""
    for story in stories:
        if isinstance(story, Sweep):
            console.print(_sweep_table(story, results.sweeps[story.name]))
        else:
            runs = {name: run.figures for name, run in results.runs[story.name].items()}
            console.print(_table(story.title, runs))
    console.print(Text(NOTES, "dim"))
    if bars:
        console.print(_bars_table(bars))


def as_json(results: Results, bars: Sequence[Bar], seed: int) -> dict[str, Any]:
    """The same, for programs."""
    return {
        "seed": seed,
        "scenarios": {
            name: {policy: _plain(run.figures) for policy, run in runs.items()}
            for name, runs in results.runs.items()
        },
        "sweeps": {
            name: {policy: [_plain(case) for case in cases] for policy, cases in sweep.items()}
            for name, sweep in results.sweeps.items()
        },
        "bars": [asdict(bar) for bar in bars],
    }


def _plain(figures: Figures) -> dict[str, Any]:
    return asdict(figures) | {"change": figures.change}


def _new_table(title: str) -> Table:
    return Table(title=Text(title, "bold"), title_justify="left", box=None, padding=(0, 1, 0, 0))


def _table(title: str, runs: dict[str, Figures]) -> Table:
    table = _new_table(f"\n{title}")
    table.add_column("\npolicy", no_wrap=True)
    for heading, _ in COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for policy, figures in runs.items():
        table.add_row(policy, *(_number(getattr(figures, field)) for _, field in COLUMNS))
    return table


def _sweep_table(sweep: Sweep, cases_of: dict[str, list[Figures]]) -> Table:
    count = len(next(iter(cases_of.values())))
    table = _new_table("\n" + sweep.title.format(cases=count) + ": median and worst")
    table.add_column("\npolicy", no_wrap=True)
    for heading in ("lag after -\nbefore", "user\nlost", "Moshi\nlost", "Moshi\ncut", "sped\nup"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("speech lost *\n(cases)", justify="right")
    for policy, cases in cases_of.items():
        changes = [case.change for case in cases if case.change is not None]
        enough = [case for case in cases if pauses_sufficed(case)]
        lost = max((case.user_lost + case.moshi_lost for case in enough), default=0.0)
        table.add_row(
            policy,
            _both(changes, "+.0f"),
            *(_both([getattr(case, each) for case in cases]) for each in _SWEPT),
            f"{lost:.0f} ({len(enough)})",
        )
    return table


_SWEPT = ("user_lost", "moshi_lost", "moshi_cut", "gained")


def _both(values: Sequence[float], form: str = ".0f") -> str:
    """Median and worst."""
    if not values:
        return "-"
    return f"{median(values):{form}} {max(values, key=abs):{form}}"


def _bars_table(bars: Sequence[Bar]) -> Table:
    table = _new_table("\nbars")
    for heading in ("what", "measured", "wanted", ""):
        table.add_column(heading)
    for bar in bars:
        verdict = Text("pass", "green") if bar.passed else Text("FAIL", "bold red")
        table.add_row(bar.what, bar.measured, bar.wanted, verdict)
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value < 99_999.5 else f"{value / 1000:.0f}k"
