from __future__ import annotations

import pytest
import textual._wait

from moshi_tui.ui.screens import panels


@pytest.fixture(autouse=True)
def _quick_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers change with every look at the engine, not with every fifth: tests wait less."""
    monkeypatch.setattr(panels, "POLLS_A_NUMBER", 1)


@pytest.fixture(autouse=True)
def _quick_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pilot looks twice as often whether the app is idle: it does so after every key. Where
    Textual has no such name, tests wait longer and nothing else changes."""
    monkeypatch.setattr(textual._wait, "SLEEP_GRANULARITY", 0.01, raising=False)
