"""The app of the talk: turns the engine's events into what the screens show.

The loading screen is painted first. Only then, on a thread of its own, the engine is made
(importing it takes a while); its listener posts every event as a message, and nothing of the engine
ever waits for the screen. What the talk needs of Textual and NumPy is imported meanwhile, too.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from moshi_tui.config import ScreenOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import Failed, Loading, Notice, Ready, RecordingStopped
from moshi_tui.ui.engine_port import DeskLike, EngineFactory, EngineLike
from moshi_tui.ui.messages import EngineEvent, EngineMade
from moshi_tui.ui.screens.loading import LoadingScreen
from moshi_tui.ui.setup import Setup
from moshi_tui.ui.shell import Outcome, Shell, run_shell
from moshi_tui.ui.stopping import Stopper

if TYPE_CHECKING:  # the talk itself is imported once the first picture is painted
    from moshi_tui.session.events import Event
    from moshi_tui.ui.screens.panels import PanelsScreen
    from moshi_tui.ui.screens.talk import TalkScreen
    from moshi_tui.ui.talking import Talking


class MoshiApp(Shell):
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
        super().__init__(options, remember_theme)
        self.engine: EngineLike | None = None
        self.talking: Talking | None = None
        """The talk and its conversation, from the first event that belongs to it on."""
        self._setup = Setup(make_desk, options, folder or Path(), clock)
        self._make_engine = make_engine
        self._loading = LoadingScreen(ascii=options.ascii, clock=clock)
        self._making = 0
        """Counts the engines asked for: events of one that was given up are not listened to."""

    def transcript_text(self) -> str:
        """Moshi's words on the screen: all pieces joined and cleaned."""
        return "" if self.talking is None else self.talking.conversation.spoken()

    @property
    def talk(self) -> TalkScreen | None:
        """The screen of the talk, once there is one."""
        return None if self.talking is None else self.talking.screen

    @property
    def panels(self) -> PanelsScreen | None:
        """The same, as what every app of ours has."""
        return self.talk

    def on_mount(self) -> None:
        """Take the signals that ask for an end; start the engine after the first paint."""
        self.heed_signals()
        self.push_screen(self._loading)
        self.call_after_refresh(self._start_engine)

    # The engine.

    def _start_engine(self) -> None:
        if self.leaving:
            return
        self._making += 1
        number = self._making
        listen = partial(self._listen, number)
        self.make(lambda: self._make_engine(listen), partial(EngineMade, number))

    def on_engine_made(self, message: EngineMade) -> None:
        """The engine can start, or could not be made."""
        if self.leaving or message.number != self._making:
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
                self.show_notice(message.event)
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
            self.crash(error)
        else:
            self.call_later(self._start_engine)

    async def on_panels_screen_asked(self, message: PanelsScreen.Asked) -> None:
        """A key of the talk wants something that is not on its screen."""
        await self._the_talk().asked(message.what)

    def _the_talk(self) -> Talking:
        """What keeps the conversation; also of what happens before the screen is there."""
        if self.talking is None:
            from moshi_tui.ui.talking import Talking

            self.talking = Talking(self, self._setup)
        return self.talking

    def show_notice(self, notice: Notice) -> None:
        """A line in the transcript; while there is none to be seen, a notification as well."""
        self._the_talk().take(notice)
        if self.talk is None:
            self.pop_up(notice)

    def _fail(self, error: MoshiTuiError, stage: str = "") -> None:
        """Show the first error; those that follow from it go into the transcript. `stage` of
        loading, if it is not the current one."""
        if self.failure is not None:
            self.show_notice(Notice(error.title, error.message, error.hint))
            return
        self.failure = error
        if self.talk is None:
            self._loading.fail(error, stage)
        else:
            self.fail_on_screen(error)


def run_app(
    make_engine: EngineFactory,
    make_desk: Callable[[], DeskLike],
    options: ScreenOptions = ScreenOptions(),  # noqa: B008 - frozen
    *,
    log: Path = Path(os.devnull),
    folder: Path | None = None,
    remember_theme: Callable[[str], None] = lambda name: None,
) -> Outcome:
    """Show the talk until the person leaves: see `run_shell`.

    Args:
        log: where goes what native libraries print.
        make_engine, make_desk, options, folder, remember_theme: see `MoshiApp`.
    """
    return run_shell(
        lambda: MoshiApp(
            make_engine, make_desk, options, folder=folder, remember_theme=remember_theme
        ),
        log,
    )
