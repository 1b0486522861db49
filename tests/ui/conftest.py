from __future__ import annotations

import pytest

from moshi_tui.ui.screens import panels


@pytest.fixture(autouse=True)
def _quick_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers change with every look at the engine, not with every fifth: tests wait less."""
    monkeypatch.setattr(panels, "POLLS_A_NUMBER", 1)
