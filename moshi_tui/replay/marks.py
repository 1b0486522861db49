"""Marks in the picture of a recording: a letter on a shape for each kind of event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from moshi_tui.replay.story import Mark
from moshi_tui.svg import escaped, number, text, width_of


@dataclass(frozen=True)
class Kind:
    """How marks of one kind look."""

    letter: str
    shape: str
    """A path around the origin, some 14 px wide."""
    colour: str
    """Dark: the letter on it is white."""
    name: str
    """In the legend."""


_CIRCLE = "M-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0z"
_SQUARE = "M-6.5-6.5h13v13h-13z"
_DIAMOND = "M0-9L9 0L0 9L-9 0z"
_HEXAGON = "M-8 0l4-7h8l4 7l-4 7h-8z"
_SHIELD = "M-6.5-7h13v9L0 8.5L-6.5 2z"

KINDS = {
    "skip": Kind("S", _CIRCLE, "#8a3a7a", "skipped"),
    "faster": Kind("F", _HEXAGON, "#8a3a7a", "played faster"),
    "underrun": Kind("U", _DIAMOND, "#b3261e", "underrun"),
    "mute": Kind("M", _SQUARE, "#555555", "muted"),
    "reset": Kind("R", _SHIELD, "#000000", "reset"),
    "device": Kind("D", _SQUARE, "#00664a", "device changed"),
    "device_lost": Kind("L", _DIAMOND, "#00664a", "device lost"),
    "failed": Kind("!", _SHIELD, "#b3261e", "failed"),
}
"""By type of the record, or nearly so (moshi_tui/replay/story.py)."""

SIZE = 9
"""Height of the letters."""

_HALF = 8.0
_PUSH = 30.0
"""A mark may stand so far behind its moment if others are in the way."""


@dataclass
class Badge:
    """One mark, or several of a kind that are close together."""

    tick: float
    """x of the moment when the first happened."""
    x: float
    """Its middle."""
    marks: list[Mark]

    @property
    def kind(self) -> str:
        """That of all its marks."""
        return self.marks[0].kind

    @property
    def right(self) -> float:
        """Where the next may begin."""
        count = width_of(str(len(self.marks)), SIZE, bold=True) + 3 if len(self.marks) > 1 else 0.0
        return self.x + _HALF + 2 + count


def definitions(kinds: set[str]) -> Iterator[str]:
    """Each of these kinds, to be used by its name."""
    for name, kind in KINDS.items():
        if name in kinds:
            letter = text(0, 3.3, kind.letter, anchor="middle", size=SIZE, fill="#fff")
            yield f"<g id='{name}'><path d='{kind.shape}' fill='{kind.colour}'/>{letter}</g>"


def place_marks(marks: Sequence[Mark], at: Callable[[float], float]) -> list[Badge]:
    """The badges of one row, none upon another. Marks of a kind become one badge with a number if
    they would touch, or be pushed far."""
    badges: list[Badge] = []
    newest: dict[str, Badge] = {}
    for mark in marks:
        tick = at(mark.t)
        x = max(tick, badges[-1].right + _HALF) if badges else tick
        before = newest.get(mark.kind)
        near = before is not None and before is badges[-1] and tick < before.right + _HALF
        if before is not None and (near or x - tick > _PUSH):
            _count(badges, before, mark)
            continue
        newest[mark.kind] = Badge(tick, x, [mark])
        badges.append(newest[mark.kind])
    return badges


def badge(x: float, y: float, kind: str, told: str) -> str:
    """A mark at this place, with the words for whoever points at it."""
    place = f"x='{number(x)}' y='{number(y)}'"
    return f"<use href='#{kind}' {place}><title>{escaped(told)}</title></use>"


def _count(badges: list[Badge], into: Badge, mark: Mark) -> None:
    """One more in a badge; those behind it make room for its number."""
    into.marks.append(mark)
    index = next(place for place, each in enumerate(badges) if each is into)
    for before, behind in zip(badges[index:], badges[index + 1 :], strict=False):
        behind.x = max(behind.x, before.right + _HALF)
