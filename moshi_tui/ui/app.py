"""The app: turns the engine's events into what the screens show, and ends in time.

Start: the loading screen is painted first. Only then, on a thread of its own, the engine is made
(importing it takes a while); its listener posts every event as a message, and nothing of the engine
ever waits for the screen. What the talk needs of Textual and NumPy is imported meanwhile, too.

End: `q` starts to stop the engine on a thread of its own (`stopping.py`) and leaves the screen at
once. Both go on side by side; `run_app` waits for both, for less than a second together.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from moshi_tui.clean import clean
from moshi_tui.config import THEMES, ScreenOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import Failed, Loading, Notice, Ready, RecordingStopped
from moshi_tui.ui.ascii import AsciiFilter
from moshi_tui.ui.engine_port import DeskLike, EngineFactory, EngineLike
from moshi_tui.ui.keys import KEYS
from moshi_tui.ui.messages import EngineEvent, EngineMade
from moshi_tui.ui.screens.loading import LoadingScreen
from moshi_tui.ui.setup import Setup
from moshi_tui.ui.stopping import Stopper
from moshi_tui.ui.terminal import private_terminal
from moshi_tui.ui.text import sentences
from moshi_tui.ui.themes import ALL, DEFAULTS

if TYPE_CHECKING:  # the talk itself is imported once the first picture is painted
    from moshi_tui.session.events import Event
    from moshi_tui.ui.screens.talk import TalkScreen
    from moshi_tui.ui.talking import Talking

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""They ask for an end."""


