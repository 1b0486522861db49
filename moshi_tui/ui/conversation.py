"""What was said and what happened, in order: the transcript as data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from moshi_tui.clean import Cleaner, clean
from moshi_tui.frames import FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE

PAUSE_FRAMES = math.ceil(FRAME_RATE)
"""Frames without a word that end an utterance: the first number that makes a second."""


@dataclass
class Entry:
    """An utterance, or something that happened."""

    frame: int
    """When it began."""
    speaker: str
    """"Moshi"; empty for something that happened."""
    text: str
    """Cleaned, one line. An utterance keeps its spaces, so that utterances can be joined."""

    @property
    def clock(self) -> str:
        """The time since the start, mm:ss (minutes go on beyond 99)."""
        minutes, seconds = divmod(self.frame * FRAME_SAMPLES // SAMPLE_RATE, 60)
        return f"{minutes:02}:{seconds:02}"


class Conversation:
    """The entries of one talk. Belongs to the thread of the app.

    Words join the open utterance until Moshi pauses for a second or is reset. What happens
    meanwhile comes after it and does not cut it in two, so an utterance that is not the last entry
    may still grow: the methods return the index of the first entry that changed.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.open: int | None = None
        """Index of the utterance that may still grow."""
        self._last_frame = 0
        self._blank = ""  # spaces said in a pause, for the front of the next utterance
        self._cleaner = Cleaner()

    def add_piece(self, frame: int, text: str) -> int:
        """Moshi said a piece of text in this frame."""
        text = self._cleaner.feed(text)
        if not self.is_speaking(frame):
            self.open = None
        if self.open is not None:
            self.entries[self.open].text += text
        elif not text.strip():
            self._blank += text
            return len(self.entries)
        else:
            self.open = len(self.entries)
            self.entries.append(Entry(frame, "Moshi", self._blank + text))
            self._blank = ""
        if text:
            self._last_frame = frame
        return self.open

    def add_event(self, frame: int, text: str, *, ends_utterance: bool = False) -> int:
        """Something happened, in words."""
        if ends_utterance:
            self.open = None
        self.entries.append(Entry(frame, "", clean(text)))
        return len(self.entries) - 1

    def is_speaking(self, frame: int) -> bool:
        """Whether, in this frame, the last words are less than a pause ago."""
        return self.open is not None and frame - self._last_frame < PAUSE_FRAMES

    def spoken(self) -> str:
        """Moshi's words: all pieces joined and cleaned."""
        return "".join(entry.text for entry in self.entries if entry.speaker) + self._blank

    def lines(self) -> Iterator[str]:
        """The whole as plain text, a line an entry."""
        for entry in self.entries:
            yield f"{entry.clock} {entry.speaker or '-'}  {entry.text.strip()}"
