"""What the screens of the talk and of a replay are made of: conversation, levels, timing, keys."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Offset
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from moshi_tui.config import ScreenOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.stats import Stats
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.keys import Key
from moshi_tui.ui.widgets.compact import CompactLine
from moshi_tui.ui.widgets.error import ErrorPanel
from moshi_tui.ui.widgets.health import HealthLine
from moshi_tui.ui.widgets.kept import Kept
from moshi_tui.ui.widgets.keybar import KeyBar
from moshi_tui.ui.widgets.levels import LevelsPanel
from moshi_tui.ui.widgets.panel import Row
from moshi_tui.ui.widgets.search import ConversationPanel
from moshi_tui.ui.widgets.timing import TimingPanel
from moshi_tui.ui.widgets.title import TitleBar

POLLS_A_SECOND = 15
"""How often the meters move."""
POLLS_A_NUMBER = 5
"""Numbers change with every so manyth of them: faster than that nobody reads."""

LOUDEST_DB, SOFTEST_DB = 12.0, -40.0


class Source(Protocol):
    """What is shown: an engine, or a player."""

    @property
    def stats(self) -> Stats:
        """The newest snapshot."""

    def set_volume(self, db: float) -> None:
        """Play so much louder or softer."""


class Bottom(Kept, Vertical):
    """What is wrong, and the keys."""

    DEFAULT_CSS = """
    Bottom {
        dock: bottom;
        height: auto;
    }
    """


def bindings(keys: Sequence[Key]) -> list[BindingType]:
    """What a screen with these keys binds; the app has the others."""
    return [
        Binding(key.keys, key.action, key.label, show=False)
        for key in keys
        if key.action and key.action not in ("quit", "command_palette")
    ]


class PanelsScreen(Kept, Screen[None]):
    """Shows a conversation and the stats that go with it.

    What has to do with other screens (help, a question) and with files is asked of the app by a
    message.

    Args:
        source: where the numbers come from.
        info: the middle of the first line.
        on_enter: see `ConversationPanel`.
    """

    keys: ClassVar[Sequence[Key]]
    """Its table."""
    AUTO_FOCUS = "Transcript"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-wide"), (120, "-roomy")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (16, "-tall")]  # noqa: RUF012 - as Screen declares them

    failed: reactive[bool] = reactive(False, repaint=False, toggle_class="-failed")
    """It is over: only reading and quitting are left."""
    compact: reactive[bool] = reactive(False, repaint=False, toggle_class="-compact")
    """All numbers in one line."""

    class Asked(Message):
        """A key wants something of the app: "help", "save"; of a talk's also "devices", "reset" or
        "push_to_talk"."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(
        self,
        source: Source,
        conversation: Conversation,
        info: str,
        options: ScreenOptions,
        *,
        on_enter: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(classes="-ascii" if options.ascii else "")
        ascii = self._ascii = options.ascii
        self._panel = ConversationPanel(conversation, ascii=ascii, on_enter=on_enter)
        self.transcript = self._panel.transcript
        self._conversation = conversation
        self._source = source
        self._polls = 0
        self._volume_db = source.stats.volume_db
        self._title = TitleBar(info)
        self._levels = LevelsPanel(ascii=ascii, clock=clock)
        self._timing = TimingPanel(ascii=ascii)
        self._line = CompactLine(ascii=ascii, clock=clock)
        self._error = ErrorPanel("s saves, q quits", ascii=ascii)
        self._health = HealthLine()
        self._keys = KeyBar(self.keys, self._labels, lambda: self.failed, self._needed, ascii=ascii)
        self.set_reactive(PanelsScreen.compact, options.compact)

    def compose(self) -> ComposeResult:
        """Title, conversation beside levels and timing, what is wrong, keys. The panels lie
        directly on the screen: containers in between would be drawn with each of their parts."""
        yield self._title
        yield self._panel
        yield self._levels
        yield self._timing
        yield self._line
        yield self._error
        with Bottom():
            yield self._health
            yield from self._above_keys()
            yield self._keys

    def on_mount(self) -> None:
        """Begin to poll."""
        self.set_class(self.compact, "-compact")
        self._poll()
        self.set_interval(1 / POLLS_A_SECOND, self._poll)

    def on_resize(self) -> None:
        """Another part of it may be shown now."""
        self.call_after_refresh(self._show_numbers)

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """See `Screen`. While text is being selected, whatever lies outside the conversation counts
        as its nearest cell: a drag over its border shall not select all that follows."""
        if self._selecting:
            region = self.transcript.content_region
            x = min(max(x, region.x), region.right - 1)
            y = min(max(y, region.y), region.bottom - 1)
        return super().get_widget_and_offset_at(x, y)

    # What the keys do.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """After a failure only some make sense."""
        name = f"{action}({parameters[0]})" if parameters else action
        key = next((key for key in self.keys if key.action == name), None)
        return key is None or not self.failed or key.on_failure

    def label(self, key: Key) -> str:
        """What the key would do now, in a word or two."""
        return self._labels().get(key.action, key.label)

    def action_volume(self, change_db: int) -> None:
        """Play louder or softer."""
        self._volume_db = max(SOFTEST_DB, min(LOUDEST_DB, self._volume_db + change_db))
        self._source.set_volume(self._volume_db)

    def action_compact(self) -> None:
        """One line of numbers instead of panels, or back."""
        self.compact = not self.compact
        self.call_after_refresh(self._show_numbers)

    def action_help(self) -> None:
        """The help screen."""
        self.post_message(self.Asked("help"))

    def action_search(self) -> None:
        """Look for words in the conversation."""
        self._panel.search()

    def action_save(self) -> None:
        """Write the conversation into a file."""
        self.post_message(self.Asked("save"))

    def action_copy(self) -> None:
        """What is marked, or all of it, to the clipboard."""
        self.transcript.copy()

    # What the app tells.

    def fail(self, error: MoshiTuiError) -> None:
        """It has ended with an error; what was said stays readable."""
        self.failed = True
        self._error.show(error)
        self._health.text = ""
        self._keys.update()
        self._title.show(self._times(self._source.stats))
        self.transcript.speaking = False

    # What differs between the screens.

    @abstractmethod
    def _times(self, stats: Stats) -> Row:
        """The right end of the first line."""

    @abstractmethod
    def _muted_word(self, stats: Stats) -> str:
        """What is said instead of the user's level while it is muted; empty while it is not."""

    def _labels(self) -> Mapping[str, str]:
        """Of the keys that do something else now."""
        return {}

    def _needed(self) -> frozenset[str]:
        """Actions that are shown however narrow it is."""
        return frozenset()

    def _above_keys(self) -> Iterable[Widget]:
        """What stands between the health line and the keys."""
        return ()

    # What goes on by itself.

    def _poll(self) -> None:
        if self.failed:
            return
        stats = self._source.stats
        if self._numbers_in_a_line:
            self._line.show(stats, self._muted_word(stats))
        else:
            self._levels.show(stats, self._muted_word(stats))
        self._timing.note(stats)
        if self._polls % POLLS_A_NUMBER == 0:
            self._show_numbers()
        self._polls += 1

    @property
    def _numbers_in_a_line(self) -> bool:
        return self.compact or self.has_class("-flat")

    def _show_numbers(self) -> None:
        if self.failed:
            return
        stats = self._source.stats
        self._title.show(self._times(stats))
        if not self._numbers_in_a_line:
            self._timing.show(stats)
        self._health.text = stats.health
        self.transcript.speaking = self._conversation.is_speaking(stats.frame)