class MoshiApp(App[None]):
    """One talk with the engine that `make_engine` makes.

    Args:
        make_engine: called on a thread of its own once the first screen is painted, and again when
            the person wants to try again.
        make_desk: called when the person first wants to choose devices.
        options: how it looks.
        folder: where conversations are saved.
        remember_theme: called with the name of a theme when the person chooses one.
        clock: seconds; injected by tests.
    """

    TITLE = "moshi-tui"
    CSS_PATH = "moshi.tcss"
    COMMAND_PALETTE_DISPLAY = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit", tooltip="Leave the talk"),
        Binding("ctrl+q,ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        make_engine: EngineFactory,
        make_desk: Callable[[], DeskLike],
        options: ScreenOptions = ScreenOptions(),  # noqa: B008 - frozen
        *,
        folder: Path | None = None,
        remember_theme: Callable[[str], None] = lambda name: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        for theme in ALL:
            self.register_theme(theme)
        self.theme = options.theme
        self.failure: MoshiTuiError | None = None
        """What has ended the talk or the loading."""
        self.engine: EngineLike | None = None
        self.stopper: Stopper | None = None
        """Stops the engine; None as long as there is none."""
        self.recorded: list[RecordingStopped] = []
        """Every recording that has ended, also after the app."""
        self.talking: Talking | None = None
        """The talk and its conversation, from the first event that belongs to it on."""
        self._setup = Setup(make_desk, options, folder or Path(), clock)
        self._remember_theme = remember_theme
        self._make_engine = make_engine
        self._loading = LoadingScreen(ascii=options.ascii, clock=clock)
        self._leaving = False
        self._ascii = AsciiFilter()
        self._making = 0
        """Counts the engines asked for: events of one that was given up are not listened to."""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own variables, for themes that don't know them."""
        return DEFAULTS

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every line goes through before it is painted."""
        filters = super().get_line_filters()
        return [*filters, self._ascii] if self._setup.options.ascii else filters

    def transcript_text(self) -> str:
        """Moshi's words on the screen: all pieces joined and cleaned."""
        return "" if self.talking is None else self.talking.conversation.spoken()

    @property
    def talk(self) -> TalkScreen | None:
        """The screen of the talk, once there is one."""
        return None if self.talking is None else self.talking.screen

    def on_mount(self) -> None:
        """Take the signals that ask for an end; start the engine after the first paint."""
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number in SIGNALS:
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
        """The command palette has nothing to offer before there is a talk, nor over a dialog."""
        return action != "command_palette" or (self.talk is not None and self.screen is self.talk)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The actions of the keys and the themes, by name; nothing else."""
        talk = self.talk
        for key in KEYS:
            offered = key.label and key.action not in ("command_palette", "quit")
            if talk is not None and offered and (key.on_failure or not talk.failed):
                run = partial(self.run_action, key.action, talk)
                yield SystemCommand(talk.label(key), key.help, run)
        for theme in THEMES:
            if theme != self.theme:
                help = f"Draw in the {theme} colours from now on, also the next time"
                yield SystemCommand(f"Theme: {theme}", help, partial(self.choose_theme, theme))
        yield SystemCommand("Quit", "Leave the talk", self.action_quit)

    def choose_theme(self, name: str) -> None:
        """Draw in other colours, and remember them."""
        self.theme = name
        try:
            self._remember_theme(name)
        except MoshiTuiError as error:
            self._show_notice(Notice(error.title, error.message, error.hint))

    # The engine.

    def _start_engine(self) -> None:
        if self._leaving:
            return
        self._making += 1
        number = self._making
        listen = partial(self._listen, number)

        def make() -> None:
            made: EngineLike | MoshiTuiError
            try:
                made = self._make_engine(listen)
            except MoshiTuiError as error:
                made = error
            except Exception as error:  # noqa: BLE001 - raised again on the app's thread
                self.call_later(_raise, error)
                return
            self.post_message(EngineMade(number, made))

        threading.Thread(target=make, name="make-engine", daemon=True).start()

    def on_engine_made(self, message: EngineMade) -> None:
        """The engine can start, or could not be made."""
        if self._leaving or message.number != self._making:
            return
        if isinstance(message.made, MoshiTuiError):  # there is no microphone, or no speaker
            self._fail(message.made, stage="sound")
            return
        self.engine = message.made
        self.stopper = Stopper(self.engine.stop)
        self.engine.start()

    def _listen(self, number: int, event: Event) -> None:
        """Called on the engine's threads, also once the app has ended."""
        if isinstance(event, RecordingStopped):
            self.recorded.append(event)
        self.post_message(EngineEvent(number, event))

    async def on_engine_event(self, message: EngineEvent) -> None:
        """Something has happened in the engine."""
        if message.number != self._making:
            return
        match message.event:
            case Loading() if self.talk is None:
                self._loading.show(message.event)
            case Ready() if self.talk is None and self.engine is not None:
                if self.failure is None:
                    screen = self._the_talk().begin(self.engine, message.event.info)
                    await self.switch_screen(screen)
            case Notice():
                self._show_notice(message.event)
            case Failed():
                self._fail(message.event.error)
            case Loading() | Ready():
                pass
            case event:
                self._the_talk().take(event)

    def on_loading_screen_retry(self) -> None:
        """Loading has failed, and the person wants another try."""
        if self.failure is None or self.talk is not None:
            return
        self.failure = None
        self._loading.restart()
        old, self.engine, self.stopper = self.engine, None, None
        self._making += 1  # the old engine is heard no more
        self._loading.show(Loading("files", "Waiting until the last try has ended"))
        threading.Thread(target=self._start_after, args=(old,), name="retry", daemon=True).start()

    def _start_after(self, old: EngineLike | None) -> None:
        """Wait for an engine that has failed; two at once would need twice the memory."""
        try:
            while old is not None and not old.stop(1.0):
                pass
        except Exception as error:  # noqa: BLE001 - raised again on the app's thread
            self.call_later(_raise, error)
        else:
            self.call_later(self._start_engine)

    async def on_talk_screen_asked(self, message: TalkScreen.Asked) -> None:
        """A key of the talk wants something that is not on its screen."""
        await self._the_talk().asked(message.what)

    def _the_talk(self) -> Talking:
        """What keeps the conversation; also of what happens before the screen is there."""
        if self.talking is None:
            from moshi_tui.ui.talking import Talking

            self.talking = Talking(self, self._setup)
        return self.talking

    def _show_notice(self, notice: Notice) -> None:
        """A line in the transcript; while there is none to be seen, a notification as well."""
        self._the_talk().notice(notice)
        if self.talk is None:
            message = clean(sentences(notice.message, notice.hint))
            self.notify(message, title=clean(notice.title), markup=False)

    def _fail(self, error: MoshiTuiError, stage: str = "") -> None:
        """Show the first error; those that follow from it go into the transcript. `stage` of
        loading, if it is not the current one."""
        if self.failure is not None:
            self._show_notice(Notice(error.title, error.message, error.hint))
            return
        self.failure = error
        if self.talk is None:
            self._loading.fail(error, stage)
        else:
            while self.screen is not self.talk:  # a dialog would hide it
                self.pop_screen()
            self.talk.fail(error)


def _raise(error: Exception) -> None:
    raise error


class Outcome(NamedTuple):
    """How the app ended."""

    status: int
    """For the shell: 0; 1 after a failure or an error in the app; 128 + n after signal n."""
    stopped: bool
    """The engine's threads have ended. If not, only `os._exit(status)` ends the process now: a
    thread in the middle of a long step can't be interrupted."""
    failure: MoshiTuiError | None
    """What the error screen said."""
    recorded: tuple[RecordingStopped, ...] = ()
    """The recordings of the talk, in order."""


@contextmanager
def _deaf_to_signals() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_app(
    make_engine: EngineFactory,
    make_desk: Callable[[], DeskLike],
    options: ScreenOptions = ScreenOptions(),  # noqa: B008 - frozen
    *,
    log: Path = Path(os.devnull),
    folder: Path | None = None,
    remember_theme: Callable[[str], None] = lambda name: None,
) -> Outcome:
    """Show the app until the person leaves; the terminal is as it was when this returns.

    Must run on the main thread. An exception in the app itself ends it with its traceback on
    stderr and status 1. Raises what the engine's `stop` raises.

    Args:
        log: where goes what native libraries print.
        make_engine, make_desk, options, folder, remember_theme: see `MoshiApp`.
    """
    stopped = True
    with private_terminal(log):
        app = MoshiApp(
            make_engine, make_desk, options, folder=folder, remember_theme=remember_theme
        )
        try:
            app.run()
        finally:
            with _deaf_to_signals():  # they ask for what is being done
                if app.stopper is not None:
                    stopped = app.stopper.finish()
    return Outcome(app.return_code or 0, stopped, app.failure, tuple(app.recorded))
