"""The fields of a record, checked: a recording may be damaged, or have been edited.

Each function raises ValueError, with words for the person; `checked` makes an error of it that says
where.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from moshi_tui.clean import clean
from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.journal import Record
from moshi_tui.session.events import Side

SIDES: tuple[Side, Side] = ("input", "output")
"""Of a device."""

_MOST = 1e15
"""A larger number is none."""

Choice = TypeVar("Choice", bound=str)


def number(record: Record, name: str) -> float:
    """A finite number."""
    value = _get(record, name)
    if not _is_number(value):
        raise _wrong(name, value)
    return float(value)


def number_or_none(record: Record, name: str) -> float | None:
    """The same, or null: nothing was known."""
    return None if _get(record, name) is None else number(record, name)


def whole(record: Record, name: str) -> int:
    """A whole number."""
    value = _get(record, name)
    if type(value) is not int or not _is_number(value):
        raise _wrong(name, value)
    return value


def numbers(record: Record, name: str) -> tuple[float, ...]:
    """A list of finite numbers."""
    value = _get(record, name)
    if not isinstance(value, list) or not all(map(_is_number, value)):
        raise _wrong(name, value)
    return tuple(map(float, value))


def text(record: Record, name: str) -> str:
    """Text as it stands there: not cleaned."""
    value = _get(record, name)
    if not isinstance(value, str):
        raise _wrong(name, value)
    return value


def words(record: Record, name: str) -> str:
    """Text that is complete, cleaned."""
    return clean(text(record, name))


def flag(record: Record, name: str) -> bool:
    """True or false."""
    value = _get(record, name)
    if not isinstance(value, bool):
        raise _wrong(name, value)
    return value


def one_of(record: Record, name: str, choices: Sequence[Choice]) -> Choice:
    """One of these words."""
    value = _get(record, name)
    for choice in choices:
        if value == choice:
            return choice
    raise _wrong(name, value)


def checked(records: Sequence[Record], folder: Path, take: Callable[[Record], None]) -> None:
    """Hand over each record, by `t`. What is raised because one is damaged becomes
    MoshiTuiError."""
    index = 0
    try:
        times = []
        for index in range(len(records)):
            times.append(number(records[index], "t"))
        for index in sorted(range(len(records)), key=times.__getitem__):
            take(records[index])
    except (ValueError, TypeError) as error:
        raise MoshiTuiError(
            "Cannot read the recording",
            f"{folder}: event {index + 1}: {error}.",
            "Mend that line of events.jsonl, or take it out (the header is line 1).",
        ) from error


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -_MOST <= value <= _MOST  # no NaN either


def _get(record: Record, name: str) -> Any:
    try:
        return record[name]
    except KeyError:
        raise ValueError(f'"{name}" is missing') from None


def _wrong(name: str, value: Any) -> ValueError:
    return ValueError(f'"{name}" cannot be {clean(repr(value)[:40])}')
