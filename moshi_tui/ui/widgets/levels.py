"""How loud both sides are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult, RenderResult
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from moshi_tui.audio.levels import Level
from moshi_tui.session.stats import Stats

FLOOR_DB = -60.0
"""Where the bar begins; it ends at 0 dBFS."""

HOLD_SECONDS = 1.5
"""How long a peak, or a clipped sample, stays marked."""

_FALL_DB_A_SECOND = 20.0
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_PEAK = "│"


class PeakHold:
    """The highest peak of the last moment; then it falls."""

    def __init__(self) -> None:
        self._db = -math.inf
        self._at = -math.inf

    def update(self, peak_db: float, now: float) -> float:
        """Take a new peak in; returns the one to show. `now` in seconds of any clock."""
        fallen = self._db - max(0.0, now - self._at - HOLD_SECONDS) * _FALL_DB_A_SECOND
        if peak_db >= fallen or fallen < FLOOR_DB:
            self._db, self._at = peak_db, now
            return peak_db
        return fallen


class LevelMeter(Widget):
    """One side: name, bar of the RMS level with a mark at the held peak, level in dBFS.

    What has been clipped is said over the end of the bar, and "muted" instead of a bar.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "level-meter--name",
        "level-meter--bar",
        "level-meter--peak",
        "level-meter--clip",
        "level-meter--muted",
    }
    DEFAULT_CSS = """
    LevelMeter {
        height: 1;
    }
    LevelMeter > .level-meter--name {
        color: $foreground;
    }
    LevelMeter > .level-meter--bar {
        color: $success;
        background: $panel;
    }
    LevelMeter > .level-meter--peak {
        color: $foreground;
        background: $panel;
    }
    LevelMeter > .level-meter--clip {
        color: $text-error;
        background: $error-muted;
        text-style: bold;
    }
    LevelMeter > .level-meter--muted {
        color: $text-warning;
        text-style: bold;
    }
    """

    level: reactive[Level] = reactive(Level())
    """What is shown now: RMS and held peak."""
    muted: reactive[bool] = reactive(False)
    """Nothing is heard of this side, because the person wants it so."""

    def __init__(
        self,
        side: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._side = side
        self._clock = clock
        self._hold = PeakHold()
        self._clipped_at = -math.inf

    def show(self, level: Level, muted: bool = False) -> None:
        """Take the newest level in, 15 times a second."""
        now = self._clock()
        if level.clipped:
            self._clipped_at = now
        self.level = Level(
            level.rms_db,
            self._hold.update(level.peak_db, now),
            now - self._clipped_at < HOLD_SECONDS,
        )
        self.muted = muted

    def validate_level(self, level: Level) -> Level:
        """Whole decibels within the bar, so that what can't be seen draws nothing."""
        return Level(_quantise(level.rms_db), _quantise(level.peak_db), level.clipped)

    def render(self) -> RenderResult:
        """Name, bar or "muted", number."""
        style = self.get_visual_style
        name = f"{self._side:<6}"
        number = _number(self.level.rms_db)
        cells = max(0, self.size.width - len(name) - len(number))
        if self.muted:
            return Content.assemble(
                (name, style("level-meter--name")),
                ("muted"[:cells].ljust(cells), style("level-meter--muted")),
                end="",
            )
        bar = self._bar(cells)
        clip = "CLIP"[:cells] if self.level.clipped else ""
        bar = bar[: cells - len(clip)]
        peak = bar.find(_PEAK)
        parts = [(bar, style("level-meter--bar"))]
        if peak >= 0:
            parts = [
                (bar[:peak], style("level-meter--bar")),
                (_PEAK, style("level-meter--peak")),
                (bar[peak + 1 :], style("level-meter--bar")),
            ]
        return Content.assemble(
            (name, style("level-meter--name")),
            *parts,
            (clip, style("level-meter--clip")),
            number,
            end="",
        )

    def _bar(self, cells: int) -> str:
        eighths = round(_share(self.level.rms_db) * cells * 8)
        full, rest = divmod(eighths, 8)
        bar = (_EIGHTHS[8] * full + _EIGHTHS[rest])[:cells].ljust(cells)
        peak = min(cells - 1, int(_share(self.level.peak_db) * cells))
        if cells and self.level.peak_db > FLOOR_DB and peak > full:
            bar = f"{bar[:peak]}{_PEAK}{bar[peak + 1 :]}"
        return bar


class LevelsPanel(Vertical):
    """Both meters."""

    DEFAULT_CSS = """
    LevelsPanel {
        height: 4;
        padding: 0 1;
        border: round $foreground 30%;
        border-title-color: $foreground;
    }
    """
    BORDER_TITLE = "Levels"

    def compose(self) -> ComposeResult:
        """One meter a side."""
        yield LevelMeter("You", id="you")
        yield LevelMeter("Moshi", id="moshi")

    def show(self, stats: Stats) -> None:
        """Take the newest numbers in."""
        self.query_one("#you", LevelMeter).show(stats.user, stats.muted)
        self.query_one("#moshi", LevelMeter).show(stats.moshi)


def _quantise(db: float) -> float:
    if db == -math.inf:
        return db
    return float(round(min(0.0, max(FLOOR_DB, db))))


def _share(db: float) -> float:
    """How much of the bar a level fills, 0 to 1."""
    return 0.0 if db == -math.inf else 1.0 - db / FLOOR_DB


def _number(db: float) -> str:
    """Five cells. "none" is digital silence: a microphone that is off, or not permitted."""
    return " none" if db == -math.inf else " <-60" if db <= FLOOR_DB else f"{db:5.0f}"
