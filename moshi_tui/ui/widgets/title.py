"""The first line: what is running, what is being recorded, and for how long."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from moshi_tui.clean import clean
from moshi_tui.ui.widgets.panel import Panel, Row, cells

PROGRAM = "moshi-tui"


class TitleBar(Panel):
    """Program on the left, what runs in the middle, recording and time on the right."""

    DEFAULT_CSS = """
    TitleBar {
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
    }
    """

    def __init__(self, info: str, *, ascii: bool = False) -> None:
        super().__init__()
        self._info = clean(info)
        self._dot = "*" if ascii else "●"
        self._shown: tuple[int, int | None] = (0, None)

    def show(self, elapsed_s: float, recording_s: float | None) -> None:
        """Take the newest times in; whole seconds, as more is not shown."""
        self._shown = int(elapsed_s), None if recording_s is None else int(recording_s)
        self._draw()

    def on_resize(self) -> None:
        """The middle moves."""
        self._draw()

    def _draw(self) -> None:
        elapsed, recording = self._shown
        right: Row = ((clock(elapsed), "strong"),)
        if recording is not None:
            right = ((f"{self._dot} REC {clock(recording, short=True)}  ", "poor"), *right)
        width = self.room.width
        room = max(0, width - len(PROGRAM) - cells(right) - 4)
        info = self._info
        if cell_len(info) > room:
            info = f"{set_cell_size(info, room - 1).rstrip()}…" if room > 1 else ""
        rest = width - len(PROGRAM) - cells(right) - cell_len(info)
        before = max(2, min((width - cell_len(info)) // 2 - len(PROGRAM), rest - 2))
        after = max(0, rest - before)
        self.set_rows([((PROGRAM, "accent"), (" " * before + info + " " * after, ""), *right)])


def clock(seconds: int, *, short: bool = False) -> str:
    """hh:mm:ss; `short`: mm:ss below an hour."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if short and not hours:
        return f"{minutes:02}:{seconds:02}"
    return f"{hours:02}:{minutes:02}:{seconds:02}"
