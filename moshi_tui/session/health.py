"""What is wrong with the talk, in words: what is to blame, by how much, and what to try.

Pure decisions from a `Stats`. `Health` remembers no more than its last verdict, so that a machine
at the edge of the budget does not come and go.
"""

from __future__ import annotations

import math
import sys
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

SILENT_FROM_SECONDS = 5.0
"""Digital silence for so long is no pause: the quietest room makes some noise."""

ECHO_FROM_DB = -34.0
"""Moshi this loud in the microphone (relative to what is played) is heard by the model..."""
ECHO_UNTIL_DB = -38.0
ECHO_SECONDS = 3.0
"""...if it stays so for so long. Seconds of the talk."""

HOLD_SECONDS = 3.0
"""A stage that has been too slow for so long is worth a notice; less is a busy moment."""
KEEPS_UP_SECONDS = 5.0
"""After so long without it, a machine that was too slow keeps up again."""
TELL_AGAIN_SECONDS = 60.0
"""A machine that was too slow is worth another notice after so long without it."""

Stage = Literal["model", "encode", "decode"]
Late = Literal["", "model", "encode", "decode", "stalled", "behind"]
Culprit = Literal[Late, "microphone", "speaker", "silent", "echo", "recording"]
"""What is wrong; the first of these is told: a device that is gone, a stage that is too slow, a
model that does not answer, a delay that is being caught up, a microphone that delivers nothing, one
that hears Moshi, a recording that has ended by itself. Empty: nothing."""

_PERMISSION = "check the terminal's microphone permission;"
_SWITCH = "is it muted or turned down in the system?"

_ANOTHER = " – d chooses another one"
_WHY_LENGTH = 50

_NAMES: dict[Stage, str] = {
    "model": "model",
    "encode": "codec's encoding",
    "decode": "codec's decoding",
}


class Health:
    """Judges one snapshot after the other.

    Each attribute is swapped in one assignment, so several threads may ask: the worst that can
    come of it is a verdict by the threshold of a moment ago.
    """

    def __init__(self) -> None:
        self.culprit: Culprit = ""
        self._late: Late = ""
        self._echo_since: float | None = None

    def judge(self, stats: Stats) -> str:
        """One line, empty while all is well."""
        # Judged also while something else is told, so that the thresholds depend on it alone.
        self._late = late = too_late(stats, self._late)
        self.culprit = found = culprit(stats, late, self._echo_lasts_s(stats))
        return health(stats, found)

    def _echo_lasts_s(self, stats: Stats) -> float:
        """For how long an echo has been too loud, by the clock of the talk."""
        limit = ECHO_FROM_DB if self._echo_since is None else ECHO_UNTIL_DB
        if stats.echo_db is None or stats.echo_db < limit:
            self._echo_since = None
            return 0.0
        since = self._echo_since
        if since is None:
            self._echo_since = since = stats.elapsed_s
        return stats.elapsed_s - since


class SlowWatch:
    """Which notices a machine that is too slow deserves: one when it has been so for a while, and
    one when it keeps up again. Asked about once a second, by one thread."""

    def __init__(self) -> None:
        self._late: Late = ""
        self._since: float | None = None
        self._slow_at = -math.inf
        self._told = False

    def look(self, stats: Stats, now: float, smaller: str = "--quant 4") -> Notice | None:
        """The notice to tell now, if any.

        Args:
            now: seconds of any clock.
            smaller: the option that makes the model quicker; empty where there is none.
        """
        self._late = late = too_late(stats, self._late)
        if late not in _NAMES:
            self._since = None
            if not self._told or now - self._slow_at <= KEEPS_UP_SECONDS:
                return None
            self._told = False
            return Notice("Keeping up again", "nothing needs to be left out now.")
        self._since = now if self._since is None else self._since
        if self._told:
            self._slow_at = now
        elif now - self._since >= HOLD_SECONDS and now - self._slow_at > TELL_AGAIN_SECONDS:
            self._told, self._slow_at = True, now
            return slow_notice(stats, late, smaller)
        return None


def culprit(stats: Stats, late: Late, echo_s: float = 0.0) -> Culprit:
    """What is to blame.

    Args:
        late: what `too_late` says.
        echo_s: for how long there has been a loud echo.
    """
    if stats.microphone_lost:
        return "microphone"
    if stats.speaker_lost:
        return "speaker"
    if late:
        return late
    unheard = _unheard(stats, echo_s) if stats.elapsed_s >= SETTLE_SECONDS else ""
    return unheard or ("recording" if stats.recording_error else "")


def _unheard(stats: Stats, echo_s: float) -> Culprit:
    """What is wrong with what the model hears."""
    if stats.silent_s > SILENT_FROM_SECONDS and not stats.muted:
        return "silent"
    return "echo" if echo_s > ECHO_SECONDS and not stats.muted else ""


def too_late(stats: Stats, before: Late = "") -> Late:
    """What keeps the talk from being on time, if it was `before` a moment ago: the thresholds
    depend on it. Empty where it is on time."""
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
    """The culprit in words and numbers, and what to try."""
    match culprit:
        case "":
            return ""
        case "microphone":
            return f"microphone is gone: {_short(stats.microphone_lost)}{_ANOTHER}"
        case "speaker":
            return f"speaker is gone: {_short(stats.speaker_lost)}{_ANOTHER}"
        case "recording":
            error = _short(stats.recording_error)
            remedy = "free some space, then c" if "full" in error else "c tries again"
            return f"not recording: {error} – {remedy}"
        case "stalled":
            return f"the model has not answered for {stats.stalled_ms / 1000:.1f} s"
        case "behind":
            return f"catching up: {_behind_ms(stats) / 1000:.1f} s behind"
        case "silent":
            check = _PERMISSION if sys.platform == "darwin" else _SWITCH
            return f"microphone is silent: {check} d chooses another one"
        case "echo":
            return "Moshi hears itself: wear headphones, or play it softer with -"
    ms = round(_times(stats)[culprit])
    name, budget = _NAMES[culprit], round(BUDGET_MS)
    if ms < 1000:
        return f"{name} {ms} ms a frame, {ms - budget} over budget: {_loss(ms)}"
    return f"{name} {ms / 1000:.1f} s a frame, budget {budget} ms: {_loss(ms)}"


def slow_notice(stats: Stats, worst: Stage, smaller: str = "--quant 4") -> Notice:
    """To be told once, when the machine has been too slow for a while.

    Args:
        stats: those by which it is.
        worst: the stage that is to blame.
        smaller: the option that makes the model quicker; empty where there is none.
    """
    ms = _times(stats)[worst]
    takes = f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
    message = (
        f"the {_NAMES[worst]} takes {takes} for a frame of {BUDGET_MS:.0f} ms: {_loss(round(ms))}."
    )
    hint = "Close other programs"
    if worst == "model" and smaller:
        hint += f", or start with {smaller}"
    hint += "."
    if worst == "model" and stats.context_frames > stats.context_size / 2:
        hint += " On the screen, r begins with an empty context, which is quicker for a while."
    return Notice("This machine is too slow", message, hint)


def _short(why: str) -> str:
    """A reason from outside, so that the line ends with what to try and not in the middle."""
    why = why.strip().rstrip(".")
    why = why[:1].lower() + why[1:]
    return why if len(why) <= _WHY_LENGTH else f"{why[: _WHY_LENGTH - 1].rstrip()}…"


def _times(stats: Stats) -> dict[Stage, float]:
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
