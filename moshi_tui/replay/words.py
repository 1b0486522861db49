"""Where Moshi's words stand in a row of the picture: on a few lines, none upon another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from moshi_tui.replay.story import Word
from moshi_tui.svg import fitted, width_of

LINES = 3
SIZE = 11
"""Height of the letters."""

_GAP = 5.0
_WIDEST = 220.0
_SLIDE = 45.0
"""A word may stand so far behind its moment, if its moment is taken on all lines."""
_PHRASE = 150.0
"""Room for the beginning of an utterance, where there is none for every word."""
_LEAST = 40.0

At = Callable[[float], float]
"""From a moment to its x."""


@dataclass(frozen=True)
class Placed:
    """Words in the picture."""

    tick: float
    """x of the moment when they were said."""
    x: float
    """Where they begin: mostly there."""
    line: int
    text: str


def place_words(words: Sequence[Word], at: At, right: float) -> list[Placed]:
    """Each by itself, as near to its moment as there is room; what does not fit is left out, and an
    ellipsis tells of it. Nothing goes beyond `right`."""
    placed: list[Placed] = []
    ends = [0.0] * LINES
    for word in words:
        tick = at(word.t)
        text = fitted(word.text, SIZE, _WIDEST)
        wide = width_of(text, SIZE)
        x = min(tick, right - wide)
        line = _line(ends, x)
        x = max(x, ends[line])
        if x - tick <= _SLIDE and x + wide <= right:
            placed.append(Placed(tick, x, line, text))
            ends[line] = x + wide + _GAP
        elif placed and not placed[-1].text.endswith("…"):
            placed[-1] = replace(placed[-1], text=placed[-1].text + "…")
            ends[placed[-1].line] += width_of("…", SIZE)
    return placed


def place_phrases(words: Sequence[Word], at: At, right: float) -> list[Placed]:
    """Each utterance in one piece, or its first words; what does not fit is left out. Nothing goes
    beyond `right`."""
    said: list[list[Word]] = []
    for word in words:
        if word.begins or not said:
            said.append([])
        said[-1].append(word)
    placed: list[Placed] = []
    ends = [0.0] * LINES
    for index, utterance in enumerate(said):
        x = at(utterance[0].t)
        line = _line(ends, x)
        # Those that follow shall find their lines free again, unless they come thick and fast.
        following = said[index + LINES : index + LINES + 1]
        until = at(following[0][0].t) - 2 * _GAP if following else right
        room = min(right, max(until, x + _PHRASE)) - x
        if ends[line] > x or room < _LEAST:
            continue
        text = _beginning([word.text for word in utterance], room)
        placed.append(Placed(x, x, line, text))
        ends[line] = x + width_of(text, SIZE) + 2 * _GAP
    return placed


def _line(ends: Sequence[float], x: float) -> int:
    """The first that is free at `x`, or else will be."""
    free = (line for line, end in enumerate(ends) if end <= x)
    return next(free, ends.index(min(ends)))


def _beginning(words: Sequence[str], room: float) -> str:
    """As many of the words as there is room for."""
    text = words[0]
    for index, word in enumerate(words[1:], 1):
        last = index == len(words) - 1
        if width_of(f"{text} {word}{'' if last else '…'}", SIZE) > room:
            return fitted(f"{text}…", SIZE, room)
        text += f" {word}"
    return fitted(text, SIZE, room)
