"""Where the program keeps its files: the only module that knows."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from moshi_tui.errors import MoshiTuiError

APP = "moshi-tui"

CONFIG_VARIABLE = "MOSHI_TUI_CONFIG"
"""The environment variable that names another settings file; `--config` sets it."""


def cache_dir() -> Path:
    """The folder for what can be made again, such as built kernels (not created here)."""
    return Path(platformdirs.user_cache_dir(APP, appauthor=False))


def log_file() -> Path:
    """The log of the newest run (its folder is not created here)."""
    return Path(platformdirs.user_log_dir(APP, appauthor=False)) / "moshi-tui.log"


def config_file() -> Path:
    """The settings, absolute (neither file nor folder is created here).

    Raises MoshiTuiError if the variable names a home folder that nobody has.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if not named:
        return default_config_file()
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError:
        raise MoshiTuiError(
            "No such home folder",
            f"{CONFIG_VARIABLE}={named!r}",
            f"Name another file, or leave it out: unset {CONFIG_VARIABLE}",
        ) from None


def default_config_file() -> Path:
    """The settings of whoever names no other file."""
    return Path(platformdirs.user_config_dir(APP, appauthor=False)) / "config.toml"


def shown(path: Path) -> str:
    """`path` as a person writes it: the home folder is ~."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):  # elsewhere, or there is no home
        return str(path)
