"""Who speaks when in a whole recording: for the line that shows where one is, and for jumps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import groupby

from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.session.events import Event, TextPiece
from moshi_tui.ui.conversation import MOSHI, YOU, Conversation
from moshi_tui.ui.telling import tell

_PIECE_FRAMES = 4
"""A piece of text is taken to be spoken for so long."""


class Outline:
    """Where utterances and turns begin, and which parts of the recording are whose.

    Args:
        events: all of the recording, in order.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        talk = Conversation()
        for event in events:
            tell(talk, event)
        frames = {entry.frame for entry in talk.entries if entry.speaker in (MOSHI, YOU)}
        self.begins: Sequence[float] = sorted(frame * FRAME_SECONDS for frame in frames)
        """Seconds at which somebody begins."""
        self._moshi = [
            (event.frame, event.frame + _PIECE_FRAMES)
            for event in events
            if isinstance(event, TextPiece) and event.text.strip()
        ]
        self._you = [
            (entry.frame, entry.frame + max(1, entry.frames))
            for entry in talk.entries
            if entry.speaker == YOU
        ]

    def passage(self, position_s: float, by: int, slack_s: float) -> float | None:
        """Where the next one begins (1), or the one before (-1): that is the one which goes on
        here, if it has for longer than `slack_s`. None if there is none."""
        if by > 0:
            at = bisect_right(self.begins, position_s + FRAME_SECONDS / 2)
            return self.begins[at] if at < len(self.begins) else None
        at = bisect_left(self.begins, position_s - slack_s) - 1
        return self.begins[at] if at >= 0 else None

    def cells(self, width: int, length_s: float) -> list[tuple[bool, bool]]:
        """Of each of `width` equal parts: whether Moshi speaks in it, and whether the user does."""
        a_cell = length_s / FRAME_SECONDS / width if width > 0 else 0.0
        if a_cell <= 0:
            return [(False, False)] * max(0, width)
        moshi, you = (_marked(spans, width, a_cell) for spans in (self._moshi, self._you))
        return list(zip(moshi, you, strict=True))


def _marked(spans: Sequence[tuple[int, int]], width: int, a_cell: float) -> list[bool]:
    """Which of the cells, each `a_cell` frames long, a span touches."""
    marked = [False] * width
    cells = ((int(first / a_cell), int((last - 1) / a_cell)) for first, last in spans)
    for (first, last), _ in groupby(cells):
        for cell in range(max(0, first), min(width - 1, last) + 1):
            marked[cell] = True
    return marked
