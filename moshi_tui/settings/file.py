"""config.toml: reading it, and saying what is wrong in it."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

from moshi_tui import paths
from moshi_tui.clean import clean
from moshi_tui.config import OPTIONS, SECTIONS, Option
from moshi_tui.errors import MoshiTuiError, UsageError
from moshi_tui.settings.layers import Given
from moshi_tui.settings.nearest import did_you_mean, nearest
from moshi_tui.settings.values import BadValueError, fields_of, from_toml, toml

_BY_KEY = {option.key: option for option in OPTIONS}


def read(path: Path) -> dict[str, Given]:
    """The layer of the file; empty if there is no file.

    Raises MoshiTuiError: it can't be read, is no TOML, or has a key or a value that can't be.
    """
    return check(tables(text_of(path), path), path)


def text_of(path: Path) -> str:
    """The text of the file, "" if there is none. Raises MoshiTuiError."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise MoshiTuiError(
            "Cannot read the settings",
            f"{name_of(path)}: {error.strerror}",
            "Make it a file that you can read.",
        ) from None
    except UnicodeDecodeError as error:
        raise _wrong(path, f"byte {error.start + 1} is no UTF-8") from None


def tables(text: str, path: Path) -> dict[str, Any]:
    """The parsed text. Raises MoshiTuiError with `path`, line and column."""
    if not text.strip():
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.fullmatch(r"(.*) \(at (.*)\)", str(error), re.DOTALL)
        what, place = (where[1], where[2]) if where else (str(error), "somewhere")
        raise _wrong(path, f"{place}: {clean(what[:1].lower() + what[1:])}") from None
    except RecursionError:
        raise _wrong(path, "nested too deep") from None
    except ValueError:  # Python refuses to read thousands of digits
        raise _wrong(path, "a number has too many digits") from None


def check(document: dict[str, Any], path: Path) -> dict[str, Given]:
    """The layer of a parsed file at `path`. Raises MoshiTuiError with the first mistake."""
    layer = {}
    for section, table in document.items():
        if section not in SECTIONS:
            raise _wrong(path, _no_section(section, table))
        if not isinstance(table, dict):
            raise _wrong(path, f"{section} is a section: write [{section}] on a line of its own")
        for name, value in table.items():
            option = _BY_KEY.get(f"{section}.{name}")
            if option is None:
                raise _wrong(path, _no_key(section, name))
            for each, said in fields_of(option, value):
                layer[each.key] = Given(_value(each, said, path), clean(path.name))
    return layer


def option(section: str, key: str) -> Option:
    """The option of a key that `check` has let pass."""
    return _BY_KEY[f"{section}.{key}"]


def name_of(path: Path) -> str:
    """The path, fit for a terminal."""
    return clean(str(path))


def edit(path: Path) -> str:
    """The command that opens this file."""
    if path == paths.default_config_file():
        return "moshi-tui config edit"
    return f"moshi-tui --config {shlex.quote(name_of(path))} config edit"


def _value(option: Option, value: Any, path: Path) -> Any:
    if not option.about.in_file:
        flag = option.flags[-1]
        raise _wrong(
            path,
            f"[{option.section}] {option.name} is for one talk, and not for the file: "
            f"use {flag} or {option.variable}",
        )
    try:
        return from_toml(option, value, Path(path).absolute().parent)
    except BadValueError as error:
        raise _wrong(
            path, f"[{option.section}] {option.name}: expected {error}, found {_shown(value)}"
        ) from None


def _shown(value: Any) -> str:
    try:
        return toml(value) if isinstance(value, (str, bool, int, float)) else clean(repr(value))
    except ValueError:  # 0xfff... can be read with any number of digits, but not be written
        return "a number of too many digits"


def _no_section(section: str, value: Any) -> str:
    shown = clean(section)
    if not isinstance(value, dict):
        return f"{shown} stands outside the sections; {_belongs(section) or _sections()}"
    return f"no section [{shown}]{did_you_mean(section, SECTIONS) or '; ' + _sections()}"


def _no_key(section: str, name: str) -> str:
    told = f"no key {clean(name)!r} in [{section}]; "
    elsewhere = _belongs(name)
    if elsewhere:
        return told + elsewhere
    asked = name.replace("-", "_").lower()
    here = [each.name for each in OPTIONS if each.section == section and each.about.in_file]
    near = nearest(asked, here)
    if near:
        return f"{told}did you mean {near}?"
    near = nearest(asked, [each.name for each in OPTIONS if each.about.in_file])
    if near:
        return f"{told}did you mean {near} in [{_section_of(near)}]?"
    return f"{told}there are {', '.join(here)}"


def _belongs(name: str) -> str:
    section = _section_of(name)
    return f"it belongs in [{section}]" if section else ""


def _section_of(name: str) -> str:
    return next((option.section for option in OPTIONS if option.name == name), "")


def _sections() -> str:
    return f"there are {', '.join(f'[{section}]' for section in SECTIONS)}"


def _wrong(path: Path, what: str) -> MoshiTuiError:
    return UsageError("Wrong settings", f"{name_of(path)}: {what}", f"Mend it: {edit(path)}")
