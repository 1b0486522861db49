"""Text from outside made fit for a terminal: nothing in it can steer one."""

from __future__ import annotations

import re
import unicodedata

_SUSPECT = re.compile(r"[^ -~\u00a0-\u00ac\u00ae-\u02ff\u2010-\u2027]")
"""Whatever needs a closer look; ordinary Latin text has none of it."""

_DISPUTED = re.compile("[\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")
"""Variation selectors and skin tones: they change the width of what stands before them, or not."""

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
