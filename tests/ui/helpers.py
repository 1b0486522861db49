"""What the tests of the screen share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from moshi_tui.config import ScreenOptions
from moshi_tui.ui.app import MoshiApp
from moshi_tui.ui.replaying import ReplayApp
from moshi_tui.ui.shell import Shell
from tests.fakes import FakeDesk, FakeEngine, FakePlayer
from tests.ui.small import until as until


def screen_text(app: App[None]) -> str:
    """What stands on the screen, line by line."""
    strips = app.screen._compositor.render_strips()
    width = app.size.width
    assert all(strip.cell_length == width for strip in strips), "a line has the wrong width"
    return "\n".join(strip.text for strip in strips)


async def looked(pilot: Pilot[None]) -> None:
    """Wait until the screen of the talk, if there is one, has looked at its engine once more and
    has drawn what it saw."""
    assert isinstance(pilot.app, Shell)
    screen = pilot.app.panels
    if screen is not None:
        due = screen._polls + 2  # one may be under way
        await until(pilot, lambda: screen.failed or screen._polls >= due)
    await pilot.pause()


@asynccontextmanager
async def started(
    engine: FakeEngine,
    size: tuple[int, int] = (80, 24),
    options: ScreenOptions = ScreenOptions(),  # noqa: B008 - frozen
    *,
    desk: FakeDesk | None = None,
    notifications: bool = False,
    **more: Any,
) -> AsyncIterator[tuple[MoshiApp, Pilot[None]]]:
    """An app whose engine has begun to load. `more` is for `MoshiApp`."""
    app = MoshiApp(engine.listen_to, lambda: desk or FakeDesk(), options, **more)
    async with app.run_test(size=size, notifications=notifications) as pilot:
        await until(pilot, lambda: app.engine is not None and engine.calls)
        yield app, pilot


@asynccontextmanager
async def talking(
    engine: FakeEngine,
    size: tuple[int, int] = (80, 24),
    options: ScreenOptions = ScreenOptions(),  # noqa: B008 - frozen
    *,
    desk: FakeDesk | None = None,
    notifications: bool = False,
    **more: Any,
) -> AsyncIterator[tuple[MoshiApp, Pilot[None]]]:
    """An app whose loading is over."""
    more |= {"desk": desk, "notifications": notifications}
    async with started(engine, size, options, **more) as (app, pilot):
        engine.load()
        await until(pilot, lambda: app.talk is not None and app.screen is app.talk)
        await pilot.pause()
        yield app, pilot


@asynccontextmanager
async def replaying(
    player: FakePlayer,
    size: tuple[int, int] = (80, 24),
    options: ScreenOptions = ScreenOptions(),  # noqa: B008 - frozen
    *,
    folder: Path = Path(),
    notifications: bool = False,
) -> AsyncIterator[tuple[ReplayApp, Pilot[None]]]:
    """An app that plays."""
    app = ReplayApp(player.listen_to, options, title="moshi-20261123-101010", folder=folder)
    async with app.run_test(size=size, notifications=notifications) as pilot:
        await until(pilot, lambda: app.replay is not None and app.screen is app.replay)
        await pilot.pause()
        yield app, pilot
