"""What the app is given, and passes on to the talk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moshi_tui.config import ScreenOptions
from moshi_tui.ui.engine_port import DeskLike


@dataclass(frozen=True)
class Setup:
    """What the screens need besides the engine."""

    make_desk: Callable[[], DeskLike]
    """Called when the person first wants to choose devices."""
    options: ScreenOptions
    folder: Path
    """Where conversations are saved."""
    clock: Callable[[], float]
    """Seconds."""
