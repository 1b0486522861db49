"""One value of the tree: from a flag or a variable, from TOML, and back to TOML.

What a value must be is read off its `Option`; what is wrong raises `BadValueError`, which says what
was expected. Who reads a file or a variable adds where it stands.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from moshi_tui.config import LARGEST_COUNT, OPTIONS, Option

_WORDS = {
    True: ("true", "yes", "on", "1"),
    False: ("false", "no", "off", "0"),
}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


class BadValueError(ValueError):
    """Not a value of this option; the text says what was expected."""


def from_text(option: Option, text: str) -> Any:
    """The value that a person wrote as a flag or a variable.

    A path is relative to the current folder; a condition is NAME=VALUE, several separated by
    commas. Raises BadValueError.
    """
    if option.about.unset and text == option.about.unset:
        return None
    if option.kind == "bool":
        return _switch(option, text)
    if option.kind == "dict[str, str]":
        return dict(pair(option, each) for each in text.split(",") if each.strip())
    if option.kind == "int":
        if not re.fullmatch(r"\d{1,20}", text):
            raise BadValueError(expected(option))
        return _checked(option, int(text))
    if option.kind == "float":
        try:
            return _checked(option, float(text))
        except ValueError:
            raise BadValueError(expected(option)) from None
    if option.kind == "Path":
        return _path(option, text)
    return _checked(option, text)


def pair(option: Option, text: str) -> tuple[str, str]:
    """One NAME=VALUE. Raises BadValueError."""
    name, equals, value = text.strip().partition("=")
    if not (name and equals and value):
        raise BadValueError(expected(option))
    return name, value


def from_toml(option: Option, value: Any, folder: Path) -> Any:
    """The value that stands in a file in `folder`. Raises BadValueError."""
    if option.about.unset and value == option.about.unset:
        return None
    if type(value) is int and abs(value) > LARGEST_COUNT:  # perhaps of more digits than fit a text
        raise BadValueError(expected(option, in_file=True))
    if option.about.or_number and type(value) is int:
        value = str(value)
    if option.kind == "float" and type(value) is int:
        value = float(value)
    kinds = {"str": str, "Path": str, "int": int, "float": float, "bool": bool}
    if type(value) is not kinds.get(option.kind, dict):
        raise BadValueError(expected(option, in_file=True))
    if option.kind == "Path":
        return folder / _path(option, value)
    if isinstance(value, dict) and not all(isinstance(text, str) for text in value.values()):
        raise BadValueError(expected(option, in_file=True))
    return _checked(option, value)


def fields_of(option: Option, value: Any) -> list[tuple[Option, Any]]:
    """What `value`, as written for `option`, says of which fields.

    `record = "~/talks"` says two things: True, and where to. Only what looks like a path counts:
    "ture" is a mistake and no folder.
    """
    folder = next((each for each in OPTIONS if each.name == option.about.value_to), None)
    if folder is None or not isinstance(value, str) or not ("/" in value or value[:1] in "~."):
        return [(option, value)]
    return [(option, True), (folder, value)]


def expected(option: Option, in_file: bool = False) -> str:
    """What the option takes, in words."""
    about = option.about
    if about.choices:
        *most, last = [str(choice) for choice in about.choices] + [about.unset] * bool(about.unset)
        return f"{', '.join(most)} or {last}"
    words = {
        "bool": "true, false or a folder like ./talks" if about.value_to else "true or false",
        "int": f"a whole number{_range(option)}",
        "float": f"a number{_range(option)}",
        "Path": "a path",
        "dict[str, str]": f"a table like {toml(about.example)}" if in_file else "NAME=VALUE",
    }.get(option.kind, "a text")
    return f"{words}, or {about.unset}" if about.unset else words


def toml(value: Any) -> str:
    """`value` as TOML, without any character that could steer a terminal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        pairs = ", ".join(f"{_quoted(name)} = {toml(text)}" for name, text in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return _quoted(str(value))


def _range(option: Option) -> str:
    low, high = option.about.low, option.about.high
    if low is None:
        return ""
    return f" of {low} or more" if high is None else f" from {low} to {high}"


def _checked(option: Option, value: Any) -> Any:
    about = option.about
    bad = (about.choices and value not in about.choices) or (
        isinstance(value, (int, float))
        and not (
            math.isfinite(value)
            and (about.low is None or about.low <= value)
            and (about.high is None or value <= about.high)
        )
    )
    if bad or (isinstance(value, str) and (not value.strip() or "\0" in value)):
        raise BadValueError(expected(option))
    return value


def _switch(option: Option, text: str) -> bool:
    for value, words in _WORDS.items():
        if text.lower() in words:
            return value
    raise BadValueError(expected(option))


def _path(option: Option, text: Any) -> Path:
    if not text or "\0" in text:
        raise BadValueError(expected(option))
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise BadValueError(f"{expected(option)} of a person who has a home folder") from None


def _quoted(text: str) -> str:
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    if "\ud800" <= char <= "\udfff":  # TOML has no way to write it
        return "\ufffd"
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
