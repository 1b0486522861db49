"""Cleaned text measured in cells and wrapped."""

from __future__ import annotations

import re

from rich.cells import cell_len, split_graphemes

_NARROW = re.compile("[ -~\u00a0-\u00ac\u00ae-\u02ff\u2010-\u2027\u2581-\u2588]*")
"""Characters one cell wide: enough for what is mostly said, and for strips of levels."""

_WORD = re.compile(r"[^ ]+")  # not \S+: a no-break space must not break


def is_narrow(text: str, start: int = 0) -> bool:
    """Whether each character of cleaned `text[start:]` is sure to be one cell wide, by itself."""
    return text.isascii() or _NARROW.fullmatch(text, start) is not None


def snap(text: str, start: int, end: int) -> tuple[int, int]:
    """The span widened to whole grapheme clusters of `text`: part of one can't look different."""
    if is_narrow(text) or start >= end:
        return start, end
    for first, last, _ in split_graphemes(text)[0]:
        if first < start < last:
            start = first
        if first < end < last:
            end = last
    return start, end


def wrap(text: str, width: int, start: int = 0) -> list[tuple[int, int]]:
    """Break cleaned `text[start:]` into lines of at most `width` cells: spans of indices, at
    least one.

    Greedy, at spaces; a word wider than a line is cut between its grapheme clusters. Spaces at a
    break belong to no line. When text is appended, only the last line changes: wrapping again from
    its start gives the same as wrapping all.
    """
    if is_narrow(text, start):
        return _wrap_narrow(text, width, start)
    spans: list[tuple[int, int]] = []
    begin = end = start  # of the line that is being filled
    used = 0
    for match in _WORD.finditer(text, start):
        word, cells = match.group(), cell_len(match.group())
        gap = match.start() - end
        if begin < end and used + gap + cells <= width:
            end, used = match.end(), used + gap + cells
            continue
        if begin < end:
            spans.append((begin, end))
        begin, end, used = match.start(), match.end(), cells
        if cells > width:
            *full, (cut, _, used) = _cut(word, width)
            spans.extend((begin + first, begin + last) for first, last, _ in full)
            begin += cut
    if begin < end or not spans:
        spans.append((begin, end))
    return spans


def _wrap_narrow(text: str, width: int, start: int) -> list[tuple[int, int]]:
    """The same where each character is one cell wide: a search a line instead of a sum a word."""
    spans: list[tuple[int, int]] = []
    while True:
        while text.startswith(" ", start):
            start += 1
        limit = start + width
        if limit >= len(text):
            break
        space = limit if text[limit] == " " else text.rfind(" ", start, limit)
        after = space if space > start else limit
        end = after
        while text[end - 1] == " ":
            end -= 1
        spans.append((start, end))
        start = after
    end = start + len(text[start:].rstrip(" "))
    if start < end or not spans:
        spans.append((start, end))
    return spans


def _cut(word: str, width: int) -> list[tuple[int, int, int]]:
    """(start, end, cells) of each line that the too wide `word` fills."""
    lines: list[tuple[int, int, int]] = []
    for start, end, cells in split_graphemes(word)[0]:
        if lines and lines[-1][2] + cells <= width:
            lines[-1] = (lines[-1][0], end, lines[-1][2] + cells)
        else:
            lines.append((start, end, cells))
    return lines


def sentences(*parts: str) -> str:
    """One after the other, each with its full stop."""
    whole = [part.strip() for part in parts if part.strip()]
    return " ".join(part if part[-1] in ".!?:)" else f"{part}." for part in whole)
