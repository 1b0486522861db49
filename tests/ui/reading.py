"""An app with nothing but the conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from moshi_tui.session.events import UserTurn
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.widgets.search import ConversationPanel
from moshi_tui.ui.widgets.transcript import Transcript


class Reader(App[None]):
    """What is said is shown at once."""

    def __init__(self, *, ascii: bool = False) -> None:
        super().__init__()
        self.talk = Conversation(ascii=ascii)
        self.panel = ConversationPanel(self.talk, ascii=ascii)

    @property
    def view(self) -> Transcript:
        """The transcript."""
        return self.panel.transcript

    def compose(self) -> ComposeResult:
        """One panel."""
        yield self.panel

    def piece(self, frame: int, text: str) -> None:
        """Moshi says this."""
        self.view.update_from(self.talk.add_piece(frame, text))

    def event(self, frame: int, text: str) -> None:
        """This happens."""
        self.view.update_from(self.talk.add_event(frame, text))

    def turn(self, frame: int, blocks: int) -> None:
        """The user has spoken for so many blocks."""
        levels = (-15.0,) * blocks
        self.view.update_from(self.talk.add_turn(UserTurn(frame, 3 * blocks, levels, False)))

    def utterances(self, count: int, start: int = 0) -> None:
        """Moshi says as many sentences, 20 frames apart."""
        for number in range(start, start + count):
            self.piece(20 * number, f" This is what I said as number {number}.")


@asynccontextmanager
async def reading(
    size: tuple[int, int] = (80, 24), *, ascii: bool = False
) -> AsyncIterator[tuple[Reader, Pilot[None]]]:
    """The app, laid out."""
    app = Reader(ascii=ascii)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield app, pilot
