"""What reaches the app's message queue from outside."""

from __future__ import annotations

from textual.message import Message

from moshi_tui.session.events import Event


class EngineEvent(Message):
    """An event of the engine, posted from the thread on which it happened."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event
