"""What the keys do, what the numbers mean, where the files are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from moshi_tui import paths
from moshi_tui.clean import clean
from moshi_tui.ui.keys import GROUPS, Key
from moshi_tui.ui.numbers import MEANINGS
from moshi_tui.ui.widgets.flow import Flow, KeyLine, wrapped
from moshi_tui.ui.widgets.panel import Row

_HEALTH = (
    "A line above the keys when something is wrong: what is to blame, by how much, and what to try"
)

_HANGING_FROM = 44
"""In fewer cells an explanation stands under its word, not beside it."""


class HelpScreen(ModalScreen[None]):
    """Scrolls by the arrow keys; Esc closes.

    Args:
        keys: those of the screen below.
        places: what is kept where, to be told besides settings and log.
        ascii: for a terminal without box characters.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "dismiss", "Close", show=False),
    ]
    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        overflow: hidden;
    }
    HelpScreen #help {
        width: 100%;
        max-width: 84;
        height: auto;
        max-height: 100%;
        padding: 0 1;
        background: $surface;
        border: round $primary;
        border-title-color: $foreground;
        border-title-style: bold;
    }
    HelpScreen.-ascii #help {
        border: ascii $primary;
    }
    HelpScreen VerticalScroll {
        height: auto;
        scrollbar-size-vertical: 1;
    }
    HelpScreen KeyLine {
        margin-top: 1;
    }
    """

    def __init__(
        self,
        keys: Sequence[Key],
        places: Mapping[str, Path] | None = None,
        *,
        ascii: bool = False,
    ) -> None:
        super().__init__(classes="-ascii" if ascii else None)
        files = {**(places or {}), "Settings": paths.config_file(), "Log": paths.log_file()}
        self._text = _HelpText(keys, files)
        self._page = VerticalScroll(self._text)
        self._keys = KeyLine(("Up Down" if ascii else "↑↓", "Read on"), ("Esc", "Close"))

    def compose(self) -> ComposeResult:
        """The text, and how to leave it."""
        with Vertical(id="help") as box:
            box.border_title = "Help"
            yield self._page
            yield self._keys

    def on_mount(self) -> None:
        """Keys scroll."""
        self._page.focus()

    def on_resize(self) -> None:
        """The text gets what the borders and the keys leave."""
        self._page.styles.max_height = max(1, self.size.height - 4)


class _HelpText(Flow):
    """Headings, and under them words with their explanations."""

    def __init__(self, keys: Sequence[Key], places: Mapping[str, Path]) -> None:
        super().__init__()
        groups = {key.group for key in keys}
        self._parts: dict[str, Sequence[tuple[str, str]]] = {
            heading: [(key.shown, key.help) for key in keys if key.group == group]
            for group, heading in GROUPS.items()
            if group in groups
        }
        self._parts["The numbers"] = [*MEANINGS.items(), ("health", _HEALTH)]
        self._parts["Files"] = [(name, clean(paths.shown(path))) for name, path in places.items()]
        self._indent = 2 + max(
            cell_len(word) for entries in self._parts.values() for word, _ in entries
        )

    def lay_out(self, width: int) -> Sequence[Row]:
        """Words on the left, explanations beside them."""
        return list(self._rows_of(width))

    def _rows_of(self, width: int) -> Iterator[Row]:
        for number, (heading, entries) in enumerate(self._parts.items()):
            if number:
                yield ()
            yield ((heading, "strong"),)
            for word, text in entries:
                yield from self._entry(word, text, width)

    def _entry(self, word: str, text: str, width: int) -> Iterator[Row]:
        if width < _HANGING_FROM:
            yield ((word, "accent"),)
            yield from (((f"  {line}", ""),) for line in wrapped(text, width - 2))
            return
        first, *others = wrapped(text, width - self._indent)
        yield ((word + " " * (self._indent - cell_len(word)), "accent"), (first, ""))
        yield from (((" " * self._indent + line, ""),) for line in others)
