"""What every app of ours is: how it looks, what the palette offers, and how it ends in time.

The first picture is painted before anything slow begins; that goes on a thread of its own
(`Shell.make`). Signals that ask for an end, and `q`, start to stop what runs behind the screen, on
a thread of its own too (`stopping.py`), and leave the screen at once. Both go on side by side;
`run_shell` waits for both, for less than a second together.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import Screen

from moshi_tui.clean import clean
from moshi_tui.config import THEMES, ScreenOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import Notice, RecordingStopped
from moshi_tui.ui.ascii import AsciiFilter
from moshi_tui.ui.stopping import Stopper
from moshi_tui.ui.terminal import private_terminal
from moshi_tui.ui.text import sentences
from moshi_tui.ui.themes import ALL, DEFAULTS

if TYPE_CHECKING:  # imported once the first picture is painted
    from moshi_tui.ui.screens.panels import PanelsScreen

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""They ask for an end."""

Made = TypeVar("Made")


class Shell(App[None]):
    """An app around one screen, and around what runs behind it.

    Args:
        options: how it looks.
        remember_theme: called with the name of a theme when the person chooses one.
    """

    TITLE = "moshi-tui"
    CSS_PATH = "moshi.tcss"
    COMMAND_PALETTE_DISPLAY = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit", tooltip="Leave"),
        Binding("ctrl+q,ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(
        self, options: ScreenOptions, remember_theme: Callable[[str], None] = lambda name: None
    ) -> None:
        super().__init__()
        for theme in ALL:
            self.register_theme(theme)
        self.theme = options.theme
        self.failure: MoshiTuiError | None = None
        """What has ended it."""
        self.stopper: Stopper | None = None
        """Stops what runs behind the screen; None as long as nothing does."""
        self.recorded: list[RecordingStopped] = []
        """Every recording that has ended, also after the app."""
        self.leaving = False
        self._options = options
        self._remember_theme = remember_theme
        self._ascii = AsciiFilter()

    @property
    @abstractmethod
    def panels(self) -> PanelsScreen | None:
        """The screen that it is all about, once there is one."""

    @abstractmethod
    def show_notice(self, notice: Notice) -> None:
        """Something to know."""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own variables, for themes that don't know them."""
        return DEFAULTS

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every line goes through before it is painted."""
        filters = super().get_line_filters()
        return [*filters, self._ascii] if self._options.ascii else filters

    # The beginning and the end.

    def heed_signals(self) -> None:
        """Leave when one of `SIGNALS` comes."""
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number in SIGNALS:
                loop.add_signal_handler(number, partial(self.leave, 128 + number))

    def make(
        self, make: Callable[[], Made], message: Callable[[Made | MoshiTuiError], Message]
    ) -> None:
        """Call `make` on a thread of its own, and post the message with what it returns or raises.
        Any other error than a MoshiTuiError ends the app."""

        def run() -> None:
            made: Made | MoshiTuiError
            try:
                made = make()
            except MoshiTuiError as error:
                made = error
            except Exception as error:  # noqa: BLE001 - raised again on the app's thread
                self.crash(error)
                return
            self.post_message(message(made))

        threading.Thread(target=run, name="make", daemon=True).start()

    def crash(self, error: Exception) -> None:
        """Raise it on the app's thread; may be called on any."""
        self.call_later(_raise, error)

    def leave(self, status: int | None = None) -> None:
        """End the app at once, and what runs behind it as soon as it can. `status` None: 1 after a
        failure, else 0."""
        self.leaving = True
        if self.stopper is not None:
            self.stopper.begin()
        if status is None:
            status = 0 if self.failure is None else 1
        self.exit(return_code=status)

    async def action_quit(self) -> None:
        """Leave."""
        self.leave()

    def fail_on_screen(self, error: MoshiTuiError) -> None:
        """What was said stays readable below the error."""
        panels = self.panels
        if panels is None:
            return
        while self.screen is not panels:  # a dialog would hide it
            self.pop_screen()
        panels.fail(error)

    # The command palette.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The command palette has nothing to offer before there is a screen, nor over a dialog."""
        return action != "command_palette" or (
            self.panels is not None and self.screen is self.panels
        )

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The actions of the keys and the themes, by name; nothing else."""
        panels = self.panels
        for key in () if panels is None else panels.keys:
            offered = key.label and key.action not in ("command_palette", "quit")
            if panels is not None and offered and (key.on_failure or not panels.failed):
                run = partial(self.run_action, key.action, panels)
                yield SystemCommand(panels.label(key), key.help, run)
        for theme in THEMES:
            if theme != self.theme:
                help = f"Draw in the {theme} colours from now on, also the next time"
                yield SystemCommand(f"Theme: {theme}", help, partial(self.choose_theme, theme))
        yield SystemCommand("Quit", "Leave", self.action_quit)

    def choose_theme(self, name: str) -> None:
        """Draw in other colours, and remember them."""
        self.theme = name
        try:
            self._remember_theme(name)
        except MoshiTuiError as error:
            self.show_notice(Notice(error.title, error.message, error.hint))

    async def show_help(self, places: Mapping[str, Path]) -> None:
        """The keys of the screen, what its numbers mean, and what is kept where."""
        from moshi_tui.ui.screens.help import HelpScreen

        if self.panels is not None:
            help = HelpScreen(self.panels.keys, places, ascii=self._options.ascii)
            await self.push_screen(help)

    def pop_up(self, told: Notice | MoshiTuiError, *, bad: bool = False) -> None:
        """A notification."""
        message = clean(sentences(told.message, told.hint))
        severity: Any = "error" if bad else "information"
        self.notify(message, title=clean(told.title), severity=severity, markup=False)


def _raise(error: Exception) -> None:
    raise error


class Outcome(NamedTuple):
    """How the app ended."""

    status: int
    """For the shell: 0; 1 after a failure or an error in the app; 128 + n after signal n."""
    stopped: bool
    """All threads behind the screen have ended. If not, only `os._exit(status)` ends the process
    now: a thread in the middle of a long step can't be interrupted."""
    failure: MoshiTuiError | None
    """What the error screen said."""
    recorded: Sequence[RecordingStopped] = ()
    """The recordings of the talk, in order; one that is still being completed appears once it
    is."""


@contextmanager
def _deaf_to_signals() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_shell(make_app: Callable[[], Shell], log: Path) -> Outcome:
    """Show the app until the person leaves; the terminal is as it was when this returns.

    Must run on the main thread. An exception in the app itself ends it with its traceback on
    stderr and status 1. Raises what stopping raises.

    Args:
        make_app: called once the terminal is ours.
        log: where goes what native libraries print.
    """
    stopped = True
    with private_terminal(log):
        app = make_app()
        try:
            app.run()
        finally:
            with _deaf_to_signals():  # they ask for what is being done
                if app.stopper is not None:
                    stopped = app.stopper.finish()
    return Outcome(app.return_code or 0, stopped, app.failure, app.recorded)
