"""The talk: what the engine does, and the keys that act on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.binding import BindingType
from textual.reactive import reactive

from moshi_tui.config import ScreenOptions
from moshi_tui.session.events import SessionInfo
from moshi_tui.session.pocket import POCKET_MOSHI, REAL_ONE, SMALL
from moshi_tui.session.stats import Stats
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.engine_port import EngineLike
from moshi_tui.ui.keys import KEYS
from moshi_tui.ui.push_to_talk import PushToTalk
from moshi_tui.ui.screens.panels import PanelsScreen, bindings
from moshi_tui.ui.widgets.panel import Row
from moshi_tui.ui.widgets.title import talk_times


class TalkScreen(PanelsScreen):
    """Shows the engine's stats and the conversation; its keys act on the engine."""

    keys = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    muted: reactive[bool] = reactive(False, repaint=False)
    """What the person has asked for."""

    def __init__(
        self,
        engine: EngineLike,
        conversation: Conversation,
        info: SessionInfo,
        options: ScreenOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.push_to_talk = PushToTalk()
        self._engine = engine
        self._clock = clock
        self._recording = engine.stats.recording_s is not None
        pocket = info.model == POCKET_MOSHI
        running = f"{SMALL if pocket else info.model} · {info.quant} · {info.device}"
        super().__init__(engine, conversation, running, options, clock=clock)
        if pocket:  # where it stays, however much is said
            self._panel.border_subtitle = f"The real one: {REAL_ONE}"

    # What the keys do.

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

    def action_devices(self) -> None:
        """The devices screen."""
        self.post_message(self.Asked("devices"))

    # What goes on by itself.

    def _mute(self, muted: bool) -> None:
        if muted != self.muted:
            self.muted = muted
            self._engine.set_muted(muted)
        self._keys.update()

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

    def _muted_word(self, stats: Stats) -> str:
        if not self.muted:
            return ""
        return "space to talk" if self.push_to_talk.state == "silent" else "muted"

    def _times(self, stats: Stats) -> Row:
        recording_s = None if self.failed else stats.recording_s
        return talk_times(stats.elapsed_s, recording_s, ascii=self._ascii)

    def _poll(self) -> None:
        if not self.failed and self.push_to_talk.state in ("pressed", "held"):
            before = self.push_to_talk.state
            self.push_to_talk.tick(self._clock())
            if self.push_to_talk.state != before:
                self._mute(not self.push_to_talk.talking)
        super()._poll()

    def _show_numbers(self) -> None:
        recording = self._engine.stats.recording_s is not None
        if self._recording != recording and not self.failed:
            self._recording = recording
            self._keys.update()
        super()._show_numbers()
