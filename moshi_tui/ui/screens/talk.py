"""The talk: transcript, levels, timing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import ClassVar

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
from moshi_tui.session.events import SessionInfo
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.engine_port import EngineLike
from moshi_tui.ui.keys import KEYS, Key
from moshi_tui.ui.push_to_talk import PushToTalk
from moshi_tui.ui.widgets.compact import CompactLine
from moshi_tui.ui.widgets.error import ErrorPanel
from moshi_tui.ui.widgets.health import HealthLine
from moshi_tui.ui.widgets.kept import Kept
from moshi_tui.ui.widgets.keybar import KeyBar
from moshi_tui.ui.widgets.levels import LevelsPanel
from moshi_tui.ui.widgets.search import ConversationPanel
from moshi_tui.ui.widgets.timing import TimingPanel
from moshi_tui.ui.widgets.title import TitleBar

POLLS_A_SECOND = 15
"""How often the meters move."""
POLLS_A_NUMBER = 5
"""Numbers change with every so manyth of them: faster than that nobody reads."""

LOUDEST_DB, SOFTEST_DB = 12.0, -40.0


class Bottom(Kept, Vertical):
    """What is wrong, and the keys."""

    DEFAULT_CSS = """
    Bottom {
        dock: bottom;
        height: auto;
    }
    """


class TalkScreen(Kept, Screen[None]):
    """Shows the engine's stats and the conversation; its keys act on the engine.

    What has to do with other screens (devices, help, a question) and with files is asked of the
    app by a message.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.label, show=False)
        for key in KEYS
        if key.action and key.action not in ("quit", "command_palette")
    ]
    AUTO_FOCUS = "Transcript"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-wide"), (120, "-roomy")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (16, "-tall")]  # noqa: RUF012 - as Screen declares them

    muted: reactive[bool] = reactive(False, repaint=False)
    """What the person has asked for."""
    failed: reactive[bool] = reactive(False, repaint=False, toggle_class="-failed")
    """The talk is over: only reading and quitting are left."""
    compact: reactive[bool] = reactive(False, repaint=False, toggle_class="-compact")
    """All numbers in one line."""

    class Asked(Message):
        """A key wants something of the app: "devices", "help", "reset", "save" or
        "push_to_talk"."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(
        self,
        engine: EngineLike,
        conversation: Conversation,
        info: SessionInfo,
        options: ScreenOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(classes="-ascii" if options.ascii else "")
        self._panel = ConversationPanel(conversation, ascii=options.ascii)
        self.transcript = self._panel.transcript
        self.push_to_talk = PushToTalk()
        self._conversation = conversation
        self._engine = engine
        self._clock = clock
        self._polls = 0
        self._recording = engine.stats.recording_s is not None
        self._volume_db = engine.stats.volume_db
        ascii = options.ascii
        self._title = TitleBar(f"{info.model} · {info.quant} · {info.device}", ascii=ascii)
        self._levels = LevelsPanel(ascii=ascii, clock=clock)
        self._timing = TimingPanel(ascii=ascii)
        self._line = CompactLine(ascii=ascii, clock=clock)
        self._error = ErrorPanel("s saves, q quits", ascii=ascii)
        self._health = HealthLine()
        self._keys = KeyBar(self._labels, lambda: self.failed, self._needed)
        self.set_reactive(TalkScreen.compact, options.compact)

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
        name = f"{action}({parameters[0]})" if action == "volume" and parameters else action
        key = next((key for key in KEYS if key.action == name), None)
        return key is None or not self.failed or key.on_failure

    def action_mute(self) -> None:
        """Stop hearing the person, or hear them again. While space is in use for it: leave that,
        with the microphone open."""
        muted = self.push_to_talk.state == "off" and not self.muted
        self.push_to_talk.leave()
        self._mute(muted)

    def action_hold_to_talk(self) -> None:
        """The key is pressed, or repeats while it is held."""
        if self.push_to_talk.state == "off":
            self.post_message(self.Asked("push_to_talk"))
        self.push_to_talk.press(self._clock())
        self._mute(not self.push_to_talk.talking)

    def action_reset(self) -> None:
        """Begin anew; asked first if a recording would be torn in two."""
        self.post_message(self.Asked("reset"))

    def action_record(self) -> None:
        """Begin to record, or end it."""
        if self._engine.stats.recording_s is not None:
            self._engine.stop_recording()
        else:
            self._engine.start_recording()

    def action_volume(self, change_db: int) -> None:
        """Play Moshi louder or softer."""
        self._volume_db = max(SOFTEST_DB, min(LOUDEST_DB, self._volume_db + change_db))
        self._engine.set_volume(self._volume_db)

    def action_compact(self) -> None:
        """One line of numbers instead of panels, or back."""
        self.compact = not self.compact
        self.call_after_refresh(self._show_numbers)

    def action_devices(self) -> None:
        """The devices screen."""
        self.post_message(self.Asked("devices"))

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
        """The talk has ended with an error; what was said stays readable."""
        self.failed = True
        self._error.show(error)
        self._health.text = ""
        self._keys.update()
        self._title.show(self._engine.stats.elapsed_s, None)
        self.transcript.speaking = False

    # What goes on by itself.

    def _mute(self, muted: bool) -> None:
        if muted != self.muted:
            self.muted = muted
            self._engine.set_muted(muted)
        self._keys.update()

    def label(self, key: Key) -> str:
        """What the key would do now, in a word or two."""
        return self._labels().get(key.action, key.label)

    def _labels(self) -> Mapping[str, str]:
        """Of the keys that do something else now."""
        labels = {"mute": "Unmute" if self.muted else "Mute"}
        if self.push_to_talk.state != "off":
            labels["mute"] = "Open mic"
        if self._recording:
            labels["record"] = "Stop rec"
        if self.push_to_talk.state in ("pressed", "held"):
            labels["hold_to_talk"] = "Talking"
        elif self.push_to_talk.state == "latched":
            labels["hold_to_talk"] = "Stop"
        return labels

    def _needed(self) -> frozenset[str]:
        """Actions that are shown however narrow it is."""
        return frozenset() if self.push_to_talk.state == "off" else frozenset({"hold_to_talk"})

    def _muted_word(self) -> str:
        if not self.muted:
            return ""
        return "space to talk" if self.push_to_talk.state == "silent" else "muted"

    def _poll(self) -> None:
        if self.failed:
            return
        stats = self._engine.stats
        if self.push_to_talk.state in ("pressed", "held"):
            before = self.push_to_talk.state
            self.push_to_talk.tick(self._clock())
            if self.push_to_talk.state != before:
                self._mute(not self.push_to_talk.talking)
        if self._numbers_in_a_line:
            self._line.show(stats, self._muted_word())
        else:
            self._levels.show(stats, self._muted_word())
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
        stats = self._engine.stats
        if self._recording != (stats.recording_s is not None):
            self._recording = not self._recording
            self._keys.update()
        self._title.show(stats.elapsed_s, stats.recording_s)
        if not self._numbers_in_a_line:
            self._timing.show(stats)
        self._health.text = stats.health
        self.transcript.speaking = self._conversation.is_speaking(stats.frame)
