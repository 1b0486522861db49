"""An app for a screen alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.app import App
from textual.pilot import Pilot

from moshi_tui.ui.themes import ALL, DEFAULTS


class SmallApp(App[None]):
    """Our themes, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        for theme in ALL:
            self.register_theme(theme)
        self.theme = "dark"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(DEFAULTS)


async def until(pilot: Pilot[None], true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for what another thread brings about."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        await pilot.pause(0.01)


async def still(pilot: Pilot[None]) -> None:
    """Wait until nothing on the screen moves any more."""
    await pilot.wait_for_scheduled_animations()
    await pilot.pause()
