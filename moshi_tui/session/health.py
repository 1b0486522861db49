"""Whether the talk keeps up, in words: what is to blame, and by how much.

Pure decisions from a `Stats`. `Health` remembers no more than its last verdict, so that a machine
at the edge of the budget does not come and go.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.session.events import Notice
from moshi_tui.session.stats import Stats

BUDGET_MS = FRAME_SECONDS * 1000
"""Model, encoder and decoder work side by side; each has this long for a frame."""

SLOW_FROM_MS = 82.0
"""A median above it is too slow: what lies between it and the budget comes and goes by itself."""
SLOW_UNTIL_MS = 80.5
"""What was too slow is so until here (just above the budget: "0 over budget" is no complaint)."""

BEHIND_FROM_MS = 500.0
"""A lag of our own (without the devices') above it is more than any frame takes on its way: time
that is being made up for."""
BEHIND_UNTIL_MS = 350.0

SETTLE_SECONDS = 3.0
"""The start of a talk says little: first steps are slow, medians are of few."""

_STICKY = 1.1
"""Of two that are too slow, the one blamed before stays to blame unless the other is slower by
this factor."""

STALLED_FROM_MS = 500.0
"""A step that takes so long, and `STALLED_TIMES` its usual time, is a stall."""
STALLED_TIMES = 4.0

Culprit = Literal["", "model", "encode", "decode", "stalled", "behind"]
"""What is wrong: nothing, a stage that is too slow, a model that does not answer, or only a delay
that is being caught up."""

_NAMES = {"model": "model", "encode": "codec's encoding", "decode": "codec's decoding"}


class Health:
    """Judges one snapshot after the other.

    Its one attribute is swapped in one assignment, so several threads may ask: the worst that can
    come of it is a verdict by the threshold of a moment ago.
    """

    def __init__(self) -> None:
        self.culprit: Culprit = ""

    def judge(self, stats: Stats) -> str:
        """One line, empty while all is well."""
        self.culprit = found = culprit(stats, self.culprit)
        return health(stats, found)

    @property
    def slow(self) -> bool:
        """Whether a stage takes longer than a frame lasts (by the last verdict)."""
        return self.culprit in _NAMES


def culprit(stats: Stats, before: Culprit = "") -> Culprit:
    """What is to blame, if it was `before` a moment ago: the thresholds depend on it."""
    if stats.elapsed_s < SETTLE_SECONDS:
        return ""
    times = _times(stats)
    slow = [
        name
        for name, ms in times.items()
        if ms > (SLOW_UNTIL_MS if name == before else SLOW_FROM_MS)
    ]
    if slow:
        return max(slow, key=lambda name: times[name] * (_STICKY if name == before else 1.0))
    if stats.stalled_ms > max(STALLED_FROM_MS, STALLED_TIMES * (stats.step_ms or 0.0)):
        return "stalled"
    behind = _behind_ms(stats) - stats.input_latency_ms - stats.output_latency_ms
    limit = BEHIND_UNTIL_MS if before == "behind" else BEHIND_FROM_MS
    return "behind" if behind > limit else ""


def health(stats: Stats, culprit: Culprit) -> str:
    """The culprit in words and numbers."""
    if culprit == "":
        return ""
    if culprit == "stalled":
        return f"the model has not answered for {stats.stalled_ms / 1000:.1f} s"
    if culprit == "behind":
        return f"catching up: {_behind_ms(stats) / 1000:.1f} s behind"
    ms = round(_times(stats)[culprit])
    name, budget = _NAMES[culprit], round(BUDGET_MS)
    if ms < 1000:
        return f"{name} {ms} ms a frame, {ms - budget} over budget: {_loss(ms)}"
    return f"{name} {ms / 1000:.1f} s a frame, budget {budget} ms: {_loss(ms)}"


def slow_notice(stats: Stats, smaller: str = "--quant 4") -> Notice:
    """To be told once, when the machine begins to be too slow.

    Args:
        stats: those by which it is.
        smaller: the option that makes the model quicker; empty where there is none.
    """
    times = _times(stats)
    worst = max(times, key=lambda name: times[name])
    ms = times[worst]
    takes = f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
    message = f"it takes {takes} for a frame of {BUDGET_MS:.0f} ms: {_loss(round(ms))}."
    hint = "Close other programs"
    if worst == "model" and smaller:
        hint += f", or start with {smaller}"
    hint += "."
    if worst == "model" and stats.context_frames > stats.context_size / 2:
        hint += " On the screen, r begins with an empty context, which is quicker for a while."
    return Notice(f"The {_NAMES[worst]} is too slow", message, hint)


def _times(stats: Stats) -> dict[Literal["model", "encode", "decode"], float]:
    return {
        "model": stats.step_ms or 0.0,
        "encode": stats.encode_ms or 0.0,
        "decode": stats.decode_ms or 0.0,
    }


def _behind_ms(stats: Stats) -> float:
    """The lag, or what waits for the model if that is more: while it stalls nothing new is
    played, so the lag is not measured."""
    return max(stats.lag_ms or 0.0, stats.backlog_frames * BUDGET_MS)


def _loss(ms: int) -> str:
    """How much gets lost if each frame takes `ms`: in that time ms / 80 frames come."""
    over = max(1, ms - round(BUDGET_MS))
    lost = Fraction(over, over + round(BUDGET_MS))
    if lost < Fraction(1, 4):
        return f"skipping 1 frame in {round(1 / lost)}"
    if lost < Fraction(4, 5):
        few = lost.limit_denominator(5)
        frames = "frame" if few.numerator == 1 else "frames"
        return f"skipping {few.numerator} {frames} in {few.denominator}"
    return f"playing 1 frame in {round(1 / (1 - lost))}"
