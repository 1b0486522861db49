"""Pictures of the replay: see test_snapshots.py."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from moshi_tui.config import ScreenOptions
from moshi_tui.session.events import Event
from moshi_tui.ui.replaying import ReplayApp
from tests.fakes import FakePlayer
from tests.ui.helpers import looked, until
from tests.ui.test_snapshots import NUMBERS, TALK, Compare, Frozen, said, turn

LATER: list[Event] = [
    turn(900, 20),
    *said(960, "And then the whole way down again before it was dark, I suppose?"),
    turn(1100, 12),
    *said(1300, "Good for you."),
]
"""What the picture does not show yet, but the line of the whole recording does."""


@pytest.mark.parametrize(
    ("size", "options", "paused", "speed"),
    [
        ((80, 24), ScreenOptions(), False, 1.0),
        ((120, 40), ScreenOptions(), True, 1.5),
        ((60, 20), ScreenOptions(ascii=True), False, 0.75),
        ((40, 12), ScreenOptions(compact=True), True, 1.0),
    ],
)
def test_replay(
    snap_compare: Compare,
    size: tuple[int, int],
    options: ScreenOptions,
    paused: bool,
    speed: float,
) -> None:
    player = FakePlayer([*TALK, *LATER], length_s=125.0)
    title = "moshi-20261123-101010"
    app = ReplayApp(player.listen_to, options, title=title, clock=Frozen())

    async def before(pilot: Pilot[Any]) -> None:
        player.paused, player.speed = paused, speed
        await until(pilot, lambda: app.replay is not None and app.screen is app.replay)
        player.seek(59.0)
        await pilot.pause()
        for second in range(60):
            lag_ms = 140.0 + 15 * math.sin(second) + 420 * (second == 31)
            player.stats = replace(NUMBERS, elapsed_s=float(second), lag_ms=lag_ms)
            app.screen.query_one("TimingPanel").note(player.stats)  # type: ignore[attr-defined]
        player.stats = NUMBERS
        await looked(pilot)

    assert snap_compare(app, terminal_size=size, run_before=before)
