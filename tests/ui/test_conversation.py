from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.clean import clean
from moshi_tui.session.events import SkipKind, Skipped, Underrun, UserTurn
from moshi_tui.session.pauses import PAUSE_FRAMES
from moshi_tui.ui.conversation import Conversation
from tests.ui.test_text import TEXT


def turn(frame: int, frames: int, *, over: bool = True, level: float = -20.0) -> UserTurn:
    return UserTurn(frame, frames, (level,) * (frames // UserTurn.BLOCK_FRAMES), over)


def test_pieces_join_until_a_pause() -> None:
    talk = Conversation()
    for frame, piece in [(10, "Hey"), (13, ","), (14, " you."), (14 + PAUSE_FRAMES, " Well?")]:
        talk.add_piece(frame, piece)
    assert [(entry.frame, entry.text) for entry in talk.entries] == [
        (10, "Hey, you."),
        (14 + PAUSE_FRAMES, " Well?"),
    ]


def test_what_a_full_ring_has_lost_at_once_is_no_pause() -> None:
    talk = Conversation()
    talk.add_piece(10, " hel")
    talk.add_skipped(Skipped(11, "user", "speech", 40 * 80.0))
    talk.add_piece(51, "lo")
    assert talk.entries[0].text == " hello"


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
    assert talk.clock_width == 5
    talk.add_piece(44_999, "d")
    talk.add_piece(45_038, "e")
    assert [entry.clock for entry in talk.entries] == [
        "00:00",
        "00:59",
        "01:02",
        "59:59",
        "1:00:03",
    ]
    assert talk.clock_width == 7


def test_plain_lines() -> None:
    talk = Conversation()
    talk.add_piece(0, " Hey")
    talk.add_event(100, "Muted")
    talk.add_turn(turn(110, 40))
    talk.add_piece(45_000, "Still here?")
    assert list(talk.lines()) == [
        "  00:00 Moshi  Hey",
        "  00:08 -      Muted",
        "  00:08 You    spoke for 3.2 s",
        "1:00:00 Moshi  Still here?",
    ]


def skip(talk: Conversation, *frames: int, kind: SkipKind = "silence") -> list[int]:
    return [talk.add_skipped(Skipped(frame, "user", kind, 80.0)) for frame in frames]


def test_a_catch_up_is_one_entry_that_grows() -> None:
    talk = Conversation()
    talk.add_piece(0, "Hel")
    assert skip(talk, 20, 21, 22) == [1, 1, 1]  # 240 ms: nothing changed
    assert len(talk.entries) == 1
    assert skip(talk, 23) == [1]
    assert talk.entries[1].text == "Skipped 0.3 s of silence to catch up"
    talk.add_event(24, "Muted")
    skip(talk, *range(25, 41), kind="silence")
    assert set(skip(talk, *range(41, 45), kind="speech")) == {1, 3}  # 3: reads the same
    talk.add_skipped(Skipped(15, "moshi", "silence", 400.0))
    assert [(entry.frame, entry.text) for entry in talk.entries[1:]] == [
        (
            23,
            "Skipped 1.9 s (0.3 s of it your speech) and cut 0.4 s out of Moshi's pauses to "
            "catch up",
        ),
        (24, "Muted"),
    ]


def test_what_reads_the_same_has_not_changed() -> None:
    talk = Conversation()
    skip(talk, *range(5))
    assert talk.add_skipped(Skipped(5, "moshi", "silence", 10.0)) == len(talk.entries) == 1


def test_a_stall_after_another_is_told_anew() -> None:
    talk = Conversation()
    skip(talk, *range(10, 20))
    skip(talk, *range(82, 92))
    assert [entry.frame for entry in talk.entries] == [13, 85]


def test_ten_minutes_of_a_machine_that_is_too_slow() -> None:
    talk = Conversation()
    skip(talk, *range(0, 7500, 5))
    assert len(talk.entries) == 10
    assert {entry.text for entry in talk.entries} == {"Skipped 12.0 s of silence to catch up"}


def test_ten_minutes_of_a_machine_that_is_far_too_slow() -> None:
    talk = Conversation()
    for frame in range(0, 7500, 96):
        skip(talk, *range(frame + 1, frame + 96))
        talk.add_underrun(Underrun(frame, 7600.0))
        talk.add_piece(frame, "la ")
    happened = [entry for entry in talk.entries if not entry.speaker]
    assert len(happened) <= 22
    assert len(talk.entries) - len(happened) == 1  # Moshi has not paused
    assert any("interrupted 9 times, for 68.4 s in all" in entry.text for entry in happened)


def test_interruptions_longer_than_a_stutter_are_told() -> None:
    talk = Conversation()
    assert talk.add_underrun(Underrun(5, 200.0)) == 0
    assert talk.entries == []
    assert talk.add_underrun(Underrun(30, 2000.0)) == 0
    assert talk.entries[0].text == "Moshi was interrupted for 2.0 s (the model was late)"
    talk.add_underrun(Underrun(300, 400.0))
    assert [entry.frame for entry in talk.entries] == [30, 300]


def test_skipped_frames_do_not_cut_a_word() -> None:
    talk = Conversation()
    skip(talk, *range(8, 28))
    talk.add_piece(7, "Hel")
    assert talk.is_speaking(28)
    talk.add_piece(28, "lo")
    assert [entry.text for entry in talk.entries if entry.speaker] == ["Hello"]
    assert not talk.is_speaking(28 + PAUSE_FRAMES)


def test_what_is_cut_out_of_moshi_is_no_pause_of_the_model() -> None:
    talk = Conversation()
    talk.add_piece(0, "Hey")
    for frame in range(1, 12):
        talk.add_skipped(Skipped(frame, "moshi", "silence", 40.0))
    assert not talk.is_speaking(PAUSE_FRAMES)


def test_a_reset_ends_what_was_caught_up() -> None:
    talk = Conversation()
    skip(talk, *range(10))
    talk.add_event(10, "Reset", ends_utterance=True)
    skip(talk, *range(11, 21))
    assert [entry.text[:7] for entry in talk.entries] == ["Skipped", "Reset", "Skipped"]


def test_a_turn_is_one_entry_that_grows() -> None:
    talk = Conversation()
    assert talk.add_turn(UserTurn(50, 3, (-60.0,), over=False)) == 0
    assert talk.add_turn(UserTurn(50, 6, (-60.0, -15.0), over=False)) == 0
    assert talk.add_turn(UserTurn(50, 9, (-60.0, -15.0, -37.0), over=True)) == 0
    assert [(entry.frame, entry.speaker, entry.text) for entry in talk.entries] == [
        (50, "You", "▁█▅ 0.7 s")
    ]
    assert talk.entries[0].frames == 9
    assert talk.add_turn(UserTurn(50, 9, (-60.0, -15.0, -37.0), over=True)) == len(talk.entries)
    assert talk.add_turn(turn(90, 6)) == 1


def test_a_turn_without_block_characters() -> None:
    talk = Conversation(ascii=True)
    talk.add_turn(UserTurn(0, 12, (-90.0, -45.0, -30.0, 0.0), over=True))
    assert talk.entries[0].text == ".-+# 1.0 s"


def test_a_backchannel_does_not_cut_a_sentence() -> None:
    talk = Conversation()
    assert talk.add_piece(0, "So I went") == 0
    assert talk.add_turn(turn(5, 6)) == 1
    assert talk.add_piece(12, " up there") == 0
    assert talk.add_turn(turn(5, 9)) == 1
    assert [entry.text for entry in talk.entries] == ["So I went up there", "▇▇▇ 0.7 s"]


def test_a_turn_stands_before_what_began_while_it_was_not_yet_known() -> None:
    talk = Conversation()
    talk.add_event(0, "Seed: 1")
    talk.add_piece(101, "Oh")
    skip(talk, *range(102, 110))
    assert talk.add_turn(turn(100, 6)) == 1
    assert talk.add_piece(110, ", sorry") == 2
    assert skip(talk, *range(111, 115))[-1] == 3
    assert [(entry.frame, entry.speaker) for entry in talk.entries] == [
        (0, ""),
        (100, "You"),
        (101, "Moshi"),
        (105, ""),
    ]
    assert talk.entries[2].text == "Oh, sorry"
    assert talk.add_turn(turn(100, 9)) == 1


def test_no_turn_goes_before_a_reset() -> None:
    talk = Conversation()
    talk.add_event(100, "Reset", ends_utterance=True)
    assert talk.add_turn(turn(98, 6)) == 1


def test_what_the_user_said_is_none_of_moshis_words() -> None:
    talk = Conversation()
    talk.add_piece(0, "Hey")
    talk.add_turn(turn(5, 6))
    assert talk.spoken() == "Hey"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from(["user", "moshi"]),
            st.sampled_from(["silence", "speech", "speed"]),
            st.floats(0, 400),
        )
    )
)
def test_no_entry_changes_before_the_one_that_is_named(
    steps: list[tuple[int, str, str, float]],
) -> None:
    talk, frame = Conversation(), 0
    for gap, side, kind, ms in steps:
        frame += gap
        before = [entry.text for entry in talk.entries]
        if (side, kind) == ("user", "speed"):
            index = talk.add_underrun(Underrun(frame, 10 * ms))
        else:
            index = talk.add_skipped(Skipped(frame, side, kind, ms))  # type: ignore[arg-type]
        after = [entry.text for entry in talk.entries]
        assert after[:index] == before[:index]
        assert after == before or index < len(after)


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
