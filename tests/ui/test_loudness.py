from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.ui.loudness import LONGEST_CELLS, strip


def test_loud_is_high() -> None:
    assert strip([-100.0, -60.0, -40.0, -15.0, 0.0]) == "▁▁▄██"
    assert strip([-100.0, -60.0, -40.0, -15.0, 0.0], ascii=True) == "..=##"


def test_silence_has_a_place() -> None:
    assert strip([float("-inf")]) == "▁"
    assert strip([]) == ""


@given(st.lists(st.floats(-120, 0), min_size=1, max_size=3000))
def test_a_long_turn_is_squeezed_and_keeps_its_loudest(levels: list[float]) -> None:
    cells = strip(levels)
    assert len(cells) <= LONGEST_CELLS
    assert len(cells) == len(levels) or len(cells) >= LONGEST_CELLS // 2
    assert max(cells) == strip([max(levels)])


@given(st.lists(st.floats(-120, 0), min_size=1, max_size=200), st.floats(-120, 0))
def test_only_the_last_cell_changes_until_it_is_squeezed_more(
    levels: list[float], level: float
) -> None:
    before, after = strip(levels), strip([*levels, level])
    if len(after) >= len(before):
        assert after[: len(before) - 1] == before[:-1]
