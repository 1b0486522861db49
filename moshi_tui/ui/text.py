"""Text from outside made fit for a terminal: cleaned, measured in cells, wrapped."""

from __future__ import annotations

import re
import unicodedata

from rich.cells import cell_len, split_graphemes

_SUSPECT = re.compile(r"[^ -~\u00a0-\u00ac\u00ae-\u02ff\u2010-\u2027]")
"""Whatever needs a closer look; ordinary Latin text has none of it."""

_DISPUTED = re.compile("[\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")
"""Variation selectors and skin tones: they change the width of what stands before them, or not."""

_NARROW = re.compile("[ -~\u00a0-\u00ac\u00ae-\u02ff\u2010-\u2027]*")
"""Characters one cell wide: enough for what is mostly said."""

_WORD = re.compile(r"[^ ]+")  # not \S+: a no-break space must not break

_ESC, _BEL = "\x1b", "\x07"
_C1_CSI, _C1_ST = "\x9b", "\x9c"
_C1_STRINGS = frozenset("\x90\x98\x9d\x9e\x9f")  # DCS, SOS, OSC, PM, APC
_ESC_STRINGS = frozenset("PX]^_")  # the same as ESC and a letter
_LONGEST_SEQUENCE = 128
"""An escape sequence that is longer has lost its end: it must not swallow the rest of the talk."""


class Cleaner:
    """Removes what could steer a terminal from text that comes in pieces.

    Gone are escape sequences (ECMA-48: CSI, OSC and their kin, in 7 and 8 bits, also when cut by
    the border of two pieces), all other controls, invisible format characters such as those that
    turn the writing direction, and bare surrogates. Line breaks and tabs become spaces.

    Cleaning pieces one by one gives the same as cleaning them joined. Joiners, variation
    selectors and skin tones go too: terminals disagree about how wide such emoji are.
    """

    def __init__(self) -> None:
        self._state = "text"  # or "escape", "csi", "string", "string-escape"
        self._swallowed = 0

    def feed(self, piece: str) -> str:
        """What is left of the next piece."""
        if self._state == "text" and not _SUSPECT.search(piece):
            return piece
        return "".join(self._next(char) for char in piece)

    def _next(self, char: str) -> str:
        if self._state == "text":
            return self._text(char)
        self._swallowed += 1
        if self._swallowed > _LONGEST_SEQUENCE:
            self._state = "text"
            return self._text(char)
        if self._state == "string":
            if char in (_BEL, _C1_ST):
                self._state = "text"
            elif char == _ESC:
                self._state = "string-escape"
            return ""
        if self._state == "string-escape":
            if char == "\\":  # ESC \ ends the string
                self._state = "text"
                return ""
            self._state = "escape"  # any other escape breaks it off
        if self._state == "escape":
            if char == "[":
                self._state = "csi"
            elif char in _ESC_STRINGS:
                self._state = "string"
            elif "0" <= char <= "~":
                self._state = "text"
            elif not " " <= char <= "/":
                return self._broken_off(char)
            return ""
        if "@" <= char <= "~":  # the last of a CSI sequence
            self._state = "text"
        elif not " " <= char <= "?":
            return self._broken_off(char)
        return ""

    def _broken_off(self, char: str) -> str:
        self._state = "text"
        return self._text(char)

    def _text(self, char: str) -> str:
        if char in (_ESC, _C1_CSI) or char in _C1_STRINGS:
            self._swallowed = 0
            self._state = "escape" if char == _ESC else "csi" if char == _C1_CSI else "string"
            return ""
        if char in "\n\r\t\v\f\x85\u2028\u2029":
            return " "
        invisible = unicodedata.category(char) in ("Cc", "Cf", "Cs")
        return "" if invisible or _DISPUTED.match(char) else char


def clean(text: str) -> str:
    """`text` as one line without anything that could steer a terminal (see `Cleaner`)."""
    return Cleaner().feed(text)


def wrap(text: str, width: int, start: int = 0) -> list[tuple[int, int]]:
    """Break cleaned `text[start:]` into lines of at most `width` cells: spans of indices, at
    least one.

    Greedy, at spaces; a word wider than a line is cut between its grapheme clusters. Spaces at a
    break belong to no line. When text is appended, only the last line changes: wrapping again from
    its start gives the same as wrapping all.
    """
    if _NARROW.fullmatch(text, start):
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
