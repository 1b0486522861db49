from __future__ import annotations

import pytest

from moshi_tui.session.stats import Stats
from moshi_tui.ui.widgets.timing import LagHistory, lag_word
from tests.fakes import FakeEngine
from tests.ui.helpers import screen_text, talking


@pytest.mark.parametrize(
    ("lag", "word"),
    [(None, ""), (0, "good"), (249.9, "good"), (250, "fair"), (499, "fair"), (500, "poor")],
)
def test_lag_word(lag: float | None, word: str) -> None:
    assert lag_word(lag) == word


def test_history_grows_from_the_right() -> None:
    history = LagHistory()
    assert history.bars(60) == " " * 60
    history.add(0.1, 0.0)
    history.add(1.1, 600.0)
    assert history.bars(60) == " " * 58 + "▁█"


def test_history_shows_the_worst_of_a_column() -> None:
    history = LagHistory()
    for second in range(60):
        history.add(second, 600.0 if second == 31 else 0.0)
    assert history.bars(6) == "▁▁▁█▁▁"
    assert history.bars(100) == history.bars(60)
    assert history.bars(0) == history.bars(-3) == ""


def test_history_forgets_after_a_minute_and_leaves_gaps() -> None:
    history = LagHistory()
    history.add(0, 600.0)
    history.add(59.5, 0.0)
    assert history.bars(60) == "█" + " " * 58 + "▁"
    history.add(60.5, None)
    assert history.bars(60) == " " * 58 + "▁ "
    history.add(1e6, 0.0)
    assert history.bars(60) == " " * 59 + "▁"
    history.add(3, 0.0)  # a new session
    assert history.bars(60).strip() == "▁"


async def test_numbers() -> None:
    engine = FakeEngine()
    async with talking(engine, (80, 24)) as (app, pilot):
        assert "lag       –" in screen_text(app)
        engine.stats = Stats(
            frames=775,
            elapsed_s=3723.5,
            lag_ms=312.4,
            step_ms=54.4,
            encode_ms=21,
            decode_ms=22.6,
            backlog_frames=1.5,
            dropped_input_ms=160,
            underruns=3,
            context_frames=775,
            context_size=3000,
            memory_bytes=5_400_000_000,
        )
        await pilot.pause(0.2)
        text = screen_text(app)
        for words in (
            "lag       312 ms  fair",
            "step      54 / 80 ms",
            "encode    21 ms",
            "decode    23 ms",
            "backlog   120 ms",
            "dropped   160 ms",
            "underruns 3",
            "context   62 of 240 s",
            "memory    5.4 GB",
            "60 s",
            "01:02:03",
        ):
            assert words in text
