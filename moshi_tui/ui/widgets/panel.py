"""Rows of styled text that are drawn only where they have changed.

All that moves on the screen is made of these. A widget a number, as one would write it first, costs
three times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from moshi_tui.ui.widgets.kept import Kept

Part = tuple[str, str]
"""Text and how it looks: one of `LOOKS`, or "" for plain."""
Row = tuple[Part, ...]

LOOKS = ("quiet", "strong", "accent", "good", "fair", "poor", "bar", "peak", "clip", "alert")

_KEPT_STRIPS = 400


class Panel(Kept, Widget):
    """Shows the rows of `set_rows`, cut or filled up to its width; what does not fit its height is
    left out."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"panel--{look}" for look in LOOKS}
    DEFAULT_CSS = """
    Panel > .panel--quiet { color: $quiet; }
    Panel > .panel--strong { color: $foreground; text-style: bold; }
    Panel > .panel--accent { color: $text-primary; text-style: bold; }
    Panel > .panel--good { color: $text-success; }
    Panel > .panel--fair { color: $text-warning; }
    Panel > .panel--poor { color: $text-error; text-style: bold; }
    Panel > .panel--bar { color: $success; background: $panel; }
    Panel > .panel--peak { color: $foreground; background: $panel; }
    Panel > .panel--clip { color: $text-error; background: $error-muted; text-style: bold; }
    Panel > .panel--alert { color: $text-warning; text-style: bold; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: tuple[Row, ...] = ()
        self._strips: dict[tuple[Row, int], Strip] = {}
        self._looks: dict[str, Style] = {}
        self._measured: tuple[Size, Size] | None = None

    @property
    def room(self) -> Size:
        """`content_size`, which takes Textual a while to find out, remembered."""
        if self._measured is None or self._measured[0] != self.outer_size:
            self._measured = (self.outer_size, self.content_size)
        return self._measured[1]

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is shown."""
        return self._rows

    @property
    def text(self) -> str:
        """The same without looks, line by line."""
        return "\n".join("".join(text for text, _ in row) for row in self._rows)

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these; only those that differ are painted."""
        old, self._rows = self._rows, tuple(rows)
        if old == self._rows:
            return
        height = max(len(old), len(rows))
        changed = [y for y in range(height) if y >= len(old) or y >= len(rows) or old[y] != rows[y]]
        width = self.room.width
        self.refresh(*(Region(0, y, width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        """A row of the content."""
        width = self.room.width
        row = self._rows[y] if y < len(self._rows) else ()
        strip = self._strips.get((row, width))
        if strip is None:
            if len(self._strips) >= _KEPT_STRIPS:
                self._strips.clear()
            segments = [Segment(text, self._look(look)) for text, look in row if text]
            strip = Strip(segments).adjust_cell_length(width, self._look(""))
            self._strips[row, width] = strip
        return strip

    def notify_style_update(self) -> None:
        """Colours may be others."""
        super().notify_style_update()
        self._strips.clear()
        self._looks.clear()
        self._measured = None

    def _look(self, look: str) -> Style:
        if look not in self._looks:
            name = f"panel--{look}"
            self._looks[look] = self.get_component_rich_style(name) if look else self.rich_style
        return self._looks[look]


def cells(row: Row) -> int:
    """Width of a row."""
    return sum(cell_len(text) for text, _ in row)


def spread(left: Row, right: Row, width: int) -> Row:
    """`left` and `right` at the two ends of a line; the gap between them is at least a cell."""
    return (*left, (" " * max(1, width - cells(left) - cells(right)), ""), *right)


def clicked(x: int, spots: Sequence[tuple[int, int, str]]) -> str | None:
    """The action of the spot (start, end, action) at cell `x`, if there is one."""
    return next((action for start, end, action in spots if start <= x < end), None)
