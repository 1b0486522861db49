"""The talk: transcript, levels, timing."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer

from moshi_tui.clean import clean
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import SessionInfo
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.engine_port import EngineLike
from moshi_tui.ui.widgets.error import ErrorPanel
from moshi_tui.ui.widgets.health import HealthLine
from moshi_tui.ui.widgets.levels import LevelsPanel
from moshi_tui.ui.widgets.timing import TimingPanel
from moshi_tui.ui.widgets.title import TitleBar
from moshi_tui.ui.widgets.transcript import Transcript

POLLS_A_SECOND = 15


class TalkScreen(Screen[None]):
    """Shows the engine's stats and the conversation; its keys act on the engine."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mute(True)", "Mute", tooltip="Let Moshi hear silence"),
        Binding("m", "mute(False)", "Unmute", tooltip="Let Moshi hear the microphone"),
        Binding("r", "reset", "Reset", tooltip="Let Moshi forget the talk so far"),
    ]
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Screen declares it
        (0, "-tiny"),
        (56, "-narrow"),
        (80, "-wide"),
        (120, "-roomy"),
    ]

    muted: reactive[bool] = reactive(False, repaint=False, bindings=True)
    """What the person has asked for, which the key `m` turns round."""
    failed: reactive[bool] = reactive(False, repaint=False, bindings=True, toggle_class="-failed")
    """The talk is over: only reading and quitting are left."""

    def __init__(self, engine: EngineLike, conversation: Conversation, info: SessionInfo) -> None:
        super().__init__()
        self.transcript = Transcript(conversation)
        self._conversation = conversation
        self._engine = engine
        self._info = info

    def compose(self) -> ComposeResult:
        """Title, conversation beside levels and timing, what is wrong, keys."""
        yield TitleBar()
        with Container(id="body"):
            yield self.transcript
            with Container(id="side"):
                yield LevelsPanel()
                yield TimingPanel()
        yield ErrorPanel()
        yield HealthLine()
        yield Footer()

    def on_mount(self) -> None:
        """Begin to poll."""
        info = self._info
        self.query_one(TitleBar).info = clean(f"{info.model} · {info.quant} · {info.device}")
        self._poll()
        self.set_interval(1 / POLLS_A_SECOND, self._poll)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Of Mute and Unmute only one makes sense, and after a failure nothing does."""
        if action == "mute":
            return not self.failed and parameters[0] is not self.muted
        return not (action == "reset" and self.failed)

    def action_mute(self, muted: bool) -> None:
        """Stop hearing the person, or hear them again."""
        self.muted = muted
        self._engine.set_muted(muted)

    def action_reset(self) -> None:
        """Begin anew."""
        self._engine.reset()

    def fail(self, error: MoshiTuiError) -> None:
        """The talk has ended with an error; what was said stays readable."""
        self.failed = True
        self.query_one(ErrorPanel).show(error)

    def _poll(self) -> None:
        stats = self._engine.stats
        self.query_one(TitleBar).elapsed = stats.elapsed_s
        self.query_one(LevelsPanel).show(stats)
        self.query_one(TimingPanel).show(stats)
        self.query_one(HealthLine).text = stats.health
        self.transcript.speaking = not self.failed and self._conversation.is_speaking(stats.frame)
