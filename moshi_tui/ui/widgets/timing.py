"""Whether the program keeps up, in numbers and a word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.events import MouseMove
from textual.geometry import Offset

from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.ui.numbers import MEANINGS
from moshi_tui.ui.widgets.lag_history import ASCII_BARS, BARS, LagHistory, lag_word
from moshi_tui.ui.widgets.panel import Panel, Row, cells, spread

if TYPE_CHECKING:
    from moshi_tui.session.stats import Stats

COLUMN = 24
"""Cells that a column of numbers needs; where there is room for two, there are two."""

_GAP = 3
_LABEL = 12
_BUDGET_MS = round(FRAME_SECONDS * 1000)
_SPAN = " 60 s"
_GRAPH_ROWS = 5
"""Height of the lag's curve where there are lines to spare."""
_LABELS = sorted(MEANINGS, key=len, reverse=True)


class TimingPanel(Panel):
    """Lag first; what explains it below, the most telling first where there is little room."""

    DEFAULT_CSS = """
    TimingPanel {
        height: 1fr;
        padding: 0 1;
        border: round $frame;
        border-title-color: $foreground;
    }
    """
    BORDER_TITLE = "Timing"

    def __init__(self, *, ascii: bool = False) -> None:
        super().__init__()
        self._bars = ASCII_BARS if ascii else BARS
        self._history = LagHistory()
        self._stats: Stats | None = None

    def note(self, stats: Stats) -> None:
        """Remember a lag without drawing anything."""
        self._history.add(stats.elapsed_s, stats.lag_ms)

    def remember(self, lags: Iterable[tuple[float, float | None]]) -> None:
        """The lags so far no longer count, but these: seconds since the start, and milliseconds or
        None; in order."""
        self._history = LagHistory()
        for elapsed_s, lag_ms in lags:
            self._history.add(elapsed_s, lag_ms)

    def show(self, stats: Stats) -> None:
        """Take the newest numbers in."""
        self.note(stats)
        self._stats = stats
        self._draw()

    def on_resize(self) -> None:
        """More or less fits."""
        self._draw()

    def on_mouse_move(self, event: MouseMove) -> None:
        """Whoever points at a number is told what it means."""
        self.tooltip = self._meaning(event.get_content_offset(self))

    def _meaning(self, spot: Offset | None) -> str | None:
        if spot is None or spot.y >= len(self.rows):
            return None
        line = "".join(text for text, _ in self.rows[spot.y])
        columns = max(1, (self.room.width + _GAP) // (COLUMN + _GAP))
        begin = spot.x // ((self.room.width + _GAP) // columns)
        cell = line[begin * ((self.room.width + _GAP) // columns) :]
        label = next((label for label in _LABELS if cell.startswith(label)), "60 s")
        return MEANINGS[label] if cell.strip() else None

    def _draw(self) -> None:
        if self._stats is None:
            return
        width, height = self.room
        columns = max(1, (width + _GAP) // (COLUMN + _GAP))
        column = (width - _GAP * (columns - 1)) // columns
        groups = self._groups(self._stats, column)
        rows = [row for group in groups for row in group]
        spare = height - len(rows) - (len(groups) - 1)
        if columns == 1 and spare >= 0:
            if spare >= _GRAPH_ROWS:
                groups = self._groups(self._stats, column, _GRAPH_ROWS)
            rows = [row for group in groups for row in (*group, ())][:-1]
        self.set_rows(_beside(rows[: columns * height], height, columns, column))

    def _groups(self, stats: Stats, width: int, graph_rows: int = 1) -> list[list[Row]]:
        """All rows, `width` cells wide at most: what is most telling first."""
        skips = stats.skips
        lag = (("lag".ljust(_LABEL), "quiet"), (_ms(stats.lag_ms), "strong"))
        word = lag_word(stats.lag_ms)
        *higher, graph = self._history.graph(width - len(_SPAN), graph_rows, self._bars)
        speed = "" if _factor(stats.playout_speed) == "1" else f" {_factor(stats.playout_speed)}x"
        memory = f"{stats.memory_bytes / 1e9:.1f} GB" if stats.memory_bytes else "-"
        devices = f"{stats.input_latency_ms:.0f} + {stats.output_latency_ms:.0f} ms"
        more = [
            _row("encode", _ms(stats.encode_ms)),
            _row("decode", _ms(stats.decode_ms)),
            _row("devices", devices),
            _row("xruns", f"in {stats.input_overflows} out {stats.output_underflows}"),
        ]
        if stats.dropped_output_ms:  # what is dropped of the input counts as skipped
            more.append(_row("dropped out", _seconds(stats.dropped_output_ms)))
        if skips.moshi_speed_ms:
            more.append(_row("hurried", _seconds(skips.moshi_speed_ms)))
        return [
            [
                spread(lag, ((word, word),) if word else (), width),
                *higher,
                (*graph, (_SPAN, "quiet")),
                self._history.words(),
            ],
            [
                _row("step", _step(stats.step_ms)),
                _row("backlog", _ms(stats.backlog_frames * FRAME_SECONDS * 1000)),
                _row("skipped in", _skipped(skips.user_ms, skips.user_speech_ms)),
                _row("skipped out", _skipped(skips.moshi_ms, skips.moshi_speech_ms)),
                _row("underruns", str(stats.underruns)),
                _row("playout", f"{stats.playout_ms:.0f} ms{speed}"),
            ],
            [_row("context", _context(stats)), _row("memory", memory)],
            more,
        ]


def _beside(rows: list[Row], height: int, columns: int, width: int) -> list[Row]:
    """In columns of `height` rows each."""
    if columns == 1 or height <= 0:
        return rows
    lines: list[Row] = []
    for y in range(min(height, len(rows))):
        line: Row = ()
        for x, row in enumerate(rows[y::height]):
            if x:
                line = (*line, (" " * (x * (width + _GAP) - cells(line)), ""))
            line = (*line, *row)
        lines.append(line)
    return lines


def _row(label: str, value: str) -> Row:
    return ((label.ljust(_LABEL), "quiet"), (value, ""))


def _ms(value: float | None) -> str:
    """ "142 ms", "1.2 s": four digits are read slower than two."""
    if value is None:
        return "-"
    return f"{value:.0f} ms" if value < 9999.5 else f"{value / 1000:.0f} s"


def _step(step_ms: float | None) -> str:
    if step_ms is None:
        return "-"
    if step_ms < 9999.5:
        return f"{step_ms:.0f} / {_BUDGET_MS} ms"
    return f"{step_ms / 1000:.0f} s / {_BUDGET_MS} ms"


def _context(stats: Stats) -> str:
    used, size = (frames * FRAME_SECONDS for frames in (stats.context_frames, stats.context_size))
    return f"{used:.0f} of {size:.0f} s"


def _skipped(ms: float, speech_ms: float) -> str:
    """Seconds; a ! where there was speech in them."""
    return f"{_seconds(ms)}{' !' if speech_ms else ''}"


def _seconds(ms: float) -> str:
    """ "0 s", "0.3 s", "120 s"."""
    if ms < 50:
        return "0 s"
    return f"{ms / 1000:.1f} s" if ms < 9_950 else f"{ms / 1000:.0f} s"


def _factor(speed: float) -> str:
    return f"{speed:.2f}".rstrip("0").rstrip(".")
