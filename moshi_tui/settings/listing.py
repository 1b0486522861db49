"""The settings as TOML: those of a start with their origins, and a new file to fill in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moshi_tui.clean import clean
from moshi_tui.config import OPTIONS, SECTIONS, Option
from moshi_tui.settings.layers import Merged
from moshi_tui.settings.values import toml

_TEMPLATE_TOP = """\
# Settings of moshi-tui. Take away the # before a key to set it.
# Flags (--quant 4) and variables (MOSHI_TUI_QUANT=4) are stronger.
# Paths may begin with ~; others begin at this folder.
"""


def template() -> str:
    """A new config.toml: every key with its help, none in force."""
    return _TEMPLATE_TOP + _sections(_offered)


def show(merged: Merged, path: Path) -> str:
    """Every setting, what it is for and who said so; would give the same settings as a file.

    Except for what is for one talk only: such lines are comments.
    """
    there = "" if path.exists() else " (not there yet)"
    top = f"# {clean(str(path))}{there}\n# Stronger first: flags, variables, this file, defaults.\n"
    return top + _sections(lambda option: _in_force(option, merged))


def _sections(line: Callable[[Option], str]) -> str:
    """All sections, with `line(option)` under the help of each option that has one."""
    text = ""
    for section in SECTIONS:
        text += f"\n[{section}]\n"
        for option in OPTIONS:
            if option.section == section and line(option):
                text += f"# {option.about.in_words or option.about.help}\n{line(option)}\n"
    return text


def _offered(option: Option) -> str:
    if not option.about.in_file:
        return ""
    value = option.about.example if option.default in (None, {}) else option.default
    return f"#{option.name} = {toml(value)}"


def _in_force(option: Option, merged: Merged) -> str:
    value = getattr(getattr(merged.settings, option.section), option.name)
    said = merged.given.get(option.key)
    one_talk = "" if option.about.in_file else "; not for the file"
    if value is None and not option.about.unset:
        about = option.about
        holds = f"default: {about.otherwise}" if about.otherwise else "not set"
        return f"#{option.name} =  # {holds}{one_talk}"
    origin = clean(said.origin) if said else "default"
    mark = "#" if one_talk else ""
    return f"{mark}{option.name} = {toml(_written(option, value))}  # {origin}{one_talk}"


def _written(option: Option, value: Any) -> Any:
    if value is None:
        return option.about.unset
    return os.path.abspath(value) if isinstance(value, Path) else value
