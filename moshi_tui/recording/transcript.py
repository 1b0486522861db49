"""transcript.txt: the talk to read, made of the records of events.jsonl."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moshi_tui.clean import clean
from moshi_tui.recording.journal import Record, read_journal


class Transcript:
    """Takes records one by one, gives lines. Not thread-safe.

    An utterance of Moshi is the text from a piece that `begins` one to the next of that kind.
    Everything stands where it began, by the time of audio.wav.
    """

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._open: _Entry | None = None

    def add(self, record: Record) -> None:
        """Take in the next record."""
        if record["type"] == "text":
            self._add_piece(record)
        elif words := _WORDS.get(record["type"]):
            speaker, tell = words
            # Of the user's turn only the end tells how long it was.
            began = record["t"] - record.get("seconds", 0.0)
            self._entries.append(_Entry(max(0.0, began), speaker, [tell(record)]))

    def text(self) -> str:
        """The whole, one line an entry, cleaned of what could steer a terminal."""
        entries = sorted(self._entries, key=lambda entry: entry.t)
        return "".join(line for entry in entries if (line := entry.line()))

    def _add_piece(self, record: Record) -> None:
        if self._open is None or record["begins"]:
            self._open = _Entry(record["t"], "Moshi", [])
            self._entries.append(self._open)
        self._open.pieces.append(record["text"])


def transcript_from(events: Path) -> str:
    """The transcript of a recording, from its events.jsonl. Raises OSError and ValueError."""
    transcript = Transcript()
    for record in read_journal(events):
        transcript.add(record)
    return transcript.text()


class _Entry:
    def __init__(self, t: float, speaker: str, pieces: list[str]) -> None:
        self.pieces = pieces
        self.t = t
        self._speaker = speaker

    def line(self) -> str:
        """Empty if nothing was said but spaces."""
        text = clean("".join(self.pieces)).strip()
        minutes, seconds = divmod(int(self.t), 60)
        return f"{minutes:02}:{seconds:02} {self._speaker:<5}  {text}\n" if text else ""


_ENDS = {"input": "Microphone", "output": "Speaker"}
_WORDS: dict[str, tuple[str, Callable[[Record], str]]] = {
    "user_stop": ("You", lambda r: f"({r['seconds']:.1f} s)"),
    "mute": ("-", lambda r: "Muted" if r["muted"] else "Unmuted"),
    "reset": ("-", lambda r: "Reset: Moshi has forgotten the talk so far"),
    "device": ("-", lambda r: f"{_ENDS[r['side']]}: {r['name']}"),
    "device_lost": ("-", lambda r: f"{_ENDS[r['side']]} lost: {r['name']}. {r['why']}"),
    "failed": ("-", lambda r: f"{r['title']}: {r['message']}"),
}
"""Who, and in which words."""
