"""The last minute of the lag, and how good it was."""

from __future__ import annotations

from collections import deque
from itertools import groupby, pairwise

from moshi_tui.ui.widgets.panel import Part, Row

GOOD_MS = 250.0
"""A lag below it is good: as in a talk between two rooms."""
FAIR_MS = 500.0
"""A lag below it is fair; from here on people talk over each other."""
SPAN_SECONDS = 60

BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-=+*%#"

_FULL_MS = 600.0
_WORDS = ("good", "fair", "poor")


def lag_word(lag_ms: float | None) -> str:
    """ "good", "fair" or "poor"; empty while unknown."""
    if lag_ms is None:
        return ""
    return "good" if lag_ms < GOOD_MS else "fair" if lag_ms < FAIR_MS else "poor"


class LagHistory:
    """The worst lag of each of the last 60 seconds."""

    def __init__(self) -> None:
        self._seconds: deque[float | None] = deque(maxlen=SPAN_SECONDS)
        self._now = -1

    def add(self, elapsed_s: float, lag_ms: float | None) -> None:
        """A lag measured `elapsed_s` after the start; seconds without one stay empty."""
        second = int(elapsed_s)
        if second < self._now:
            self._seconds.clear()
            self._now = -1
        for _ in range(min(second - self._now, SPAN_SECONDS)):
            self._seconds.append(None)
        self._now = second
        if lag_ms is not None and self._seconds:
            self._seconds[-1] = max(lag_ms, self._seconds[-1] or 0.0)

    def graph(self, width: int, rows: int = 1, glyphs: str = BARS) -> list[Row]:
        """`rows` rows of at most `width` cells, newest on the right, each column with the look of
        its word; full height is 600 ms and more."""
        columns = self._columns(min(width, SPAN_SECONDS))
        bars = [_bar(worst, rows, glyphs) for worst in columns]
        looks = [lag_word(worst) for worst in columns]
        lines: list[Row] = []
        for row in range(rows):
            cells = [(bar[row], look) for bar, look in zip(bars, looks, strict=True)]
            runs = groupby(cells, key=lambda cell: cell[1])
            lines.append(tuple(("".join(text for text, _ in run), look) for look, run in runs))
        return lines

    def words(self) -> Row:
        """How many of the seconds were good, fair and poor; words that would count none are left
        out."""
        known = [lag_word(lag) for lag in self._seconds if lag is not None]
        counts = [(word, known.count(word)) for word in _WORDS]
        parts = [(f"{word} {count}", word) for word, count in counts if count]
        row: list[Part] = []
        for part in parts:
            row += [(" ", ""), part] if row else [part]
        return tuple(row)

    def _columns(self, width: int) -> list[float | None]:
        """The worst lag of each column."""
        if width <= 0:
            return []
        seconds = [None] * (SPAN_SECONDS - len(self._seconds)) + list(self._seconds)
        edges = [SPAN_SECONDS * column // width for column in range(width + 1)]
        columns: list[float | None] = []
        for left, right in pairwise(edges):
            known = [lag for lag in seconds[left:right] if lag is not None]
            columns.append(max(known) if known else None)
        return columns


def _bar(lag_ms: float | None, rows: int, glyphs: str) -> str:
    """A column, from the top down."""
    if lag_ms is None:
        return " " * rows
    height = min(1.0, lag_ms / _FULL_MS)
    full, rest = divmod(int(height * (len(glyphs) * rows - 1)), len(glyphs))
    top = glyphs[rest]
    return (glyphs[-1] * full + top).ljust(rows)[::-1]
