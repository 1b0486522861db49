from __future__ import annotations

import math

import pytest
from textual.app import App, ComposeResult
from textual.strip import Strip

from moshi_tui.audio.levels import SILENCE, Level
from moshi_tui.session.stats import Stats
from moshi_tui.ui.themes import DEFAULTS
from moshi_tui.ui.widgets.compact import CompactLine
from moshi_tui.ui.widgets.levels import (
    ASCII,
    BLOCKS,
    HOLD_SECONDS,
    LevelsPanel,
    Meter,
    PeakHold,
    bar_of,
)
from tests.ui.helpers import screen_text, until


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class PanelApp(App[None]):
    """Any panel alone; counts the lines that are drawn."""

    def __init__(self, panel: LevelsPanel | CompactLine) -> None:
        super().__init__()
        self.panel = panel
        self.drawn = 0
        render_line = panel.render_line

        def counted(y: int) -> Strip:
            self.drawn += 1
            return render_line(y)

        panel.render_line = counted  # type: ignore[method-assign]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DEFAULTS

    def compose(self) -> ComposeResult:
        yield self.panel


def row(*levels: Level, width: int = 33, instead: str = "") -> str:
    meter = Meter("You", BLOCKS, Clock())
    for level in levels:
        meter.take(level)
    return "".join(text for text, _ in meter.row(width, instead))


def test_peak_is_held_and_then_falls() -> None:
    hold = PeakHold()
    assert hold.update(-10, 0.0) == -10
    assert hold.update(-40, HOLD_SECONDS) == -10
    assert hold.update(-40, HOLD_SECONDS + 0.5) == pytest.approx(-20)
    assert hold.update(-5, HOLD_SECONDS + 0.6) == -5
    assert hold.update(-math.inf, 100.0) == -math.inf


def test_bar_in_eighths_peak_and_number() -> None:
    # 20 cells for 60 dB
    assert row(Level(-30, -30)) == "You    " + "█" * 10 + " " * 10 + "   -30"
    assert row(Level(-29, -12)) == "You    " + "█" * 10 + "▍" + " " * 5 + "▕   " + "   -29"
    assert row(Level(0, 0)) == "You    " + "█" * 20 + "     0"
    assert row(Level(3, 3)) == row(Level(0, 0))
    assert row(Level(-61, -60.5)) == "You    " + " " * 20 + "  <-60"
    assert row(SILENCE) == "You    " + " " * 20 + "  none"


def test_clipping_is_said_for_a_while() -> None:
    clock = Clock()
    meter = Meter("Moshi", BLOCKS, clock)
    meter.take(Level(-3, 0, clipped=True))
    assert "CLIP" in "".join(text for text, _ in meter.row(33))
    clock.now = HOLD_SECONDS - 0.1
    meter.take(Level(-30, -20))
    assert "CLIP" in "".join(text for text, _ in meter.row(33))
    clock.now = HOLD_SECONDS + 0.1
    assert "CLIP" not in "".join(text for text, _ in meter.row(33))


def test_words_instead_of_a_bar() -> None:
    assert row(Level(-10, -5), instead="muted") == "You    muted".ljust(33)
    assert row(Level(-10, -5), instead="muted", width=12) == "You    muted"
    assert row(Level(-10, -5), instead="space to talk", width=15) == "You    space t…"
    assert row(Level(-26, -5), width=9) == "You   -26"  # a number is not cut
    assert row(Level(-26, -5), width=2) == "  "


@pytest.mark.parametrize("width", range(0, 20))
def test_a_row_has_the_width_that_was_asked_for(width: int) -> None:
    assert len(row(Level(-10, -5, clipped=True), width=width)) <= max(width, 0)
    assert len(row(Level(-10, -5), width=width)) <= max(width, 0)


@pytest.mark.parametrize("glyphs", [BLOCKS, ASCII])
def test_a_bar_grows_with_the_level(glyphs: object) -> None:
    glyphs = ASCII if glyphs is ASCII else BLOCKS
    lengths = []
    for db in range(-60, 1):
        bar = bar_of(float(db), -math.inf, 12, glyphs)
        assert len(bar) == 12
        steps = len(glyphs.parts) - 1
        lengths.append(sum(glyphs.parts.index(cell) for cell in bar) / steps)
    assert lengths == sorted(lengths)
    assert lengths[0] == 0
    assert lengths[-1] == 12


def test_ascii_bars_are_ascii() -> None:
    for db in range(-60, 1):
        assert bar_of(float(db), db + 6.0, 15, ASCII).isascii()


async def test_a_still_meter_draws_nothing() -> None:
    app = PanelApp(LevelsPanel(clock=Clock()))
    async with app.run_test(size=(40, 6)) as pilot:
        app.panel.show(Stats(user=Level(-30.2, -20.1), moshi=SILENCE))
        await pilot.pause()
        app.drawn = 0
        for change in range(20):
            level = Level(-30.2 + change / 100, -20.1 - change / 100)
            app.panel.show(Stats(user=level, moshi=SILENCE))
            await pilot.pause()
        assert app.drawn == 0
        app.panel.show(Stats(user=Level(-24, -20), moshi=SILENCE))
        await pilot.pause()
        assert app.drawn == 1  # only the line that has changed
        assert "  -24" in screen_text(app)


async def test_side_by_side_in_one_line() -> None:
    app = PanelApp(LevelsPanel(clock=Clock()))
    async with app.run_test(size=(60, 6)) as pilot:
        app.panel.styles.height = 3
        app.panel.show(Stats(user=Level(-30, -20), moshi=Level(-40, -30)))
        await until(pilot, lambda: "Moshi" in screen_text(app).splitlines()[1])
        line = screen_text(app).splitlines()[1]
        assert "You" in line
        assert "-30" in line
        assert "-40" in line


async def test_volume_muted_and_gone() -> None:
    app = PanelApp(LevelsPanel(clock=Clock()))
    async with app.run_test(size=(40, 6)) as pilot:
        app.panel.show(Stats(volume_db=-4.0, speaker_lost="unplugged"), "muted")
        await pilot.pause()
        text = screen_text(app)
        assert "volume -4 dB" in text
        assert "You    muted" in text
        assert "Moshi  gone" in text
        app.panel.show(Stats(microphone_lost="unplugged"))
        await pilot.pause()
        text = screen_text(app)
        assert "volume" not in text
        assert "You    gone" in text


@pytest.mark.parametrize("width", [1, 10, 40, 60, 80, 120, 200])
async def test_compact_line_says_what_fits(width: int) -> None:
    app = PanelApp(CompactLine(clock=Clock()))
    async with app.run_test(size=(width, 2)) as pilot:
        app.panel.display = True
        await pilot.pause()
        stats = Stats(user=Level(-30, -20), lag_ms=142, step_ms=54, underruns=3)
        app.panel.show(stats)
        await pilot.pause()
        line = screen_text(app).splitlines()[0]
        assert ("lag 142 ms good" in line) == (width >= 50)
        assert ("step 54 / 80 ms" in line) == (width >= 82)
        assert ("underruns 3" in line) == (width >= 120)
        if width >= 40:
            assert "You" in line
            assert "Moshi" in line
