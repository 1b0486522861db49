from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.clean import clean
from moshi_tui.ui.conversation import PAUSE_FRAMES, Conversation
from tests.ui.test_text import TEXT


def test_pieces_join_until_a_pause() -> None:
    talk = Conversation()
    for frame, piece in [(10, "Hey"), (13, ","), (14, " you."), (14 + PAUSE_FRAMES, " Well?")]:
        talk.add_piece(frame, piece)
    assert [(entry.frame, entry.text) for entry in talk.entries] == [
        (10, "Hey, you."),
        (14 + PAUSE_FRAMES, " Well?"),
    ]


def test_the_longest_gap_that_is_no_pause() -> None:
    talk = Conversation()
    talk.add_piece(0, "Hey")
    talk.add_piece(PAUSE_FRAMES - 1, " you")
    assert len(talk.entries) == 1


def test_speaking_ends_with_the_pause() -> None:
    talk = Conversation()
    assert not talk.is_speaking(0)
    talk.add_piece(5, "Hey")
    assert talk.is_speaking(5)
    assert talk.is_speaking(4 + PAUSE_FRAMES)
    assert not talk.is_speaking(5 + PAUSE_FRAMES)


def test_an_event_does_not_cut_a_word() -> None:
    talk = Conversation()
    assert talk.add_piece(0, "Hel") == 0
    assert talk.add_event(1, "Muted") == 1
    assert talk.add_piece(2, "lo") == 0
    assert [entry.text for entry in talk.entries] == ["Hello", "Muted"]


def test_a_reset_ends_the_utterance() -> None:
    talk = Conversation()
    talk.add_piece(0, "Hey")
    talk.add_event(1, "Reset", ends_utterance=True)
    talk.add_piece(2, " you")
    assert [entry.text for entry in talk.entries] == ["Hey", "Reset", " you"]


def test_a_blank_alone_is_no_utterance() -> None:
    talk = Conversation()
    talk.add_piece(0, " ")
    assert talk.entries == []
    talk.add_piece(50, "Hey")
    assert talk.entries[0].frame == 50
    assert talk.spoken() == " Hey"


def test_clock() -> None:
    talk = Conversation()
    talk.add_piece(0, "a")
    talk.add_piece(749, "b")
    talk.add_piece(775, "c")
    talk.add_piece(75_000, "d")
    assert [entry.clock for entry in talk.entries] == ["00:00", "00:59", "01:02", "100:00"]


def test_plain_lines() -> None:
    talk = Conversation()
    talk.add_piece(0, " Hey")
    talk.add_event(100, "Muted")
    assert list(talk.lines()) == ["00:00 Moshi  Hey", "00:08 -  Muted"]


@given(st.lists(st.tuples(st.integers(0, 30), TEXT, st.booleans())))
def test_what_was_spoken_is_the_pieces_joined(steps: list[tuple[int, str, bool]]) -> None:
    talk, frame = Conversation(), 0
    for gap, piece, event in steps:
        frame += gap
        before = [entry.text for entry in talk.entries]
        index = talk.add_piece(frame, piece)
        assert [entry.text for entry in talk.entries][:index] == before[:index]
        if event:
            talk.add_event(frame, "Muted")
    assert talk.spoken() == clean("".join(piece for _, piece, _ in steps))
