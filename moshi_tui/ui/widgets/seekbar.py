"""Where in the recording it is, and who speaks when."""

from __future__ import annotations

from textual.events import Click, MouseMove
from textual.message import Message

from moshi_tui.ui.outline import Outline
from moshi_tui.ui.widgets.panel import Panel, Part
from moshi_tui.ui.widgets.title import clock

_GLYPHS = {(False, False): "─", (True, False): "▀", (False, True): "▄", (True, True): "█"}
_ASCII = {(False, False): "-", (True, False): "'", (False, True): ".", (True, True): ":"}
"""By whether Moshi speaks, and whether the user does: Moshi is above."""


class SeekBar(Panel):
    """The recording as one line: Moshi's part in the upper half, the user's in the lower, what has
    been played in colour, and a mark where it is. A click goes there.

    Args:
        length_s: of the recording.
    """

    DEFAULT_CSS = """
    SeekBar {
        height: 1;
        padding: 0 1;
    }
    """

    class Chosen(Message):
        """Somebody has clicked on this place of the recording."""

        def __init__(self, position_s: float) -> None:
            super().__init__()
            self.position_s = position_s

    def __init__(self, outline: Outline, length_s: float, *, ascii: bool = False) -> None:
        super().__init__()
        self._outline = outline
        self._length_s = length_s
        self._glyphs = _ASCII if ascii else _GLYPHS
        self._mark = "|" if ascii else "┃"
        self._line = ""
        self._position_s = 0.0

    def show(self, position_s: float) -> None:
        """It is here now."""
        self._position_s = position_s
        self._draw()

    def on_resize(self) -> None:
        """As wide as there is room."""
        cells = self._outline.cells(self.room.width, self._length_s)
        self._line = "".join(self._glyphs[cell] for cell in cells)
        self._draw()

    def on_click(self, event: Click) -> None:
        """Go there."""
        offset = event.get_content_offset(self)
        if offset is not None:
            self.post_message(self.Chosen(self._place(offset.x)))

    def on_mouse_move(self, event: MouseMove) -> None:
        """Whoever points at a place is told which it is."""
        offset = event.get_content_offset(self)
        place = None if offset is None else clock(round(self._place(offset.x)), short=True)
        self.tooltip = place and f"{place}: Moshi above, you below"

    def _place(self, x: int) -> float:
        return self._length_s * x / max(1, len(self._line))

    def _draw(self) -> None:
        line = self._line
        if not line:
            return
        share = self._position_s / self._length_s if self._length_s > 0 else 0.0
        at = min(len(line) - 1, max(0, int(share * len(line))))
        played: Part = (line[:at], "accent")
        self.set_rows([(played, (self._mark, "strong"), (line[at + 1 :], "quiet"))])
