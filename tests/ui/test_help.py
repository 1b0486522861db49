from __future__ import annotations

from pathlib import Path

import pytest

from moshi_tui.ui.keys import GROUPS, KEYS
from moshi_tui.ui.numbers import MEANINGS
from moshi_tui.ui.screens.help import HelpScreen, _HelpText
from tests.ui.helpers import screen_text, until
from tests.ui.small import SmallApp


def words(screen: HelpScreen) -> str:
    return " ".join(screen.query_one(_HelpText).text.split())


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (200, 60)])
async def test_help_has_every_key_and_number(size: tuple[int, int]) -> None:
    app, screen = SmallApp(), HelpScreen(KEYS, {"Recordings": Path("/tmp/talks\x1b[2J")})
    async with app.run_test(size=size) as pilot:
        await app.push_screen(screen)
        await pilot.pause()
        text = words(screen)
        for key in KEYS:
            assert key.help in text
        for group, heading in GROUPS.items():
            assert (heading in text) == (group != "replay")
        for name, explanation in MEANINGS.items():
            assert f"{name} {explanation}" in text
        assert "good below 250 ms, fair below 500 ms" in text
        assert "Recordings /tmp/talks Settings" in text
        assert "Esc Close" in screen_text(app)


async def test_explanations_hang_beside_their_keys() -> None:
    app, screen = SmallApp(), HelpScreen(KEYS)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(screen)
        await pilot.pause()
        lines = screen.query_one(_HelpText).text.splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("space"))
        column = lines[first].index("Hold")
        assert lines[first + 1][:column].strip() == ""
        assert lines[first + 1][column] != " "


async def test_help_scrolls_by_key_to_its_end() -> None:
    app, screen = SmallApp(), HelpScreen(KEYS)
    async with app.run_test(size=(60, 20)) as pilot:
        await app.push_screen(screen)
        await pilot.pause()
        assert "moshi-tui.log" not in screen_text(app)
        await pilot.press("end")
        await until(pilot, lambda: "Log" in screen_text(app))


@pytest.mark.parametrize("key", ["escape", "question_mark", "q"])
async def test_help_closes(key: str) -> None:
    app = SmallApp()
    async with app.run_test() as pilot:
        await app.push_screen(HelpScreen(KEYS, ascii=True))
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
        assert not isinstance(app.screen, HelpScreen)
