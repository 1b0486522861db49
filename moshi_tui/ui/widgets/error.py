"""An error that has ended the talk, or the loading."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from moshi_tui.clean import clean
from moshi_tui.errors import MoshiTuiError


class ErrorPanel(VerticalScroll):
    """Title, message, hint. Not shown before there is an error; a long one scrolls (tab
    reaches it)."""

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
    ErrorPanel #hint {
        margin-top: 1;
        text-style: bold;
    }
    """

    def compose(self) -> ComposeResult:
        """Empty lines; the title is in the border."""
        yield Static(id="message", markup=False)
        yield Static(id="hint", markup=False)

    def show(self, error: MoshiTuiError) -> None:
        """Say what has happened and what to do."""
        self.border_title = Content(f"Error: {clean(error.title)}")
        self.border_subtitle = Content("q quits")
        self.query_one("#message", Static).update(Content(_clean_lines(error.message)))
        hint = self.query_one("#hint", Static)
        hint.display = bool(error.hint)
        hint.update(Content(_clean_lines(error.hint)))
        self.display = True


def _clean_lines(text: str) -> str:
    return "\n".join(clean(line) for line in text.splitlines())
