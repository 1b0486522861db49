"""What reaches the app's message queue from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from moshi_tui.errors import MoshiTuiError

if TYPE_CHECKING:
    from moshi_tui.session.events import Event
    from moshi_tui.ui.engine_port import EngineLike, PlayerLike
    from moshi_tui.ui.outline import Outline


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


class PlayerEvent(Message):
    """What a player tells, posted from the thread on which it happened.

    Args:
        jumps: how often it had gone to another place by then.
    """

    def __init__(self, jumps: int, event: Event) -> None:
        super().__init__()
        self.jumps = jumps
        self.event = event


class PlayerMade(Message):
    """The player and what it is going to play, or why there is none."""

    def __init__(self, made: tuple[PlayerLike, Outline] | MoshiTuiError) -> None:
        super().__init__()
        self.made = made
