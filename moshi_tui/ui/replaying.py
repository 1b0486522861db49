"""The app of a replay: turns what a player tells into what the screen shows.

One line is painted first; only then, on a thread of its own, the recording is opened. A recording
that can't be is no reason for a screen: the app ends, and the error is told by whoever started it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from moshi_tui.clean import clean
from moshi_tui.config import ScreenOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.paths import shown
from moshi_tui.session.events import Event, Failed, Notice, Ready, SessionInfo, Sought
from moshi_tui.ui.engine_port import Listener, PlayerLike
from moshi_tui.ui.messages import PlayerEvent, PlayerMade
from moshi_tui.ui.shell import Outcome, Shell, run_shell
from moshi_tui.ui.stopping import Stopper

if TYPE_CHECKING:  # imported once the first picture is painted
    from moshi_tui.ui.conversation import Conversation
    from moshi_tui.ui.outline import Outline
    from moshi_tui.ui.retelling import Retelling
    from moshi_tui.ui.screens.panels import PanelsScreen
    from moshi_tui.ui.screens.replay import ReplayScreen

PlayerFactory = Callable[[Listener], PlayerLike]
"""Makes a player, not started yet, that will call the listener on its threads."""


class OpeningScreen(Screen[None]):
    """Until the recording is there."""

    DEFAULT_CSS = """
    OpeningScreen {
        align: center middle;
    }
    OpeningScreen Static {
        width: auto;
    }
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        """A line."""
        yield Static(f"Opening {clean(self._title)}", markup=False)


class ReplayApp(Shell):
    """Plays what `make_player` opens.

    Args:
        make_player: called on a thread of its own once the first screen is painted.
        options: how it looks.
        title: the recording's name.
        folder: where conversations are saved.
        remember_theme: called with the name of a theme when the person chooses one.
        clock: seconds; injected by tests.
    """

    def __init__(
        self,
        make_player: PlayerFactory,
        options: ScreenOptions = ScreenOptions(),  # noqa: B008 - frozen
        *,
        title: str,
        folder: Path | None = None,
        remember_theme: Callable[[str], None] = lambda name: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(options, remember_theme)
        self.replay: ReplayScreen | None = None
        """The screen, once the player is ready."""
        self.player: PlayerLike | None = None
        self._make_player = make_player
        self._recording = title
        self._folder = folder or Path()
        self._clock = clock
        self._outline: Outline | None = None
        self._conversation: Conversation | None = None
        self._retelling: Retelling | None = None
        self._jumps = 0
        """How often the player has gone to another place: what it told before is out of date."""

    @property
    def panels(self) -> PanelsScreen | None:
        """The screen, as what every app of ours has."""
        return self.replay

    def on_mount(self) -> None:
        """Take the signals that ask for an end; open the recording after the first paint."""
        self.heed_signals()
        self.push_screen(OpeningScreen(self._recording))
        self.call_after_refresh(self.make, self._open, PlayerMade)

    def _open(self) -> tuple[PlayerLike, Outline]:
        """On a thread of its own, with what takes long to import or to compute."""
        from moshi_tui.ui.outline import Outline

        player = self._make_player(self._listen)
        return player, Outline(player.events)

    def on_player_made(self, message: PlayerMade) -> None:
        """It can begin, or could not be opened."""
        if self.leaving:
            return
        if isinstance(message.made, MoshiTuiError):
            self._fail(message.made)
            return
        self.player, self._outline = message.made
        self.stopper = Stopper(self.player.stop)
        self.player.start()

    def _listen(self, event: Event) -> None:
        """Called on the player's threads, also once the app has ended."""
        if isinstance(event, Sought):
            self._jumps += 1
        self.post_message(PlayerEvent(self._jumps, event))

    async def on_player_event(self, message: PlayerEvent) -> None:
        """Something has happened in the recording, or with the player. Of jumps that come faster
        than the screen only the last counts: so a held key does not pile them up."""
        event = message.event
        if isinstance(event, Failed):
            self._fail(event.error)
        elif isinstance(event, Ready):
            await self._begin(event.info)
        elif message.jumps == self._jumps:
            if isinstance(event, Sought):
                self._go_on_at(event)
            else:
                self._take(event)

    async def _begin(self, info: SessionInfo) -> None:
        if self.player is None or self._outline is None or self.failure is not None:
            return
        from moshi_tui.ui.retelling import Retelling
        from moshi_tui.ui.screens.replay import ReplayScreen

        self._retelling = Retelling(info, ascii=self._options.ascii)
        self._conversation = talk = self._retelling.up_to(())
        options, title = self._options, f"{self._recording} · {info.model} · {info.quant}"
        self.replay = ReplayScreen(
            self.player, talk, self._outline, title, options, clock=self._clock
        )
        await self.switch_screen(self.replay)

    def _go_on_at(self, sought: Sought) -> None:
        if self.replay is not None and self._retelling is not None:
            self._conversation = self._retelling.up_to(sought.events)
            self.replay.begin_anew(self._conversation, sought.position_s)

    def _take(self, event: Event) -> None:
        from moshi_tui.ui.telling import tell

        if self.replay is not None and self.player is not None and self._conversation is not None:
            now = self.player.stats.frame
            self.replay.transcript.update_from(tell(self._conversation, event, now))

    async def on_panels_screen_asked(self, message: PanelsScreen.Asked) -> None:
        """A key wants something that is not on the screen."""
        if self.screen is not self.replay:
            return
        if message.what == "help":
            await self.show_help({"Conversations": self._folder.absolute()})
        elif message.what == "save":
            self._save()

    def _save(self) -> None:
        from moshi_tui.ui.saving import save

        if self._conversation is None:
            return
        try:
            path = save(self._conversation, self._folder, self._recording)
        except MoshiTuiError as error:
            self.pop_up(error, bad=True)
        else:  # not a line of the conversation, which is what was recorded
            self.notify(f"Saved to {clean(shown(path))}", markup=False)

    def show_notice(self, notice: Notice) -> None:
        """Something that is not of the recording."""
        self.pop_up(notice)

    def _fail(self, error: MoshiTuiError) -> None:
        """The first error is shown; before there is a screen it ends the app."""
        if self.failure is not None:
            return
        self.failure = error
        if self.replay is None:
            self.leave()
        else:
            self.fail_on_screen(error)


def run_replay(
    make_player: PlayerFactory,
    options: ScreenOptions,
    *,
    title: str,
    folder: Path | None = None,
    log: Path = Path(os.devnull),
    remember_theme: Callable[[str], None] = lambda name: None,
) -> Outcome:
    """Play a recording until the person leaves: see `run_shell`.

    Args:
        log: where goes what native libraries print.
        make_player, options, title, folder, remember_theme: see `ReplayApp`.
    """
    make_app = partial(ReplayApp, make_player, options, title=title, folder=folder)
    return run_shell(lambda: make_app(remember_theme=remember_theme), log)
