"""The app: turns the engine's events into what the screens show, and ends in time.

Start: the loading screen is painted first, then the engine is made and started. Its listener
posts every event as a message; nothing of the engine ever waits for the screen.

End: `q` starts to stop the engine on a thread of its own (`stopping.py`) and leaves the screen at
once. Both go on side by side; `run_app` waits for both, for less than a second together.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar, NamedTuple

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from moshi_tui.clean import clean
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import (
    Event,
    Failed,
    InputEnded,
    Loading,
    Muted,
    Notice,
    Ready,
    Skipped,
    TextPiece,
    Underrun,
    WasReset,
)
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.engine_port import EngineFactory, EngineLike
from moshi_tui.ui.messages import EngineEvent
from moshi_tui.ui.screens.loading import LoadingScreen
from moshi_tui.ui.screens.talk import TalkScreen
from moshi_tui.ui.stopping import Stopper

SETTLE_FRAMES = 38
"""In the first 3 s threads and screen are still starting: what is made up for then is no news."""


class MoshiApp(App[None]):
    """One talk with the engine that `make_engine` makes."""

    TITLE = "moshi-tui"
    CSS_PATH = "moshi.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit", tooltip="Leave the talk"),
        Binding("ctrl+q,ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(self, make_engine: EngineFactory) -> None:
        super().__init__()
        self.conversation = Conversation()
        self.failure: MoshiTuiError | None = None
        """What has ended the talk or the loading."""
        self.engine: EngineLike | None = None
        self.stopper: Stopper | None = None
        """Stops the engine; None as long as there is none."""
        self._make_engine = make_engine
        self._loading = LoadingScreen()
        self._talk: TalkScreen | None = None
        self._leaving = False

    def transcript_text(self) -> str:
        """Moshi's words on the screen: all pieces joined and cleaned."""
        return self.conversation.spoken()

    def on_mount(self) -> None:
        """Take the signals that ask for an end; start the engine after the first paint."""
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                loop.add_signal_handler(number, partial(self.leave, 128 + number))
        self.push_screen(self._loading)
        self.call_after_refresh(self._start_engine)

    def leave(self, status: int | None = None) -> None:
        """End the app at once, and the engine as soon as it can. `status` None: 1 after a
        failure, else 0."""
        self._leaving = True
        if self.stopper is not None:
            self.stopper.begin()
        if status is None:
            status = 0 if self.failure is None else 1
        self.exit(return_code=status)

    async def action_quit(self) -> None:
        """Leave."""
        self.leave()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The command palette has nothing to offer before there is a talk."""
        return not (action == "command_palette" and self._talk is None)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The actions of the keys, by name; nothing else."""
        talk = self._talk
        if talk is not None and not talk.failed:
            if talk.muted:
                yield SystemCommand(
                    "Unmute", "Let Moshi hear the microphone", partial(talk.action_mute, False)
                )
            else:
                yield SystemCommand(
                    "Mute", "Let Moshi hear silence", partial(talk.action_mute, True)
                )
            yield SystemCommand("Reset", "Let Moshi forget the talk so far", talk.action_reset)
        yield SystemCommand("Quit", "Leave the talk", self.action_quit)

    async def on_engine_event(self, message: EngineEvent) -> None:
        """Something has happened in the engine."""
        event = message.event
        match event:
            case Loading() if self._talk is None:
                self._loading.show(event)
            case Ready():
                await self._begin_talk(event)
            case TextPiece():
                self._changed(self.conversation.add_piece(event.frame, event.text))
            case Skipped() if event.frame < SETTLE_FRAMES:
                self.conversation.pass_over(event)
            case Underrun() if event.frame < SETTLE_FRAMES:
                pass  # in the numbers only
            case Skipped():
                self._changed(self.conversation.add_skipped(event))
            case Underrun():
                self._changed(self.conversation.add_underrun(event))
            case Muted():
                if self._talk is not None:
                    self._talk.muted = event.muted
                self._happened(event.frame, "Muted" if event.muted else "Unmuted")
            case WasReset():
                text = "Reset: Moshi has forgotten the talk so far"
                self._happened(event.frame, text, ends_utterance=True)
            case InputEnded():
                self._happened(event.frame, "The input is over: Moshi hears silence")
            case Notice():
                self._notice(event)
            case Failed():
                self._fail(event.error)

    def _start_engine(self) -> None:
        if self._leaving:
            return
        try:
            self.engine = self._make_engine(self._listen)
            self.stopper = Stopper(self.engine.stop)
            self.engine.start()
        except MoshiTuiError as error:
            self._fail(error)

    def _listen(self, event: Event) -> None:
        """Called on the engine's threads. Harmless, and without effect, once the app has ended."""
        self.post_message(EngineEvent(event))

    async def _begin_talk(self, ready: Ready) -> None:
        if self._talk is None and self.engine is not None and self.failure is None:
            self._talk = TalkScreen(self.engine, self.conversation, ready.info)
            self._happened(
                0, f"Microphone: {ready.info.microphone}. Speaker: {ready.info.speaker}."
            )
            self._happened(0, f"Seed: {ready.info.seed}")
            await self.switch_screen(self._talk)

    def _changed(self, index: int) -> None:
        if self._talk is not None:
            self._talk.transcript.update_from(index)

    def _happened(self, frame: int, text: str, *, ends_utterance: bool = False) -> None:
        self._changed(self.conversation.add_event(frame, text, ends_utterance=ends_utterance))

    def _notice(self, notice: Notice) -> None:
        """A line in the transcript; while there is none to be seen, a notification as well."""
        frame = 0 if self.engine is None else self.engine.stats.frame
        text = " ".join(part for part in (f"{notice.title}:", notice.message, notice.hint) if part)
        self._happened(frame, text)
        if self._talk is None:
            message = clean(f"{notice.message} {notice.hint}".strip())
            self.notify(message, title=clean(notice.title), markup=False)

    def _fail(self, error: MoshiTuiError) -> None:
        """Show the first error; those that follow from it go into the transcript."""
        if self.failure is not None:
            self._notice(Notice(error.title, error.message, error.hint))
            return
        self.failure = error
        if self._talk is None:
            self._loading.fail(error)
        else:
            self._talk.fail(error)


class Outcome(NamedTuple):
    """How the app ended."""

    status: int
    """For the shell: 0; 1 after a failure or an error in the app; 128 + n after signal n."""
    stopped: bool
    """The engine's threads have ended. If not, only `os._exit(status)` ends the process now: a
    thread in the middle of a long step can't be interrupted."""
    failure: MoshiTuiError | None
    """What the error screen said."""


def run_app(make_engine: EngineFactory) -> Outcome:
    """Show the app until the person leaves; the terminal is as it was when this returns.

    Must run on the main thread. An exception in the app itself ends it with its traceback on
    stderr and status 1. Raises what the engine's `stop` raises.
    """
    app = MoshiApp(make_engine)
    stopped = True
    try:
        app.run()
    finally:
        if app.stopper is not None:
            stopped = app.stopper.finish()
    return Outcome(app.return_code or 0, stopped, app.failure)
