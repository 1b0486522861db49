"""What reaches the app's message queue from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from moshi_tui.errors import MoshiTuiError

if TYPE_CHECKING:
    from moshi_tui.session.events import Event
    from moshi_tui.ui.engine_port import EngineLike


class EngineEvent(Message):
    """An event of the engine, posted from the thread on which it happened.

    Args:
        number: which of the engines that were made, counted from 1.
    """

    def __init__(self, number: int, event: Event) -> None:
        super().__init__()
        self.number = number
        self.event = event


class EngineMade(Message):
    """The engine, or why there is none."""

    def __init__(self, number: int, made: EngineLike | MoshiTuiError) -> None:
        super().__init__()
        self.number = number
        self.made = made
