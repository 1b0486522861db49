from __future__ import annotations

import pytest
from textual.geometry import Offset
from textual.strip import Strip

from moshi_tui.session.stats import Skips, Stats
from moshi_tui.ui.numbers import MEANINGS
from moshi_tui.ui.widgets.lag_history import ASCII_BARS, BARS, LagHistory, lag_word
from moshi_tui.ui.widgets.panel import Row
from moshi_tui.ui.widgets.timing import TimingPanel
from tests.fakes import FakeEngine
from tests.ui.helpers import looked, screen_text, talking

SIZES = [(80, 24), (60, 20), (120, 40), (200, 60)]


def text(row: Row) -> str:
    return "".join(part for part, _ in row)


@pytest.mark.parametrize(
    ("lag", "word"),
    [(None, ""), (0, "good"), (249.9, "good"), (250, "fair"), (499, "fair"), (500, "poor")],
)
def test_lag_word(lag: float | None, word: str) -> None:
    assert lag_word(lag) == word


def bars(history: LagHistory, width: int, glyphs: str = BARS) -> str:
    (line,) = history.graph(width, 1, glyphs)
    return text(line)


def test_history_grows_from_the_right() -> None:
    history = LagHistory()
    assert bars(history, 60) == " " * 60
    history.add(0.1, 0.0)
    history.add(1.1, 600.0)
    assert history.graph(60) == [((" " * 58, ""), ("▁", "good"), ("█", "poor"))]


def test_history_in_several_rows() -> None:
    history = LagHistory()
    for second, lag in enumerate([0.0, 300.0, 600.0, 10_000.0]):
        history.add(second, lag)
    assert [text(line)[-4:] for line in history.graph(60, 3)] == ["  ██", " ▄██", "▁███"]
    assert [text(line)[-4:] for line in history.graph(60, 2, ASCII_BARS)] == ["  ##", "_###"]


def test_history_shows_the_worst_of_a_column() -> None:
    history = LagHistory()
    for second in range(60):
        history.add(second, 600.0 if second == 31 else 0.0)
    assert bars(history, 6) == "▁▁▁█▁▁"
    assert history.graph(100) == history.graph(60)
    assert history.graph(0) == history.graph(-3) == [()]
    assert bars(history, 6, ASCII_BARS) == "___#__"


def test_history_forgets_after_a_minute_and_leaves_gaps() -> None:
    history = LagHistory()
    history.add(0, 600.0)
    history.add(59.5, 0.0)
    assert bars(history, 60) == "█" + " " * 58 + "▁"
    history.add(60.5, None)
    assert bars(history, 60) == " " * 58 + "▁ "
    history.add(1e6, 0.0)
    assert bars(history, 60) == " " * 59 + "▁"
    history.add(3, 0.0)  # a new session
    assert bars(history, 60).strip() == "▁"


def test_history_counts_the_seconds_of_each_word() -> None:
    history = LagHistory()
    assert history.words() == ()
    for second, lag in enumerate([100.0] * 50 + [300.0] * 4 + [700.0] * 2):
        history.add(second, lag)
    assert text(history.words()) == "good 50 fair 4 poor 2"
    history.add(200, 100.0)
    assert history.words() == (("good 1", "good"),)


FULL = Stats(
    frames=775,
    elapsed_s=3723.5,
    lag_ms=312.4,
    step_ms=54.4,
    encode_ms=21,
    decode_ms=22.6,
    backlog_frames=1.5,
    skips=Skips(1600, 320, 240, 0, 500),
    dropped_output_ms=160,
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


@pytest.mark.parametrize("size", SIZES)
async def test_numbers(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    async with talking(engine, size) as (app, pilot):
        assert "lag         -" in screen_text(app)
        engine.stats = FULL
        await looked(pilot)
        shown = screen_text(app)
        for words in (
            *("lag         312 ms", "fair", "60 s", "fair 1", "step        54 / 80 ms"),
            *("backlog     120 ms", "skipped in  1.9 s !", "skipped out 0.2 s", "underruns   3"),
            *("playout     18 ms 1.1x", "context     62 of 240 s", "memory      5.4 GB"),
            "01:02:03",
        ):
            assert words in shown
        if size[1] >= 40:
            for words in (
                *("encode      21 ms", "decode      23 ms", "xruns       in 2 out 14"),
                *("devices     12 + 34 ms", "dropped out 0.2 s", "hurried     0.5 s"),
            ):
                assert words in shown


@pytest.mark.parametrize("size", SIZES)
async def test_large_numbers_are_not_cut(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    async with talking(engine, size) as (app, pilot):
        engine.stats = Stats(
            elapsed_s=1.0,
            lag_ms=23_456,
            step_ms=12_345,
            skips=Skips(5_000_000, 1_000, 0, 5_000_000, 0),
            underruns=12345,
            playout_ms=120,
            playout_speed=0.95,
            context_size=3000,
            context_frames=3000,
        )
        await looked(pilot)
        shown = screen_text(app)
        for words in (
            *("lag         23 s", "poor", "12 s / 80 ms", "skipped in  5001 s !"),
            *("skipped out 5000 s !", "underruns   12345", "120 ms 0.95x", "240 of 240 s"),
        ):
            assert words in shown


async def test_rows_appear_only_when_there_is_something_to_say() -> None:
    engine = FakeEngine()
    async with talking(engine, (120, 40)) as (app, pilot):
        await looked(pilot)
        assert "dropped" not in screen_text(app)
        assert "hurried" not in screen_text(app)
        assert "x  " not in text(app.screen.query_one(TimingPanel).rows[8])
        engine.update(dropped_output_ms=80, skips=Skips(moshi_speed_ms=1240))
        await looked(pilot)
        assert "dropped out 0.1 s" in screen_text(app)
        assert "hurried     1.2 s" in screen_text(app)


async def test_the_same_numbers_draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.update(skips=Skips(1600, 320, 1240), playout_ms=18.1, health="too slow", lag_ms=180)
        await looked(pilot)
        drawn: list[str] = []
        panel = app.screen.query_one(TimingPanel)
        real = panel.render_line

        def counted(y: int) -> Strip:
            drawn.append(text(panel.rows[y]))
            return real(y)

        monkeypatch.setattr(panel, "render_line", counted)
        engine.update(skips=Skips(1601, 321, 1241), playout_ms=18.2, playout_speed=1.001)
        await looked(pilot)
        assert drawn == []
        engine.update(playout_ms=19.0)
        await looked(pilot)
        assert drawn == ["playout     19 ms"]


@pytest.mark.parametrize("size", SIZES)
async def test_every_row_explains_itself(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    async with talking(engine, size) as (app, pilot):
        engine.stats = FULL
        await looked(pilot)
        panel = app.screen.query_one(TimingPanel)
        told = set()
        for y in range(len(panel.rows)):
            for x in (0, panel.content_size.width - 5):
                told.add(panel._meaning(Offset(x, y)))
        shown = screen_text(app)
        assert told - {None} == {
            meaning for label, meaning in MEANINGS.items() if f"{label} " in shown
        }
