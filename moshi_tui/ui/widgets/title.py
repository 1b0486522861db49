"""The first line: what is running, and for how long."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

PROGRAM = "moshi-tui"


class TitleBar(Widget):
    """Program on the left, `info` in the middle, `elapsed` on the right."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    TitleBar {
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
    }
    """

    info: reactive[str] = reactive("")
    """Model, quantisation, device; cut where the line is too short."""
    elapsed: reactive[float] = reactive(0.0)
    """Seconds since the first frame."""

    def validate_elapsed(self, elapsed: float) -> float:
        """Whole seconds: more is not shown."""
        return float(int(elapsed))

    def render(self) -> RenderResult:
        """Left, middle, right."""
        minutes, seconds = divmod(int(self.elapsed), 60)
        hours, minutes = divmod(minutes, 60)
        right = f"{hours:02}:{minutes:02}:{seconds:02}"
        width = self.size.width
        room = max(0, width - len(PROGRAM) - len(right) - 4)
        info = self.info if cell_len(self.info) <= room else set_cell_size(self.info, room)
        before = max(2, (width - cell_len(info)) // 2 - len(PROGRAM))
        before = min(before, width - len(PROGRAM) - cell_len(info) - len(right) - 2)
        after = width - len(PROGRAM) - before - cell_len(info) - len(right)
        return Content.assemble(
            (PROGRAM, "bold"), " " * before, info, " " * after, (right, "bold"), end=""
        )
