"""All numbers in one line: the compact view."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.ui.widgets.lag_history import lag_word
from moshi_tui.ui.widgets.levels import ASCII, BLOCKS, Meter
from moshi_tui.ui.widgets.panel import Panel, Part, Row, cells

if TYPE_CHECKING:
    from moshi_tui.session.stats import Stats

_METER = 21
"""Cells of a meter,"""
_SHORTEST_METER = 14
"""and where the lag would not fit beside such meters."""


class CompactLine(Panel):
    """Both meters, the lag and what explains it, as far as there is room."""

    DEFAULT_CSS = """
    CompactLine {
        height: 1;
        padding: 0 1;
        display: none;
    }
    """

    def __init__(self, *, ascii: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        glyphs = ASCII if ascii else BLOCKS
        self._you, self._moshi = Meter("You", glyphs, clock), Meter("Moshi", glyphs, clock)

    def show(self, stats: Stats, muted: str = "") -> None:
        """Take the newest numbers in. `muted`: see `LevelsPanel.show`."""
        self._you.take(stats.user)
        self._moshi.take(stats.moshi)
        if not self.display:
            return
        width = self.room.width
        numbers = _numbers(stats)
        meter = min(_METER, max(_SHORTEST_METER, (width - cells(numbers[0]) - 5) // 2))
        meter = min(meter, max(0, (width - 2) // 2))
        row: Row = (
            *self._you.row(meter, "gone" if stats.microphone_lost else muted),
            ("  ", ""),
            *self._moshi.row(meter, "gone" if stats.speaker_lost else ""),
        )
        for parts in numbers:
            if cells(row) + 3 + cells(parts) > width:
                break
            row = (*row, ("   ", ""), *parts)
        self.set_rows([row])


def _numbers(stats: Stats) -> list[tuple[Part, ...]]:
    """What follows the meters, the most telling first."""
    parts: list[tuple[Part, ...]] = []
    if round(stats.volume_db):
        parts.append((("volume ", "quiet"), (f"{stats.volume_db:+.0f} dB", "")))
    if stats.lag_ms is not None:
        word = lag_word(stats.lag_ms)
        parts.append((("lag ", "quiet"), (f"{stats.lag_ms:.0f} ms ", "strong"), (word, word)))
    if stats.step_ms is not None:
        budget = round(FRAME_SECONDS * 1000)
        parts.append((("step ", "quiet"), (f"{stats.step_ms:.0f} / {budget} ms", "")))
    skipped_ms = stats.skips.user_ms + stats.skips.moshi_ms
    parts.append((("skipped ", "quiet"), (f"{skipped_ms / 1000:.1f} s", "")))
    parts.append((("underruns ", "quiet"), (str(stats.underruns), "")))
    return parts
