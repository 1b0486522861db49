"""How loud both sides are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moshi_tui.ui.widgets.panel import Panel, Part, Row

if TYPE_CHECKING:
    from moshi_tui.audio.levels import Level
    from moshi_tui.session.stats import Stats

FLOOR_DB = -60.0
"""Where the bar begins; it ends at 0 dBFS."""

HOLD_SECONDS = 1.5
"""How long a peak, or a clipped sample, stays marked."""

_FALL_DB_A_SECOND = 20.0
_SIDE = 7  # cells of a side's name
_NUMBER = 5
_SIDE_BY_SIDE = 48
"""From so many cells on, and where the height allows one line only, both bars share it."""


@dataclass(frozen=True)
class Glyphs:
    """What a bar is drawn with."""

    parts: str
    """From an empty cell to a full one."""
    peak: str


BLOCKS = Glyphs(" ▏▎▍▌▋▊▉█", "▕")
ASCII = Glyphs(" -=#", "|")


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


class Meter:
    """One side's bar of the RMS level, with a mark at the held peak, and the level in dBFS.

    Rounded to what can be seen: the same row again draws nothing.
    """

    def __init__(self, side: str, glyphs: Glyphs, clock: Callable[[], float]) -> None:
        self._side = side
        self._glyphs = glyphs
        self._clock = clock
        self._hold = PeakHold()
        self._peak_db = -math.inf
        self._clipped_at = -math.inf
        self._level: Level | None = None

    def take(self, level: Level) -> None:
        """The newest level, 15 times a second."""
        now = self._clock()
        if level.clipped:
            self._clipped_at = now
        self._level = level
        self._peak_db = self._hold.update(level.peak_db, now)

    def row(self, width: int, instead: str = "") -> Row:
        """Name, bar, number in `width` cells; or the name and the words `instead`. Nothing is cut
        but the bar and the name."""
        if width < _SIDE + _NUMBER:
            return self._short_row(width, instead)
        name: Part = (f"{self._side:<{_SIDE}}"[: max(0, width)], "")
        if instead:
            return (name, (set_ellipsis(instead, width - _SIDE), "alert"))
        rms_db = -math.inf if self._level is None else self._level.rms_db
        room = max(0, width - _SIDE - _NUMBER - 1)
        clip = "CLIP"[:room] if self._clock() - self._clipped_at < HOLD_SECONDS else ""
        bar = bar_of(rms_db, self._peak_db, room, self._glyphs)[: room - len(clip)]
        before, peak, after = bar.partition(self._glyphs.peak)
        return (
            name,
            (before, "bar"),
            (peak, "peak"),
            (after, "bar"),
            (clip, "clip"),
            (f" {number(rms_db)}"[-(width - _SIDE) :], ""),
        )

    def _short_row(self, width: int, instead: str) -> Row:
        value = instead or number(-math.inf if self._level is None else self._level.rms_db)
        value = value.strip()
        if len(value) > width:
            return ((" " * max(0, width), ""),)
        name = self._side[: max(0, width - len(value) - 1)]
        return ((name.ljust(width - len(value)), ""), (value, "alert" if instead else ""))


class LevelsPanel(Panel):
    """Both meters; one under the other, or side by side where there is one line only."""

    DEFAULT_CSS = """
    LevelsPanel {
        height: 4;
        padding: 0 1;
        border: round $frame;
        border-title-color: $foreground;
        border-subtitle-color: $foreground;
    }
    """
    BORDER_TITLE = "Levels"

    def __init__(self, *, ascii: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        glyphs = ASCII if ascii else BLOCKS
        self._you = Meter("You", glyphs, clock)
        self._moshi = Meter("Moshi", glyphs, clock)
        self._words = ("", "")

    def show(self, stats: Stats, muted: str = "") -> None:
        """Take the newest levels in. `muted`: what is said instead of the user's level while it is
        muted; empty while it is not."""
        self._you.take(stats.user)
        self._moshi.take(stats.moshi)
        self._words = (
            "gone" if stats.microphone_lost else muted,
            "gone" if stats.speaker_lost else "",
        )
        volume = f"volume {stats.volume_db:+.0f} dB" if round(stats.volume_db) else ""
        if volume != (self.border_subtitle or ""):
            self.border_subtitle = volume
        self._draw()

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self._draw()

    def _draw(self) -> None:
        width, height = self.room
        you, moshi = self._words
        if height == 1 and width >= _SIDE_BY_SIDE:
            left = (width - 3) // 2
            first, second = self._you.row(left, you), self._moshi.row(width - 3 - left, moshi)
            self.set_rows([(*first, ("   ", ""), *second)])
        else:
            self.set_rows([self._you.row(width, you), self._moshi.row(width, moshi)])


def bar_of(rms_db: float, peak_db: float, width: int, glyphs: Glyphs) -> str:
    """A bar of exactly `width` cells, with the peak's mark where that lies beyond its end."""
    steps = len(glyphs.parts) - 1
    full, rest = divmod(round(_share(rms_db) * width * steps), steps)
    bar = (glyphs.parts[-1] * full + glyphs.parts[rest])[:width].ljust(width)
    peak = min(width - 1, int(_share(peak_db) * width))
    if width > 0 and peak_db > FLOOR_DB and peak > full:
        bar = f"{bar[:peak]}{glyphs.peak}{bar[peak + 1 :]}"
    return bar


def number(db: float) -> str:
    """Five cells, whole decibels. "none" is digital silence: a microphone that is off, or not
    permitted."""
    return " none" if db == -math.inf else " <-60" if db <= FLOOR_DB else f"{min(0.0, db):5.0f}"


def set_ellipsis(text: str, width: int) -> str:
    """`text` in exactly `width` cells; what is cut off is marked."""
    return text.ljust(width) if len(text) <= width else f"{text[: max(0, width - 1)]}…"[:width]


def _share(db: float) -> float:
    """How much of the bar a level fills, 0 to 1; in steps of a decibel."""
    return 0.0 if db == -math.inf else 1.0 - round(min(0.0, max(FLOOR_DB, db))) / FLOOR_DB
