"""Looking for words in a conversation that goes on."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from moshi_tui.ui.conversation import Entry


class Match(NamedTuple):
    """One place where the words stand."""

    entry: int
    nth: int
    """Which one in this entry, from 0."""


class Found(NamedTuple):
    """How much there is."""

    number: int
    """Which match the reader is at, from 1; 0 if there is none."""
    total: int


class Finder:
    """All places where some words stand, upper and lower case alike, oldest first, and the one
    that the reader is at.

    Counts by entry, and looks for the exact places only in entries that are shown: a letter that
    stands everywhere costs no more than a rare word.
    """

    def __init__(self, entries: list[Entry]) -> None:
        self.match: Match | None = None
        """Where the reader is; None if there is nothing."""
        self.words = ""
        """What is looked for."""
        self._entries = entries
        self._needle = ""
        self._origin: tuple[int, int] | None = None
        self._found: list[int] = []  # entries in which it stands,
        self._before: list[int] = []  # how many places there are before each,
        self._total = 0  # and in all

    @property
    def found(self) -> Found | None:
        """How much there is; None while nothing is looked for."""
        if not self._needle:
            return None
        if self.match is None:
            return Found(0, self._total)
        before = self._before[bisect_left(self._found, self.match.entry)]
        return Found(before + self.match.nth + 1, self._total)

    def begin(self, entry: int, char: int) -> None:
        """A search begins; the reader has read to this character of this entry."""
        if self._origin is None:
            self._origin = entry, char

    def stop(self) -> None:
        """The search is over."""
        self._origin = None
        self.look_for("")

    def look_for(self, words: str) -> None:
        """Find these from now on (blanks alone find nothing), and go to the last at or before
        where the search began, else to the first after it."""
        self.words = words
        self._needle = words.casefold() if words.strip() else ""
        self.match = None
        self.update_from(0)

    def step(self, by: int) -> None:
        """To the next one (1) or the one before (-1); round again at the ends."""
        if self.match is None:
            return
        entry, nth = self.match
        at = bisect_left(self._found, entry)
        if 0 <= nth + by < self._count(at):
            self.match = Match(entry, nth + by)
            return
        at = (at + by) % len(self._found)
        self.match = Match(self._found[at], 0 if by > 0 else self._count(at) - 1)

    def put_in(self, entry: int) -> None:
        """There is a new entry before others; `update_from` follows."""
        if self.match is not None and self.match.entry >= entry:
            self.match = self.match._replace(entry=self.match.entry + 1)

    def update_from(self, entry: int) -> None:
        """The entries from this one on may be others than before."""
        keep = bisect_left(self._found, entry)
        if keep < len(self._found):
            self._total = self._before[keep]
        del self._found[keep:], self._before[keep:]
        if not self._needle:
            return
        for later in range(entry, len(self._entries)):
            count = self._entries[later].text.casefold().count(self._needle)
            if count:
                self._found.append(later)
                self._before.append(self._total)
                self._total += count
        if self.match is None or not self._is_there(self.match):
            self.match = self._nearest()

    def spans(self, entry: int) -> list[tuple[int, int]]:
        """Where it stands in the text of this entry."""
        if not self._needle:
            return []
        text = self._entries[entry].text
        folded = text.casefold()
        spans: list[tuple[int, int]] = []
        at = folded.find(self._needle)
        while at >= 0:
            spans.append((at, at + len(self._needle)))
            at = folded.find(self._needle, at + len(self._needle))
        if spans and len(folded) != len(text):  # some letters fold to two or three
            origin = [n for n, char in enumerate(text) for _ in char.casefold()]
            return [(origin[start], origin[end - 1] + 1) for start, end in spans]
        return spans

    def _nearest(self) -> Match | None:
        if not self._found or self._origin is None:
            return None
        entry, char = self._origin
        at = bisect_left(self._found, entry)
        if at < len(self._found) and self._found[at] == entry:
            before = sum(start <= char for start, _ in self.spans(entry))
            if before:
                return Match(entry, before - 1)
        if at:
            return Match(self._found[at - 1], self._count(at - 1) - 1)
        return Match(self._found[0], 0)

    def _is_there(self, match: Match) -> bool:
        at = bisect_left(self._found, match.entry)
        here = at < len(self._found) and self._found[at] == match.entry
        return here and match.nth < self._count(at)

    def _count(self, at: int) -> int:
        after = self._before[at + 1] if at + 1 < len(self._before) else self._total
        return after - self._before[at]
