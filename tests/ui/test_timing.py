from __future__ import annotations

import pytest

from moshi_tui.session.stats import Skips, Stats
from moshi_tui.ui.widgets.health import HealthLine
from moshi_tui.ui.widgets.timing import LagHistory, Readout, lag_word
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
            skips=Skips(1600, 320, 240, 0, 500),
            dropped_input_ms=160,
            underruns=3,
            input_overflows=2,
            output_underflows=14,
            input_latency_ms=12.4,
            output_latency_ms=33.6,
            playout_ms=18.2,
            playout_speed=1.1,
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
            "skipped   in 1.9 s ! ",
            "          out 240 ms ",
            "dropped   in 160 ms",
            "playout   18 ms 1.1x",
            "xruns     in 2  out 14",
            "devices   12 + 34 ms",
            "underruns 3",
            "context   62 of 240 s",
            "memory    5.4 GB",
            "60 s",
            "01:02:03",
        ):
            assert words in text


@pytest.mark.parametrize("size", [(80, 24), (60, 24), (120, 40), (200, 60)])
async def test_skipped_fits_and_nothing_is_cut(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    async with talking(engine, size) as (app, pilot):
        await pilot.pause(0.2)
        assert "skipped   in 0  out 0" in screen_text(app)
        engine.update(skips=Skips(99_000, 900, 99_000, 900, 0))
        await pilot.pause(0.2)
        text = screen_text(app)
        for words in ("skipped   in 99.9 s !", "out 99.9 s !", "underruns 0"):
            assert words in text
        engine.update(skips=Skips(1600, 320, 240, 0, 0))
        await pilot.pause(0.2)
        assert ("in 1.9 s !  out 240 ms" in screen_text(app)) == (size[0] >= 120)
        engine.update(skips=Skips(5_000_000, 0, 0, 5_000_000, 0))
        await pilot.pause(0.2)
        text = screen_text(app)
        assert "in 83 min" in text
        assert "in 83 min !" not in text
        assert "out 83 min !" in text
        engine.update(skips=Skips())
        await pilot.pause(0.2)
        assert "skipped   in 0  out 0" in screen_text(app)


async def test_dropped_is_shown_only_when_there_is_any() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        await pilot.pause(0.2)
        assert "dropped" not in screen_text(app)
        engine.update(dropped_output_ms=80)
        await pilot.pause(0.2)
        assert "dropped   out 80 ms" in screen_text(app)
        engine.update(dropped_input_ms=1900)
        await pilot.pause(0.2)
        assert "dropped   in 1.9 s" in screen_text(app)
        assert "          out 80 ms" in screen_text(app)
        engine.update(dropped_input_ms=0, dropped_output_ms=0)
        await pilot.pause(0.2)
        assert "dropped" not in screen_text(app)
        assert "underruns 0" in screen_text(app)


@pytest.mark.parametrize(
    ("speed", "shown"),
    [(1.0, "18 ms   "), (1.004, "18 ms   "), (1.1, "18 ms 1.1x "), (0.95, "18 ms 0.95x ")],
)
async def test_speed_is_shown_unless_it_is_one(speed: float, shown: str) -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.update(playout_ms=18.4, playout_speed=speed)
        await pilot.pause(0.2)
        assert f"playout   {shown}" in screen_text(app)


async def test_the_same_numbers_draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    async with talking(engine) as (_, pilot):
        engine.update(skips=Skips(1600, 320, 1240), playout_ms=18.1, health="too slow", lag_ms=180)
        await pilot.pause(0.3)
        drawn: list[str] = []
        for widget in (Readout, HealthLine):
            real = widget.render
            monkeypatch.setattr(
                widget, "render", lambda self, real=real: drawn.append(self.id) or real(self)
            )
        engine.update(skips=Skips(1601, 321, 1241), playout_ms=18.2, playout_speed=1.001)
        await pilot.pause(0.3)
        assert drawn == []
        engine.update(playout_ms=19.0)
        await pilot.pause(0.3)
        assert drawn == ["playout"]


async def test_every_row_explains_itself() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, _):
        assert all(row.tooltip for row in app.screen.query(Readout))
