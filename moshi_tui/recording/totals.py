"""What a recording comes to, for its last line."""

from __future__ import annotations

from moshi_tui.recording.journal import Record


class Totals:
    """Adds up what goes by. Not thread-safe."""

    def __init__(self) -> None:
        self.steps = 0
        """Steps of the model."""
        self._pieces = 0
        self._words = 0
        self._in_word = False  # the newest piece did not end with a space
        self._turns = 0
        self._spoken_s = 0.0
        self._skipped_ms = {
            "user_silence_ms": 0.0,
            "user_speech_ms": 0.0,
            "moshi_silence_ms": 0.0,
            "moshi_speech_ms": 0.0,
            "moshi_speed_ms": 0.0,
        }
        self._underruns = 0
        self._underrun_ms = 0.0

    def add(self, record: Record) -> None:
        """Take in the next record."""
        match record["type"]:
            case "text":
                self._count_words(record["text"], begins=record["begins"])
            case "user_stop":
                self._turns += 1
                self._spoken_s += record["seconds"]
            case "skip":
                self._skipped_ms[f"{record['side']}_{record['kind']}_ms"] += record["ms"]
            case "underrun":
                self._underruns += 1
                self._underrun_ms += record["ms"]

    def record(self) -> Record:
        """All of it: pieces and words are Moshi's, turns and `spoken_s` the user's."""
        return {
            "pieces": self._pieces,
            "words": self._words,
            "turns": self._turns,
            "spoken_s": round(self._spoken_s, 2),
            "skips": {name: round(ms, 3) for name, ms in self._skipped_ms.items()},
            "underruns": self._underruns,
            "underrun_ms": round(self._underrun_ms, 3),
            "steps": self.steps,
        }

    def _count_words(self, text: str, *, begins: bool) -> None:
        """Pieces are parts of words; one that goes on with a word adds none."""
        self._pieces += 1
        if not text:
            return
        goes_on = self._in_word and not begins and not text[0].isspace()
        self._words += len(text.split()) - goes_on
        self._in_word = not text[-1].isspace()
