from __future__ import annotations

import random

from moshi_tui.session.events import (
    Event,
    Muted,
    Skipped,
    TextPiece,
    Underrun,
    UserTurn,
    WasReset,
)
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.outline import Outline
from moshi_tui.ui.retelling import Retelling
from moshi_tui.ui.telling import open_with, tell
from tests.fakes import INFO


def a_talk(events: int) -> list[Event]:
    """All that can change entries before the last one, in any order."""
    chance = random.Random(4)
    talk: list[Event] = []
    frame = 40
    while len(talk) < events:
        frame += chance.randrange(6)
        kind = chance.random()
        if kind < 0.6:
            talk.append(
                TextPiece(frame, 9, chance.choice([" so", " well", ".", "\x1b[3", "m", "e"]))
            )
        elif kind < 0.75:
            blocks = chance.randrange(1, 5)
            levels = (-30.0,) * blocks
            talk.append(UserTurn(frame // 40 * 40, 3 * blocks, levels, over=False))
        elif kind < 0.85:
            talk.append(Skipped(frame, "user", chance.choice(["silence", "speech"]), 400.0))
        elif kind < 0.95:
            talk.append(Underrun(frame, 300.0))
        elif kind < 0.99:
            talk.append(Muted(frame, bool(chance.randrange(2))))
        else:
            talk.append(WasReset(frame))
    return talk


def test_it_tells_the_same_as_if_it_were_told_anew() -> None:
    talk, chance = a_talk(4000), random.Random(1)
    retelling = Retelling(INFO, ascii=False)
    for _ in range(40):
        events = talk[: chance.randrange(len(talk))]
        if chance.random() < 0.2:  # a turn that has been told otherwise
            events = [event for event in events if chance.random() < 0.999]
        told = retelling.up_to(events)
        anew = Conversation()
        open_with(anew, INFO)
        for event in events:
            tell(anew, event)
        assert list(told.lines()) == list(anew.lines())
        assert told.open == anew.open
        for event in talk[len(events) : len(events) + 30]:  # what goes on does not reach the next
            assert tell(told, event) == tell(anew, event)
        assert list(told.lines()) == list(anew.lines())


def test_the_outline_knows_where_somebody_begins_and_who_speaks() -> None:
    outline = Outline(
        [
            TextPiece(25, 9, " Hello"),
            UserTurn(100, 25, (-30.0,) * 8, over=True),
            TextPiece(110, 9, " Yes"),
            TextPiece(111, 9, " "),
        ]
    )
    assert outline.begins == [2.0, 8.0, 8.8]
    assert outline.passage(0.0, 1, 0.04) == 2.0
    assert outline.passage(2.0, 1, 0.04) == 8.0
    assert outline.passage(9.0, 1, 0.04) is None
    assert outline.passage(8.5, -1, 0.04) == 8.0
    assert outline.passage(8.5, -1, 1.0) == 2.0
    assert outline.passage(2.0, -1, 0.04) is None
    speaks = outline.cells(10, 10.0)
    assert [index for index, (moshi, _) in enumerate(speaks) if moshi] == [2, 8, 9]
    assert [index for index, (_, you) in enumerate(speaks) if you] == [8, 9]
    assert outline.cells(0, 10.0) == []
    assert outline.cells(3, 0.0) == [(False, False)] * 3
