"""What is wrong, in words."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from moshi_tui.clean import clean


class HealthLine(Widget):
    """One line, up to three where it is narrow; not shown while all is well."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    HealthLine {
        display: none;
        height: auto;
        max-height: 3;
        padding: 0 1;
        background: $warning-muted;
        color: $text-warning;
        text-style: bold;
    }
    HealthLine.-shown {
        display: block;
    }
    """

    text: reactive[str] = reactive("", layout=True)
    """`Stats.health`."""

    def validate_text(self, text: str) -> str:
        """Some of it may come from outside: the name of a device."""
        return clean(text)

    def watch_text(self, text: str) -> None:
        """Come and go with the words."""
        self.set_class(bool(text), "-shown")

    def render(self) -> RenderResult:
        """The words as they are."""
        return Content(self.text)
