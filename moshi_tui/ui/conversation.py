"""What was said and what happened, in order: the transcript as data."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy, deepcopy
from dataclasses import dataclass

from moshi_tui.clean import Cleaner, clean
from moshi_tui.frames import FRAME_RATE, FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from moshi_tui.session.catchup import CatchUp, Episode, Interruption, duration, earliest
from moshi_tui.session.events import Skipped, Underrun, UserTurn
from moshi_tui.session.pauses import Pauses
from moshi_tui.ui.loudness import strip

MOSHI, YOU = "Moshi", "You"

_SENTENCE_ENDS = (".", "?", "!", "…")
_OVERTAKEN_FRAMES = round(2 * FRAME_RATE)
"""An utterance is not continued above what began so long ago."""


@dataclass
class Entry:
    """An utterance, a turn of the user, or something that happened."""

    frame: int
    """When it began."""
    speaker: str
    """`MOSHI`, `YOU`; empty for something that happened."""
    text: str
    """Cleaned, one line. Of Moshi's utterance its words, with all their spaces, so that utterances
    can be joined; it only ever grows at its end. Of a user's turn how loud and how long it was."""
    frames: int = 0
    """How long it has lasted by now; known of a user's turn only."""

    @property
    def clock(self) -> str:
        """The time since the start: mm:ss, from an hour on h:mm:ss."""
        minutes, seconds = divmod(self.frame * FRAME_SAMPLES // SAMPLE_RATE, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"

    @property
    def plain(self) -> str:
        """What a text file says of it."""
        if self.speaker == YOU:
            return f"spoke for {_lasted(self.frames)}"
        return self.text.strip()


class Conversation:
    """The entries of one talk. Belongs to the thread of the app.

    Words join the open utterance until Moshi pauses for a second or is reset. What the user says
    and what happens meanwhile comes after it and does not cut its sentence in two, so an utterance
    that is not the last entry may still grow; but not for long, as the newest words are looked for
    at the end. And what happens again and again, or goes on, changes the entry that told it first.

    Entries stand in the order in which they began. A user's turn is known a moment after it began
    only: it goes before what began in that moment.

    So the methods return the index of the one entry that is new or has changed; `len(entries)` if
    none has. An index below it never changes its entry.

    Args:
        ascii: draw the user's turns without block characters.
    """

    def __init__(self, *, ascii: bool = False) -> None:
        self.entries: list[Entry] = []
        self.open: int | None = None
        """Index of the utterance that may still grow."""
        self.clock_width = len("00:00")
        """Cells of the longest time so far."""
        self._ascii = ascii
        self._turn: int | None = None  # index of the user's newest turn
        self._settled = 0  # entries before this index stay where they are: a reset came after them
        self._pauses = Pauses()
        self._catch_up: CatchUp | None = None
        self._interruption: Interruption | None = None
        self._blank = ""  # spaces said in a pause, for the front of the next utterance
        self._cleaner = Cleaner()

    def fork(self) -> Conversation:
        """Another one that begins like this; what is told to one does not reach the other. Quick:
        they share the entries that can't change any more."""
        other = copy(self)
        other.entries = list(self.entries)
        other._pauses, other._cleaner = deepcopy(self._pauses), copy(self._cleaner)
        other._catch_up, other._interruption = copy(self._catch_up), copy(self._interruption)
        for index in {
            self.open,
            self._turn,
            _told_by(self._catch_up),
            _told_by(self._interruption),
        }:
            if index is not None:
                other.entries[index] = copy(self.entries[index])
        return other

    def add_piece(self, frame: int, text: str) -> int:
        """Moshi said a piece of text in this frame."""
        text = self._cleaner.feed(text)
        if not self.is_speaking(frame) or self._overtaken(frame, text):
            self.open = None
        if self.open is not None:
            self.entries[self.open].text += text
        elif not text.strip():
            self._blank += text
            return len(self.entries)
        else:
            self.open = self._append(Entry(self._not_before(frame), MOSHI, self._blank + text))
            self._blank = ""
        if text:
            self._pauses.word(frame)
        return self.open

    def add_event(self, frame: int, text: str, *, ends_utterance: bool = False) -> int:
        """Something happened, in words."""
        if ends_utterance:
            self.open = self._catch_up = self._interruption = None
        index = self._append(Entry(self._not_before(frame), "", clean(text)))
        if ends_utterance:
            self._settled = len(self.entries)
        return index

    def add_turn(self, event: UserTurn) -> int:
        """The user speaks, or has spoken: events of the same turn share one entry."""
        text = f"{strip(event.levels, ascii=self._ascii)} {_lasted(event.frames)}".strip()
        if self._turn is None or self.entries[self._turn].frame != event.frame:
            self._turn = self._insert(Entry(event.frame, YOU, text, event.frames))
            return self._turn
        turn = self.entries[self._turn]
        turn.frames = event.frames
        if turn.text == text:
            return len(self.entries)
        turn.text = text
        return self._turn

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
        return "".join(entry.text for entry in self.entries if entry.speaker == MOSHI) + self._blank

    def lines(self) -> Iterator[str]:
        """The whole as plain text, a line an entry."""
        return map(self.line, self.entries)

    def line(self, entry: Entry) -> str:
        """An entry as plain text, with its time and who spoke."""
        return f"{entry.clock:>{self.clock_width}} {entry.speaker or '-':<5}  {entry.plain}"

    def _overtaken(self, frame: int, text: str) -> bool:
        """Whether Moshi's next word shall stand below what came in between: its sentence is over,
        or it has been long enough."""
        if self.open is None or self.open + 1 >= len(self.entries) or not text.startswith(" "):
            return False
        said = self.entries[self.open].text.rstrip()
        return said.endswith(_SENTENCE_ENDS) or (
            frame - self.entries[self.open + 1].frame >= _OVERTAKEN_FRAMES
        )

    def _not_before(self, frame: int) -> int:
        """Times don't go back: the two sides are some frames apart."""
        return max(frame, self.entries[-1].frame) if self.entries else frame

    def _append(self, entry: Entry) -> int:
        self.entries.append(entry)
        self.clock_width = max(self.clock_width, len(entry.clock))
        return len(self.entries) - 1

    def _insert(self, entry: Entry) -> int:
        """Put it before what began later."""
        index = len(self.entries)
        while index > self._settled and self.entries[index - 1].frame > entry.frame:
            index -= 1
        self._append(entry)
        self.entries.insert(index, self.entries.pop())
        if self.open is not None and self.open >= index:
            self.open += 1
        for episode in (self._catch_up, self._interruption):
            if episode is not None and episode.entry is not None and episode.entry >= index:
                episode.entry += 1
        return index

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


def _told_by(episode: Episode | None) -> int | None:
    """Index of its entry."""
    return None if episode is None else episode.entry


def _lasted(frames: int) -> str:
    return duration(frames * FRAME_SECONDS * 1000)
