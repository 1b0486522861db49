"""The conversation with its search bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.widgets import Input, Static

from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.finding import Found
from moshi_tui.ui.widgets.kept import Kept
from moshi_tui.ui.widgets.transcript import Transcript


class _Label(Static):
    ALLOW_SELECT = False


class SearchBar(Horizontal):
    """A line to type what to look for, and how much of it there is."""

    DEFAULT_CSS = """
    SearchBar {
        height: 1;
        background: $panel;
        & > .label { width: auto; padding: 0 1; color: $text-primary; text-style: bold; }
        & > Input { width: 1fr; background: $panel; }
        & > Input:focus { background-tint: $foreground 0%; }
        & > #found { width: 18; padding: 0 1; color: $text-muted; text-align: right; }
        & > #found.-nothing { color: $text-warning; text-style: bold; }
    }
    """

    def compose(self) -> ComposeResult:
        """Label, input, count."""
        yield _Label("/", classes="label", markup=False)
        yield Input(compact=True, placeholder="search", id="words")
        yield _Label("", id="found", markup=False)

    def show(self, found: Found | None) -> None:
        """Say how much there is."""
        label = self.query_one("#found", _Label)
        nothing = found is not None and not found.total
        label.set_class(nothing, "-nothing")
        if found is None:
            words = ""
        else:
            words = "nothing found" if nothing else f"{found.number:,} of {found.total:,}"
        label.update(words, layout=False)


class ConversationPanel(Kept, Container):
    """The transcript; while searching, with a line at its bottom for what to look for.

    Args:
        on_enter: what Enter does while searching, instead of going to the match before.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", "The one before", show=False),
        Binding("down,shift+enter", "step(1)", "The next", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("escape", "close_search", "Leave the search", show=False),
    ]
    BORDER_TITLE = "Conversation"
    DEFAULT_CSS = """
    ConversationPanel {
        min-height: 3;
        border: round $foreground 30%;
        border-title-color: $foreground;
        border-subtitle-color: $foreground;
        & > Transcript { height: 1fr; }
        & > SearchBar { display: none; }
        &.-searching { min-height: 4; }
        &.-searching > SearchBar { display: block; }
    }
    """

    def __init__(
        self,
        conversation: Conversation,
        *,
        ascii: bool = False,
        on_enter: Callable[[], None] | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._entered = on_enter
        self.transcript = Transcript(conversation, ascii=ascii)
        self._bar = SearchBar()

    @property
    def searching(self) -> bool:
        """Whether the search bar is open."""
        return self.has_class("-searching")

    def compose(self) -> ComposeResult:
        """The bar takes a line from the transcript."""
        yield self.transcript
        yield self._bar

    def on_mount(self) -> None:
        """Show what the transcript tells of itself."""
        self.watch(self.transcript, "found", self._bar.show, init=False)
        self.watch(self.transcript, "hint", self._show_hint, init=False)

    def search(self) -> None:
        """Open the search bar, with what was looked for last."""
        words = self.query_one("#words", Input)
        if not self.searching:
            self.add_class("-searching")
            self.transcript.find(words.value)
        words.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Another letter."""
        event.stop()
        if self.searching:
            self.transcript.find(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        if self._entered is None:
            self.transcript.find_next(-1)
        else:
            self._entered()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a search the keys are free for others."""
        return self.searching or action not in ("step", "page", "close_search")

    def action_step(self, by: int) -> None:
        """To the next match or the one before."""
        self.transcript.find_next(by)

    def action_page(self, by: int) -> None:
        """Read on without leaving the search."""
        if by < 0:
            self.transcript.scroll_page_up(animate=False)
        else:
            self.transcript.scroll_page_down(animate=False)

    def action_close_search(self) -> None:
        """Back to reading."""
        self.remove_class("-searching")
        self.transcript.end_search()
        self.transcript.focus()

    def _show_hint(self, hint: str) -> None:
        """In the upper border: over the lower one lies what is wrong, if something is."""
        self.border_title = f"{self.BORDER_TITLE}: {hint}" if hint else self.BORDER_TITLE
