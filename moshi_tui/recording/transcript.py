"""transcript.txt: the talk to read, made of the records of events.jsonl."""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Callable
from pathlib import Path

from moshi_tui.clean import clean
from moshi_tui.recording.journal import WINDOW_SECONDS, Record, read_journal
from moshi_tui.recording.lines import LinesFile


class Transcript:
    """Takes records one by one, gives lines. Not thread-safe.

    An utterance of Moshi is the text from a piece that `begins` one to the next of that kind, a
    turn of the user goes from its start to its stop. Everything stands where it began, by the time
    of audio.wav.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._entries: list[_Entry] = []  # which may still change, by their beginning
        self._said: _Entry | None = None  # Moshi's utterance that goes on
        self._turn: _Entry | None = None  # the user's

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
        elif tell := _WORDS.get(kind):
            self._begin(_Entry(record["t"], "-", tell(record)))

    def take(self) -> str:
        """The lines that will not change any more and were not taken yet."""
        lines = []
        while (
            self._entries
            and self._entries[0].over
            and self._entries[0].t < self._now - WINDOW_SECONDS
        ):
            lines.append(self._entries.pop(0).line(self._now))
        return "".join(lines)

    def rest(self) -> str:
        """The lines after those, as they look now."""
        return "".join(entry.line(self._now) for entry in self._entries)

    def _begin(self, entry: _Entry) -> _Entry:
        insort_right(self._entries, entry, key=lambda each: each.t)
        return entry

    def _add_piece(self, record: Record) -> None:
        if self._said is None or record["begins"]:
            if self._said is not None:
                self._said.over = True
            self._said = self._begin(_Entry(record["t"], "Moshi", over=False))
        self._said.text += record["text"]

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
    transcript = Transcript()
    for record in read_journal(events):
        transcript.add(record)
    return transcript.take() + transcript.rest()


class _Entry:
    def __init__(self, t: float, speaker: str, text: str = "", *, over: bool = True) -> None:
        self.t = t
        self.text = text
        self.over = over
        """Nothing will be added."""
        self._speaker = speaker

    def line(self, now: float) -> str:
        """Empty if nothing was said but spaces. A turn that goes on lasts until `now`."""
        turn = self._speaker == "You" and not self.over
        text = _length(now - self.t) if turn else clean(self.text).strip()
        minutes, seconds = divmod(int(self.t), 60)
        return f"{minutes:02}:{seconds:02} {self._speaker:<5}  {text}\n" if text else ""


def _length(seconds: float) -> str:
    return f"({seconds:.1f} s)"


_ENDS = {"input": "Microphone", "output": "Speaker"}
_WORDS: dict[str, Callable[[Record], str]] = {
    "mute": lambda r: "Muted" if r["muted"] else "Unmuted",
    "reset": lambda r: "Reset: Moshi has forgotten the talk so far",
    "device": lambda r: f"{_ENDS[r['side']]}: {r['name']}",
    "device_lost": lambda r: f"{_ENDS[r['side']]} lost: {r['name']}. {r['why']}",
    "failed": lambda r: f"{r['title']}: {r['message']}",
}
"""In which words."""
