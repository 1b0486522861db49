"""A conversation wrapped to a width: which part of which entry stands on which line."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from moshi_tui.ui.conversation import MOSHI, Conversation, Entry
from moshi_tui.ui.text import wrap

CURSOR_CELLS = 1
"""Room that is kept behind the words for the cursor."""
NARROW = 40
"""Below this many cells one letter stands for the speaker."""

_SHORTEST = 8


class Line(NamedTuple):
    """What stands on a line."""

    entry: int
    start: int
    end: int
    """Span of the entry's text."""
    first: bool
    """Whether it is the first line of its entry."""


class Lines:
    """All lines of a conversation. What is kept of each is only where it begins and ends.

    An utterance that grows is wrapped again from its last line on; only a new width, or a column
    of times that has become wider, wraps everything.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.width = 0
        """Cells of a line; 0 until `set_width`."""
        self._conversation = conversation
        self._clock_width = 0
        self._entries: list[Entry] = []  # those that are wrapped,
        self._spans: list[list[tuple[int, int]]] = []  # the lines of each, spans of its text,
        self._first: list[int] = []  # and the number of its first line
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def entries(self) -> int:
        """How many are wrapped."""
        return len(self._entries)

    def set_width(self, width: int) -> None:
        """Wrap everything to so many cells."""
        self.width = width
        self._clock_width = self._conversation.clock_width
        self._cut_off(0)
        self._wrap_new()

    def update(self, index: int) -> range:
        """The entry `index` is new or has changed. Returns the lines to paint again; they may reach
        beyond the last one where lines have gone."""
        entries, before = self._conversation.entries, self._count
        if self._clock_width != self._conversation.clock_width:
            self.set_width(self.width)
            return range(max(before, self._count))
        if index < len(self._entries) and self._entries[index] is entries[index]:
            changed = self._wrap_again(index)
            if self._count == before:
                return range(changed, self.last(index) + 1)
        else:
            changed = self._first[index] if index < len(self._first) else before
            self._cut_off(index)
        self._wrap_new()
        return range(changed, max(before, self._count))

    def __getitem__(self, line: int) -> Line:
        index = bisect_right(self._first, line) - 1
        start, end = self._spans[index][line - self._first[index]]
        return Line(index, start, end, line == self._first[index])

    def first(self, index: int) -> int:
        """The first line of this entry."""
        return self._first[index]

    def last(self, index: int) -> int:
        """The last line of this entry."""
        return self._first[index] + len(self._spans[index]) - 1

    def line_of(self, index: int, char: int) -> int:
        """The line on which this character of the entry's text stands."""
        line = bisect_right(self._spans[index], char, key=lambda span: span[0]) - 1
        return self._first[index] + max(0, line)

    @property
    def indent(self) -> int:
        """Cells in front of the text: time and speaker."""
        return self._clock_width + len(" Moshi  " if self.width >= NARROW else " M ")

    def _wrap_again(self, index: int) -> int:
        """From its last line on if it has only grown; returns the first line that may differ."""
        entry, spans = self._entries[index], self._spans[index]
        kept = len(spans) - 1 if entry.speaker == MOSHI else 0
        before = len(spans)
        spans[kept:] = wrap(entry.text, self._room, spans[kept][0] if kept else 0)
        more = len(spans) - before
        if more:
            for later in range(index + 1, len(self._first)):
                self._first[later] += more
            self._count += more
        return self._first[index] + kept

    def _cut_off(self, index: int) -> None:
        if index < len(self._first):
            self._count = self._first[index]
        del self._entries[index:], self._spans[index:], self._first[index:]

    def _wrap_new(self) -> None:
        room, count = self._room, self._count
        for entry in self._conversation.entries[len(self._entries) :]:
            spans = wrap(entry.text, room)
            self._entries.append(entry)
            self._spans.append(spans)
            self._first.append(count)
            count += len(spans)
        self._count = count

    @property
    def _room(self) -> int:
        return max(_SHORTEST, self.width - self.indent - CURSOR_CELLS)
