from __future__ import annotations

import math

import pytest
from textual.app import App, ComposeResult, RenderResult

from moshi_tui.audio.levels import Level
from moshi_tui.ui.widgets.levels import HOLD_SECONDS, LevelMeter, PeakHold
from tests.ui.helpers import screen_text


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class MeterApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.meter = LevelMeter("You", clock=self.clock)
        self.draws = 0
        render = self.meter.render

        def counted() -> RenderResult:
            self.draws += 1
            return render()

        self.meter.render = counted  # type: ignore[method-assign]

    def compose(self) -> ComposeResult:
        yield self.meter


def test_peak_is_held_and_then_falls() -> None:
    hold = PeakHold()
    assert hold.update(-10, 0.0) == -10
    assert hold.update(-40, HOLD_SECONDS) == -10
    assert hold.update(-40, HOLD_SECONDS + 0.5) == pytest.approx(-20)
    assert hold.update(-5, HOLD_SECONDS + 0.6) == -5
    assert hold.update(-math.inf, 100.0) == -math.inf


async def line(*levels: Level, muted: bool = False) -> str:
    app = MeterApp()
    async with app.run_test(size=(31, 3)) as pilot:
        for level in levels:
            app.meter.show(level, muted)
        await pilot.pause()
        return screen_text(app).splitlines()[0]


async def test_bar_in_eighths_peak_and_number() -> None:
    # 20 cells for 60 dB
    assert await line(Level(-30, -30)) == "You   " + "█" * 10 + " " * 10 + "  -30"
    assert await line(Level(-29, -12)) == "You   " + "█" * 10 + "▍" + " " * 5 + "│   " + "  -29"
    assert await line(Level(0, 0)) == "You   " + "█" * 20 + "    0"


async def test_silence_and_nearly_silence_differ() -> None:
    assert await line(Level()) == "You   " + " " * 20 + " none"
    assert await line(Level(-80, -70)) == "You   " + " " * 20 + " <-60"


async def test_clip_stays_for_a_while() -> None:
    text = await line(Level(-20, 0, True), Level(-30, -30, False))
    assert "CLIP" in text
    assert text.endswith("  -30")
    app = MeterApp()
    async with app.run_test(size=(31, 3)) as pilot:
        app.meter.show(Level(-20, 0, True))
        app.clock.now = HOLD_SECONDS
        app.meter.show(Level(-20, -20, False))
        await pilot.pause()
        assert "CLIP" not in screen_text(app)


async def test_muted_is_written_out() -> None:
    text = await line(Level(-20, -10), muted=True)
    assert "muted" in text
    assert "█" not in text


async def test_a_still_meter_draws_nothing() -> None:
    app = MeterApp()
    async with app.run_test(size=(31, 3)) as pilot:
        app.meter.show(Level(-30.2, -20.1))
        await pilot.pause()
        drawn = app.draws
        for step in range(20):
            app.meter.show(Level(-30.2 + step / 100, -20.1))
            await pilot.pause()
        assert app.draws == drawn
        app.meter.show(Level(-28, -20.1))
        await pilot.pause()
        assert app.draws == drawn + 1


async def test_no_room() -> None:
    app = MeterApp()
    async with app.run_test(size=(3, 3)) as pilot:
        app.meter.show(Level(-10, -3, True))
        await pilot.pause()
