"""Where the program keeps its files: the only module that knows."""

from __future__ import annotations

from pathlib import Path

import platformdirs

APP = "moshi-tui"


def cache_dir() -> Path:
    """The folder for what can be made again, such as the demo checkpoint (not created here)."""
    return Path(platformdirs.user_cache_dir(APP, appauthor=False))


def log_file() -> Path:
    """The log of the newest run (its folder is not created here)."""
    return Path(platformdirs.user_log_dir(APP, appauthor=False)) / "moshi-tui.log"
