"""What the tests of the screen share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.app import App
from textual.pilot import Pilot

from moshi_tui.ui.app import MoshiApp
from tests.fakes import FakeEngine


def screen_text(app: App[None]) -> str:
    """What stands on the screen, line by line."""
    strips = app.screen._compositor.render_strips()
    width = app.size.width
    assert all(strip.cell_length == width for strip in strips), "a line has the wrong width"
    return "\n".join(strip.text for strip in strips)


@asynccontextmanager
async def talking(
    engine: FakeEngine, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[MoshiApp, Pilot[None]]]:
    """An app whose loading is over."""
    app = MoshiApp(engine.listen_to)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        engine.load()
        await pilot.pause()
        yield app, pilot
