"""Yes or no."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button

from moshi_tui.clean import clean
from moshi_tui.ui.widgets.flow import Words


class Confirm(ModalScreen[bool]):
    """Asks before something that can't be undone; the result is True for yes.

    The answer that changes nothing is the one that Enter gives, unless another is focused.

    Args:
        question: one sentence or two.
        yes: what is done, in two words at most.
        no: what is done instead.
        ascii: for a terminal without box characters.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("n,escape,q", "answer(False)", "No", show=False),
        Binding("left,right,up,down", "other", "The other answer", show=False),
    ]
    DEFAULT_CSS = """
    Confirm {
        align: center middle;
    }
    Confirm #confirm {
        width: 56;
        max-width: 100%;
        height: auto;
        max-height: 100%;
        padding: 0 2;
        background: $surface;
        border: round $warning;
    }
    Confirm.-ascii #confirm {
        border: ascii $warning;
    }
    Confirm Horizontal {
        height: 1;
        margin-top: 1;
        align-horizontal: right;
    }
    Confirm Button {
        width: auto;
        min-width: 8;
        margin-left: 2;
    }
    """

    def __init__(
        self, question: str, yes: str = "Yes", no: str = "No", *, ascii: bool = False
    ) -> None:
        super().__init__(classes="-ascii" if ascii else None)
        self._question = question
        self._yes, self._no = clean(yes), clean(no)

    def compose(self) -> ComposeResult:
        """The question, both answers."""
        with Vertical(id="confirm"):
            yield Words(most=8)
            with Horizontal():
                yield Button(f"y {self._yes}", id="yes", variant="warning", compact=True)
                yield Button(f"n {self._no}", id="no", compact=True)

    def on_mount(self) -> None:
        """Nothing happens by accident."""
        self.query_one(Words).say(self._question)
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Enter, or the mouse."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """By its letter."""
        self.dismiss(yes)

    def action_other(self) -> None:
        """There are two."""
        self.focus_next()
