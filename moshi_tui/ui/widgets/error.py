"""An error that has ended the talk, or the loading."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from moshi_tui.clean import clean
from moshi_tui.errors import MoshiTuiError
from moshi_tui.ui.widgets.flow import Flow, wrapped
from moshi_tui.ui.widgets.panel import Row


class ErrorPanel(VerticalScroll):
    """Title, message, hint. Not shown before there is an error; a long one scrolls (tab
    reaches it).

    Args:
        keys: what can be done now, for the border.
    """

    DEFAULT_CSS = """
    ErrorPanel {
        display: none;
        height: auto;
        max-height: 50%;
        padding: 0 1;
        border: round $error;
        border-title-color: $text-error;
        border-title-style: bold;
        border-subtitle-color: $foreground;
    }
    ErrorPanel.-ascii {
        border: ascii $error;
    }
    """

    def __init__(self, keys: str = "q quits", *, ascii: bool = False) -> None:
        super().__init__(classes="-ascii" if ascii else None)
        self._keys = keys
        self._text = _ErrorText()

    def compose(self) -> ComposeResult:
        """The text; the title is in the border."""
        yield self._text

    def show(self, error: MoshiTuiError) -> None:
        """Say what has happened and what to do. Also before it is mounted."""
        self.border_title = Content(f"Error: {clean(error.title)}")
        self.border_subtitle = Content(self._keys)
        self._text.show(error)
        self.display = True


class _ErrorText(Flow):
    """Message and, after an empty line, the hint."""

    def __init__(self) -> None:
        super().__init__()
        self._message = self._hint = ""

    def show(self, error: MoshiTuiError) -> None:
        self._message, self._hint = _clean_lines(error.message), _clean_lines(error.hint)
        self.redraw()

    def lay_out(self, width: int) -> Sequence[Row]:
        rows: list[Row] = [((line, ""),) for line in wrapped(self._message, width)]
        if self._hint:
            rows += [(), *(((line, "strong"),) for line in wrapped(self._hint, width))]
        return rows


def _clean_lines(text: str) -> str:
    return "\n".join(clean(line) for line in text.splitlines())
