"""transcript.txt: the talk to read, made of the records of events.jsonl."""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Callable, Iterable
from pathlib import Path

from moshi_tui.clean import clean
from moshi_tui.clock import clock
from moshi_tui.recording.collected import COLLECTED, Collected
from moshi_tui.recording.journal import WINDOW_SECONDS, Record, read_journal
from moshi_tui.recording.lines import LinesFile

LONG_SECONDS = 10.0
"""What Moshi says for longer goes on in another line after the sentence..."""
LONGEST_SECONDS = 20.0
"""...and at the latest after the word."""
QUIET_SECONDS = 10.0
"""What comes so long after its last piece is in another line, too: while Moshi is silent for hours
its last line shall not keep all that follows from being settled."""


class Transcript:
    """Takes records one by one, gives lines. Not thread-safe.

    An utterance of Moshi is the text from a piece that `begins` one to the next of that kind (a
    long one is several lines), a turn of the user goes from its start to its stop. What happens
    again and again is told once (collected.py). Everything stands where it began, by the time of
    audio.wav.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._entries: list[_Entry] = []  # which may still change, by their beginning
        self._said: _Entry | None = None  # Moshi's utterance that goes on
        self._turn: _Entry | None = None  # the user's
        self._collected: dict[str, Collected] = {}  # the newest, by the type of its records

    def add(self, record: Record) -> None:
        """Take in the next record."""
        self._now = max(self._now, record.get("t", 0.0))
        kind = record["type"]
        if kind == "text":
            self._add_piece(record)
        elif kind == "user_start":
            if self._turn is not None:
                self._turn.over = True
            self._turn = self._begin(_Entry(record["t"], "You", over=False))
        elif kind == "user_stop":
            self._end_turn(record)
        elif kind in COLLECTED:
            self._collect(kind, record)
        elif (tell := _WORDS.get(kind)) and (words := tell(record)):
            self._begin(_Entry(record["t"], "-", words))

    def take(self) -> str:
        """The lines that will not change any more and were not taken yet."""
        if self._said is not None and self._now > self._said.last + QUIET_SECONDS + WINDOW_SECONDS:
            self._said.over, self._said = True, None
        lines = []
        while (
            self._entries
            and self._entries[0].over
            and self._entries[0].newest < self._now - WINDOW_SECONDS
        ):
            lines.append(self._entries.pop(0).line(self._now))
        return "".join(lines)

    def rest(self) -> str:
        """The lines after those, as they look now."""
        return "".join(entry.line(self._now) for entry in self._entries)

    def _begin(self, entry: _Entry) -> _Entry:
        insort_right(self._entries, entry, key=lambda each: each.t)
        return entry

    def _collect(self, kind: str, record: Record) -> None:
        collected = self._collected.get(kind)
        if collected is not None and collected.joins(record):
            collected.add(record)
            return
        self._collected[kind] = collected = COLLECTED[kind](record)
        self._begin(_Happened(record["t"], collected))

    def _add_piece(self, record: Record) -> None:
        if self._said is None or record["begins"] or _is_long(self._said, record):
            if self._said is not None:
                self._said.over = True
            self._said = self._begin(_Entry(record["t"], "Moshi", over=False))
        self._said.text += record["text"]
        self._said.last = max(self._said.last, record["t"])

    def _end_turn(self, record: Record) -> None:
        began = max(0.0, record["t"] - record["seconds"])
        turn = self._turn or self._begin(_Entry(began, "You"))
        turn.text, turn.over, self._turn = _length(record["seconds"]), True, None


class TranscriptFile:
    """Writes a transcript to a new file. `update` raises OSError.

    Args:
        path: must not exist.
    """

    def __init__(self, path: Path) -> None:
        self.transcript = Transcript()
        """What is written."""
        self.path = path
        self._at = 0  # bytes of lines that will not change any more
        self._settled = b""  # such lines that are not in the file for sure
        self._rest: bytes | None = b""  # what stands after them; None: that is not known
        self._file = LinesFile(path)

    @property
    def gone(self) -> bool:
        """See `LinesFile.gone`."""
        return self._file.gone

    def update(self) -> None:
        """Let the file say all that the transcript says now. May be tried again if it fails."""
        self._settled += self.transcript.take().encode()
        rest = self.transcript.rest().encode()
        data = self._settled + rest
        if data == self._rest:
            return
        self._rest = None
        try:
            self._file.put(self._at, data)
        except OSError:
            self._file.rescue()
            raise
        self._at += len(self._settled)
        self._settled, self._rest = b"", rest

    def close(self) -> None:
        """May be called twice."""
        self._file.close()


def transcript_from(events: Path) -> str:
    """The transcript of a recording, from its events.jsonl. Raises OSError and ValueError."""
    return transcript_of(read_journal(events))


def transcript_of(records: Iterable[Record]) -> str:
    """The transcript of all records of a recording."""
    transcript = Transcript()
    for record in records:
        transcript.add(record)
    return transcript.take() + transcript.rest()


def ends_sentence(text: str) -> bool:
    """Whether what was said so far is a sentence, or several."""
    return text.rstrip().rstrip(_CLOSING).endswith(_SENTENCE_ENDS)


class _Entry:
    def __init__(self, t: float, speaker: str, text: str = "", *, over: bool = True) -> None:
        self.t = self.last = t
        self.text = text
        self.over = over
        """Nothing will be added."""
        self._speaker = speaker

    @property
    def newest(self) -> float:
        """The last `t` of it, as far as that can still change its text."""
        return self.t

    def words(self, now: float) -> str:
        """Empty if nothing was said but spaces. A turn that goes on lasts until `now`."""
        turn = self._speaker == "You" and not self.over
        return _length(now - self.t) if turn else clean(self.text).strip()

    def line(self, now: float) -> str:
        """With its time and who it was; empty if there are no words for it."""
        words = self.words(now)
        return f"{clock(self.t)} {self._speaker:<5}  {words}\n" if words else ""


class _Happened(_Entry):
    """What is told by something that collects."""

    def __init__(self, t: float, collected: Collected) -> None:
        super().__init__(t, "-")
        self._collected = collected

    @property
    def newest(self) -> float:
        return self._collected.newest

    def words(self, now: float) -> str:
        return self._collected.words


def _is_long(said: _Entry, record: Record) -> bool:
    """Whether what Moshi says goes on in another line with this piece."""
    if record["t"] > said.last + QUIET_SECONDS:
        return True
    if not record["text"].startswith(" "):  # it is in a word
        return False
    lasted = record["t"] - said.t
    return lasted >= LONGEST_SECONDS or (lasted >= LONG_SECONDS and ends_sentence(said.text))


def _length(seconds: float) -> str:
    return f"({seconds:.1f} s)"


def _how_it_ended(record: Record) -> str:
    """Empty if somebody stopped it."""
    return f"The recording ended by itself: {record['error']}" if record.get("error") else ""


_SENTENCE_ENDS = (".", "?", "!", "…")
_CLOSING = "\"')]»”’"
"""May stand behind the end of a sentence."""
_ENDS = {"input": "Microphone", "output": "Speaker"}
_WORDS: dict[str, Callable[[Record], str]] = {
    "user_said": lambda r: f"Demo user: {r['text']}",
    "mute": lambda r: "Muted" if r["muted"] else "Unmuted",
    "reset": lambda r: "Reset: Moshi has forgotten the talk so far",
    "device": lambda r: f"{_ENDS[r['side']]}: {r['name']}",
    "device_lost": lambda r: f"{_ENDS[r['side']]} lost: {r['name']}. {r['why']}",
    "input_end": lambda r: "The input is over: Moshi hears silence",
    "notice": lambda r: f"{r['title']}: {r['message']}",
    "failed": lambda r: f"{r['title']}: {r['message']}",
    "end": _how_it_ended,
}
"""In which words; none for what is not worth a line."""
