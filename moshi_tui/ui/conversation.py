"""What was said and what happened, in order: the transcript as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from moshi_tui.clean import Cleaner, clean
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE
from moshi_tui.session.catchup import CatchUp, Episode, Interruption, earliest
from moshi_tui.session.events import Skipped, Underrun
from moshi_tui.session.pauses import Pauses


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
    may still grow; and what happens again and again changes the entry that told it first. So the
    methods return the index of the first entry that changed, `len(entries)` if none did.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.open: int | None = None
        """Index of the utterance that may still grow."""
        self._pauses = Pauses()
        self._catch_up: CatchUp | None = None
        self._interruption: Interruption | None = None
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
            self._pauses.word(frame)
        return self.open

    def add_event(self, frame: int, text: str, *, ends_utterance: bool = False) -> int:
        """Something happened, in words."""
        if ends_utterance:
            self.open = self._catch_up = self._interruption = None
        self.entries.append(Entry(frame, "", clean(text)))
        return len(self.entries) - 1

    def pass_over(self, event: Skipped) -> None:
        """Time was made up for; not worth a word, but no pause of Moshi's either."""
        if event.side == "user":
            self._pauses.skip(event.frame, event.frames)

    def add_skipped(self, event: Skipped) -> int:
        """Time was made up for: told with what else was at about the same time."""
        self.pass_over(event)
        if self._catch_up is None or not self._catch_up.joins(event.frame):
            self._catch_up = CatchUp(event.frame)
        self._catch_up.take(event)
        return self._tell(self._catch_up)

    def add_underrun(self, event: Underrun) -> int:
        """Moshi was interrupted: told with others at about the same time."""
        if self._interruption is None or not self._interruption.joins(earliest(event)):
            self._interruption = Interruption(event.frame)
        self._interruption.take(event)
        return self._tell(self._interruption)

    def is_speaking(self, frame: int) -> bool:
        """Whether, in this frame, the last words are less than a pause ago."""
        return self.open is not None and not self._pauses.over(frame)

    def spoken(self) -> str:
        """Moshi's words: all pieces joined and cleaned."""
        return "".join(entry.text for entry in self.entries if entry.speaker) + self._blank

    def lines(self) -> Iterator[str]:
        """The whole as plain text, a line an entry."""
        for entry in self.entries:
            yield f"{entry.clock} {entry.speaker or '-'}  {entry.text.strip()}"

    def _tell(self, episode: Episode) -> int:
        """Give it an entry, or bring the one it has up to date."""
        text = episode.words[:1].upper() + episode.words[1:]
        if not text or (episode.entry is not None and self.entries[episode.entry].text == text):
            return len(self.entries)
        if episode.entry is None:
            episode.entry = self.add_event(episode.newest, text)
        else:
            self.entries[episode.entry].text = text
        return episode.entry
