"""What of a conversation is selected: places in its text, however it is wrapped.

Textual selects by (x, y) offsets, compared by y first. Here y stands for an entry and for where in
its text a line begins, x for the cells behind that. So a selection stays where it is while the talk
goes on and when the width changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from textual.geometry import Offset
from textual.selection import Selection

from moshi_tui.ui.conversation import Entry

_SHIFT = 24
_END = (1 << _SHIFT) - 1
"""Longer than any entry."""


class Place(NamedTuple):
    """A place between two characters of the talk."""

    entry: int
    char: int


def line_number(index: int, start: int) -> int:
    """The y of the line of this entry that begins with this character."""
    return index << _SHIFT | start


def whole_entries(first: int, last: int) -> Selection:
    """All of these, and what they will grow by."""
    return Selection(Offset(0, line_number(first, 0)), Offset(_END, line_number(last, 0)))


def places(selection: Selection, entries: list[Entry]) -> tuple[Place, Place]:
    """Where the selection begins and ends, the end not included."""
    start, end = selection
    last = len(entries) - 1
    return (
        Place(0, 0) if start is None else _place(start),
        Place(last, _END) if end is None else _place(end),
    )


def moved(selection: Selection, index: int) -> Selection:
    """The same text after an entry has been put in at `index`."""
    start, end = selection
    return Selection(
        None if start is None else _moved(start, index),
        None if end is None else _moved(end, index),
    )


def selected_text(
    selection: Selection, entries: list[Entry], prefix: Callable[[Entry], str]
) -> str:
    """An entry a line. Where there are several, those that are selected from their beginning have
    their `prefix`: when and who."""
    (first, start), (last, end) = places(selection, entries)
    some = entries[first : last + 1]
    if len(some) == 1:
        return some[0].text[start:end].strip()
    lines: list[str] = []
    for index, entry in enumerate(some, first):
        begin = start if index == first else 0
        text = entry.text[begin : end if index == last else None].strip()
        lines.append(text if begin else prefix(entry) + text)
    return "\n".join(lines)


def _place(offset: Offset) -> Place:
    """The cells in front of a line's text, which are below 0, stand for its beginning."""
    return Place(offset.y >> _SHIFT, (offset.y & _END) + max(0, offset.x))


def _moved(offset: Offset, index: int) -> Offset:
    lower = offset.y >> _SHIFT >= index
    return Offset(offset.x, offset.y + line_number(1, 0)) if lower else offset
