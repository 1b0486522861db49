"""The first line: what is running, or being played, and how far it is."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from moshi_tui.clean import clean
from moshi_tui.ui.widgets.panel import Panel, Row, cells

PROGRAM = "moshi-tui"


class TitleBar(Panel):
    """Program on the left, what it is about in the middle, times on the right."""

    DEFAULT_CSS = """
    TitleBar {
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
    }
    """

    def __init__(self, info: str) -> None:
        super().__init__()
        self._info = clean(info)
        self._right: Row = ()

    def show(self, right: Row) -> None:
        """Take the newest times in."""
        self._right = right
        self._draw()

    def on_resize(self) -> None:
        """The middle moves."""
        self._draw()

    def _draw(self) -> None:
        right = self._right
        width = self.room.width
        room = max(0, width - len(PROGRAM) - cells(right) - 4)
        info = self._info
        if cell_len(info) > room:
            info = f"{set_cell_size(info, room - 1).rstrip()}…" if room > 1 else ""
        rest = width - len(PROGRAM) - cells(right) - cell_len(info)
        before = max(2, min((width - cell_len(info)) // 2 - len(PROGRAM), rest - 2))
        after = max(0, rest - before)
        self.set_rows([((PROGRAM, "accent"), (" " * before + info + " " * after, ""), *right)])


def talk_times(elapsed_s: float, recording_s: float | None, *, ascii: bool) -> Row:
    """How long the talk lasts, and its recording; whole seconds, as more is not shown."""
    right: Row = ((clock(int(elapsed_s)), "strong"),)
    if recording_s is None:
        return right
    recorded = clock(int(recording_s), short=True)
    return ((f"{'*' if ascii else '●'} REC {recorded}  ", "poor"), *right)


def replay_times(
    position_s: float, length_s: float, speed: float, state: str, *, ascii: bool
) -> Row:
    """Where in the recording it is. `state`: "playing", "paused", or other words."""
    signs = {"playing": ">" if ascii else "▶", "paused": "||" if ascii else "▮▮"}
    pace = "" if speed == 1 else f" {speed:g}x"
    length = clock(int(length_s), short=True)
    position = clock(int(position_s), short=True).rjust(len(length))
    return (
        (f"{signs.get(state, state)}{pace}  ", "good" if state == "playing" else "fair"),
        (position, "strong"),
        (f" / {length}", "quiet"),
    )


def clock(seconds: int, *, short: bool = False) -> str:
    """hh:mm:ss; `short`: mm:ss below an hour, then h:mm:ss."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if short:
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
    return f"{hours:02}:{minutes:02}:{seconds:02}"
