from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from moshi_tui.session.events import UserTurn
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.lines import Line, Lines
from tests.ui.test_text import TEXT

HAPPENS = st.tuples(st.integers(0, 30), st.sampled_from(["piece", "turn", "event", "reset"]), TEXT)


def all_of(lines: Lines) -> list[Line]:
    return [lines[number] for number in range(len(lines))]


@settings(max_examples=60)
@given(st.lists(HAPPENS, max_size=30), st.sampled_from([12, 38, 60]))
def test_lines_kept_up_to_date_are_those_made_anew(
    steps: list[tuple[int, str, str]], width: int
) -> None:
    talk = Conversation()
    lines = Lines(talk)
    lines.set_width(width)
    frame = 44_900  # some reach the hour
    for gap, kind, text in steps:
        frame += gap
        before = all_of(lines)
        indent = lines.indent
        if kind == "piece":
            index = talk.add_piece(frame, text)
        elif kind == "turn":
            levels = (-30.0,) * (1 + frame % 40)
            index = talk.add_turn(UserTurn(frame - gap - 3, 3 * len(levels), levels, False))
        else:
            index = talk.add_event(frame, text, ends_utterance=kind == "reset")
        if index == len(talk.entries):
            continue
        changed = lines.update(index)
        anew = Lines(talk)
        anew.set_width(width)
        after = all_of(lines)
        assert after == all_of(anew)
        for number in range(max(len(before), len(after))):
            if number not in changed:
                assert lines.indent == indent
                assert before[number] == after[number]
        for entry in range(len(talk.entries)):
            assert after[lines.first(entry)].first
            assert after[lines.last(entry)].entry == entry


def test_a_character_is_found_on_its_line() -> None:
    talk = Conversation()
    talk.add_piece(0, " one two three four five six")
    lines = Lines(talk)
    lines.set_width(20)
    for number, line in enumerate(all_of(lines)):
        for char in range(line.start, line.end):
            assert lines.line_of(0, char) == number


def test_times_stay_in_their_column_beyond_an_hour() -> None:
    talk = Conversation()
    talk.add_event(0, "Muted")
    lines = Lines(talk)
    lines.set_width(60)
    assert lines.indent == len("00:00 Moshi  ")
    changed = lines.update(talk.add_event(45_000, "Unmuted"))
    assert lines.indent == len("1:00:00 Moshi  ")
    assert list(changed) == [0, 1]
