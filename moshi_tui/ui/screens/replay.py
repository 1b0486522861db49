"""The replay: what was recorded, as it was, and the keys that move in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from moshi_tui.config import ScreenOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.session.stats import Stats
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.engine_port import PlayerLike
from moshi_tui.ui.keys import REPLAY_KEYS
from moshi_tui.ui.outline import Outline
from moshi_tui.ui.screens.panels import PanelsScreen, bindings
from moshi_tui.ui.widgets.lag_history import SPAN_SECONDS
from moshi_tui.ui.widgets.panel import Row
from moshi_tui.ui.widgets.seekbar import SeekBar
from moshi_tui.ui.widgets.title import replay_times

SPEEDS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
"""What the keys choose from."""

_AT_END_S = 0.1
"""So near its end it is over."""
_JUST_BEGUN_S = 1.0
"""While it plays, somebody who wants the passage before the one that began a moment ago gets so
long to ask for it."""


class ReplayScreen(PanelsScreen):
    """Shows a player's stats and the conversation up to there; its keys act on the player."""

    keys = REPLAY_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(REPLAY_KEYS)

    def __init__(
        self,
        player: PlayerLike,
        conversation: Conversation,
        outline: Outline,
        info: str,
        options: ScreenOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._player = player
        self._outline = outline
        self._speed = player.speed
        self._target: float | None = None  # where it shall go, until it is there
        self._state = ""
        self._bar = SeekBar(outline, player.length_s, ascii=options.ascii)
        super().__init__(player, conversation, info, options, on_enter=self.action_go, clock=clock)

    # What the keys do.

    def action_pause(self) -> None:
        """Stand still, or go on; at the end: once more from the beginning."""
        if self._now() == "the end":
            self._seek(0.0)
        self._player.pause(not self._player.paused)
        self._show_numbers()

    def action_skip(self, seconds: int) -> None:
        """So much on, or back."""
        self._seek(self._place + seconds)

    def action_begin(self) -> None:
        """To the beginning."""
        self._seek(0.0)

    def action_passage(self, by: int) -> None:
        """To where somebody begins to speak."""
        slack_s = FRAME_SECONDS / 2 if self._player.paused else _JUST_BEGUN_S
        place = self._outline.passage(self._place, by, slack_s)
        if place is None and by < 0:
            place = 0.0
        if place is not None:
            self._seek(place)

    def action_go(self) -> None:
        """To what is selected or found, and play."""
        entry = self.transcript.chosen
        if entry is None:
            return
        if self._panel.searching:
            self._panel.action_close_search()
        self._player.pause(
            False
        )  # first: at the end that begins anew, and what is asked last counts
        self._seek(entry.frame * FRAME_SECONDS)

    def action_speed(self, by: int) -> None:
        """The next speed or the one before; 0: as it was."""
        if by == 0:
            self._speed = 1.0
        else:
            others = [speed for speed in SPEEDS if (speed - self._speed) * by > 0]
            self._speed = min(
                others, key=lambda speed: abs(speed - self._speed), default=self._speed
            )
        self._player.set_speed(self._speed)
        self._show_numbers()

    def on_seek_bar_chosen(self, message: SeekBar.Chosen) -> None:
        """A click on the line."""
        self._seek(message.position_s)

    # What the app tells.

    def begin_anew(self, conversation: Conversation, position_s: float) -> None:
        """It goes on at another place; the conversation is that up to there."""
        if self._target is not None and abs(position_s - self._target) <= FRAME_SECONDS:
            self._target = None
        self._conversation = conversation
        self.transcript.show(conversation)
        self._timing.remember(self._lags_until(position_s))
        self._show_numbers()

    def fail(self, error: MoshiTuiError) -> None:
        """See `PanelsScreen.fail`."""
        self._state = "stopped"
        super().fail(error)

    # What goes on by itself.

    @property
    def _place(self) -> float:
        """Where it is, or will be in a moment: keys that are held down add up."""
        return self._player.stats.elapsed_s if self._target is None else self._target

    def _seek(self, position_s: float) -> None:
        self._target = max(0.0, min(self._player.length_s, position_s))
        self._player.seek(self._target)
        self._show_place()

    def _lags_until(self, position_s: float) -> Iterator[tuple[float, float | None]]:
        """Of the last minute before this place: what was known late in each second."""
        newest = int(position_s)
        for second in range(max(0, newest - SPAN_SECONDS + 1), newest + 1):
            yield second, self._player.lag_ms(min(second + 0.99, position_s))

    def _show_place(self) -> None:
        """At once, without waiting for the player."""
        self._title.show(self._times(self._player.stats))
        self._bar.show(self._place)

    def _labels(self) -> Mapping[str, str]:
        labels = {"playing": "Pause", "paused": "Play", "the end": "Again"}
        return {"pause": labels.get(self._state, "Pause")}

    def _muted_word(self, stats: Stats) -> str:
        return "muted" if stats.muted else ""

    def _above_keys(self) -> Iterable[Widget]:
        yield self._bar

    def _times(self, stats: Stats) -> Row:
        player = self._player
        return replay_times(
            self._place, player.length_s, player.speed, self._state, ascii=self._ascii
        )

    def _now(self) -> str:
        """ "playing", "paused" or "the end"."""
        if not self._player.paused:
            return "playing"
        return "the end" if self._place >= self._player.length_s - _AT_END_S else "paused"

    def _show_numbers(self) -> None:
        if self.failed:
            return
        state = self._now()
        if state != self._state:
            self._state = state
            self._keys.update()
        self._bar.show(self._place)
        super()._show_numbers()
