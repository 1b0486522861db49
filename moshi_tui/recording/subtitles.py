"""transcript.vtt: the talk as subtitles (WebVTT) for audio.wav, made of the records of
events.jsonl."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from moshi_tui.clean import Cleaner
from moshi_tui.clock import clock
from moshi_tui.recording.files import EVENTS
from moshi_tui.recording.journal import Record, read_journal
from moshi_tui.recording.transcript import ends_sentence
from moshi_tui.recording.whole import write_text

SUBTITLES = "transcript.vtt"

LONGEST_CHARACTERS = 80
"""Two lines of a picture; what Moshi says goes on in another cue from the next word on."""
LONGEST_SECONDS = 6.0
SHORTEST_SECONDS = 1.0
"""A sentence that is shorter shares its cue with the next one."""
WORD_SECONDS = 1.0
"""A cue stays so long after its last piece of text began, if the next one leaves it the time."""

_NOTE = "NOTE Made by moshi-tui from events.jsonl; the times are those of audio.wav."


def write_subtitles(folder: Path) -> None:
    """Make transcript.vtt of a recording's events.jsonl; it is there with all cues, or as it was
    before. Raises OSError, and ValueError if events.jsonl can't be read."""
    write_text(folder / SUBTITLES, subtitles_from(read_journal(folder / EVENTS)))


def subtitles_from(records: Iterable[Record]) -> str:
    """The text of the file. `records`: in the order of events.jsonl, complete or broken off."""
    cues = _Cues()
    for record in records:
        cues.add(record)
    return "\n".join(["WEBVTT", "", _NOTE, "", *(cue.text() for cue in cues.all())])


@dataclass
class _Cue:
    speaker: str
    start: int
    """All times in ms."""
    end: int
    words: str = ""

    def text(self) -> str:
        words = self.words.strip()
        for char, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            words = words.replace(char, name)
        return f"{_time(self.start)} --> {_time(self.end)}\n<v {self.speaker}>{words}\n"


class _Cues:
    """Takes records one by one, gives cues."""

    def __init__(self) -> None:
        self._now = 0  # the newest time
        self._voice = 0  # when the newest piece of text is heard
        self._moshi: list[_Cue] = []
        self._user: list[_Cue] = []
        self._turn: int | None = None  # when the user's turn that goes on began
        self._cleaner = Cleaner()

    def add(self, record: Record) -> None:
        at = max(0, _ms(record.get("t", 0.0)))
        self._now = max(self._now, at)
        kind = record["type"]
        if kind == "text":
            # The text comes before the voice, by what is on its way to the ear.
            self._voice = max(self._voice, at + _ms(record.get("ahead", 0.0)))
            self._add_piece(record, self._voice)
        elif kind == "user_start":
            self._end_turn(at)
            self._turn = at
        elif kind == "user_stop":
            began = max(0, at - _ms(record["seconds"]))
            self._add_turn(began if self._turn is None else self._turn, at, record["seconds"])
            self._turn = None

    def all(self) -> list[_Cue]:
        """In order of their beginning."""
        self._end_turn(self._now)
        cues = [*_apart(cue for cue in self._moshi if cue.words.strip()), *_apart(self._user)]
        return sorted(cues, key=lambda cue: cue.start)

    def _add_piece(self, record: Record, at: int) -> None:
        if record["begins"]:
            self._cleaner = Cleaner()
        piece = self._cleaner.feed(record["text"])
        if record["begins"] or not self._moshi or _ends(self._moshi[-1], piece, at):
            self._moshi.append(_Cue("Moshi", at, at))
        cue = self._moshi[-1]
        if not cue.words.strip():
            cue.start = at  # nothing but spaces so far
        cue.words += piece
        cue.end = max(cue.end, at + _ms(WORD_SECONDS))

    def _end_turn(self, now: int) -> None:
        """The one of which no stop is known."""
        if self._turn is not None:
            self._add_turn(self._turn, now, (now - self._turn) / 1000)
            self._turn = None

    def _add_turn(self, start: int, end: int, seconds: float) -> None:
        self._user.append(_Cue("You", start, end, f"({seconds:.1f} s)"))


def _ends(cue: _Cue, piece: str, at: int) -> bool:
    """Whether what Moshi says goes on in another cue with this piece."""
    lasted = at - cue.start
    length = len((cue.words + piece).strip())
    if not piece.startswith(" "):  # in a word; a text without spaces must end somewhere, too
        return length > 2 * LONGEST_CHARACTERS or lasted >= 2 * _ms(LONGEST_SECONDS)
    sentence = ends_sentence(cue.words) and lasted >= _ms(SHORTEST_SECONDS)
    return sentence or length > LONGEST_CHARACTERS or lasted >= _ms(LONGEST_SECONDS)


def _apart(cues: Iterable[_Cue]) -> Iterator[_Cue]:
    """The cues of one speaker, by their beginning: none begins before the one before it is over,
    and none is empty."""
    before: _Cue | None = None
    for cue in sorted(cues, key=lambda each: each.start):
        if before is not None:
            cue.start = max(cue.start, before.start + 1)
            before.end = min(before.end, cue.start)
            yield before
        cue.end = max(cue.end, cue.start + 1)
        before = cue
    if before is not None:
        yield before


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _time(ms: int) -> str:
    hours, ms = divmod(ms, 3_600_000)
    return f"{hours:02}:{clock(ms / 1000, 3)}"
