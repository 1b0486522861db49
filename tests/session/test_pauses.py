from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.session.pauses import PAUSE_FRAMES, Pauses


def test_a_second_is_a_pause() -> None:
    assert PAUSE_FRAMES == 13
    pauses = Pauses()
    pauses.word(5)
    assert not pauses.over(17)
    assert pauses.over(18)


def test_skipped_frames_are_none() -> None:
    pauses = Pauses()
    pauses.word(5)
    for frame in range(8, 28):
        pauses.skip(frame)
    assert not pauses.over(37)
    assert pauses.over(38)


def test_frames_lost_at_once_are_none() -> None:
    pauses = Pauses()
    pauses.word(5)
    pauses.skip(8, 20)
    assert not pauses.over(37)
    assert pauses.over(38)


def test_a_record_of_ages_of_skipped_frames_costs_nothing() -> None:
    pauses = Pauses()
    pauses.word(5)
    pauses.skip(8, 10**12)
    assert pauses.over(8 + 10**12 + 13)


def test_frames_skipped_ahead_of_the_model_count_when_it_gets_there() -> None:
    pauses = Pauses()
    for frame in range(8, 28):
        pauses.skip(frame)
    for frame in (5, 6, 7):  # stepped after they were decided on
        pauses.word(frame)
    assert not pauses.over(28)
    pauses.word(28)
    assert not pauses.over(40)
    assert pauses.over(41)


@given(st.sets(st.integers(0, 200)), st.lists(st.integers(0, 200), min_size=1))
def test_only_frames_that_were_stepped_count(skipped: set[int], words: list[int]) -> None:
    pauses = Pauses()
    for frame in skipped:
        pauses.skip(frame)
    for frame in sorted(words):
        pauses.word(frame)
    last = max(words)
    for frame in range(last, 220):
        if frame not in skipped:
            stepped = [n for n in range(last + 1, frame + 1) if n not in skipped]
            assert pauses.over(frame) == (len(stepped) >= PAUSE_FRAMES)


def test_memory_is_bounded() -> None:
    pauses = Pauses()
    for frame in range(100_000):
        pauses.skip(frame)
    assert len(pauses._skipped) < 1000
