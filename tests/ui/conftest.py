from __future__ import annotations

import asyncio
import time

import pytest
from textual import app, pilot, screen

from moshi_tui.ui.screens import devices, panels

UPDATE_SECONDS = 0.003
"""From a change to the picture that shows it; Textual has 60 pictures a second."""


@pytest.fixture(autouse=True)
def _quick_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Screens look at the engine four times as often, and change numbers with every look: tests
    wait less."""
    monkeypatch.setattr(panels, "POLLS_A_NUMBER", 1)
    for module in (devices, panels):
        monkeypatch.setattr(module, "POLLS_A_SECOND", 4 * module.POLLS_A_SECOND)


@pytest.fixture(autouse=True)
def _quick_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a key, Textual's pilot waits twice until the process has rested for 20 ms; ours goes on
    once no message is left and what they changed has been drawn."""
    monkeypatch.setattr(screen, "UPDATE_PERIOD", UPDATE_SECONDS)
    for module in (app, pilot):
        monkeypatch.setattr(module, "wait_for_idle", _settled)


async def _settled(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """The same arguments as Textual's own."""
    end = time.monotonic() + max_sleep
    await _nothing_to_do(end)
    await asyncio.sleep(2 * UPDATE_SECONDS)
    await _nothing_to_do(end)


async def _nothing_to_do(end: float) -> None:
    """Until nothing in the loop is ready to run, timers apart."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    while ready and time.monotonic() < end:
        await asyncio.sleep(0)
