"""What happened in a recording, sorted by how it is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from moshi_tui.clean import Cleaner, clean
from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.journal import Record
from moshi_tui.recording.reader import Recording

Side = Literal["user", "moshi"]

_SIDES: dict[str, Side] = {"user": "user", "moshi": "moshi", "input": "user", "output": "moshi"}


@dataclass(frozen=True)
class Word:
    """A word of Moshi."""

    t: float
    """When its first letter came, in seconds of the recording, as in all that follows."""
    text: str
    """Cleaned."""
    begins: bool
    """It is the first of an utterance."""


@dataclass(frozen=True)
class Span:
    """From here to there."""

    start: float
    stop: float


@dataclass(frozen=True)
class Mark:
    """Something that happened at a moment."""

    t: float
    kind: str
    """A name in `moshi_tui.replay.marks.KINDS`."""
    side: Side
    what: str
    """In words; cleaned."""
    ms: float = 0.0
    """How long it was, of a skip or an underrun."""


@dataclass
class Story:
    """A recording without its sound; all in order of time."""

    seconds: float
    words: list[Word] = field(default_factory=list)
    turns: list[Span] = field(default_factory=list)
    """In which the user spoke."""
    mutes: list[Span] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    lags: list[tuple[float, float | None]] = field(default_factory=list)
    """Moments, and the lag then in milliseconds; None where it was not known."""
    error: str = ""
    """Why the recording ended by itself; empty if it did not."""


def read_story(recording: Recording) -> Story:
    """Raises MoshiTuiError if a record is not as it should be."""
    reader = _Reader(recording.seconds)
    for index, record in enumerate(recording.records):
        try:
            reader.add(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MoshiTuiError(
                "Cannot read the recording",
                f"{recording.folder}: event {index + 1}: {type(error).__name__}: {error}.",
                "Mend that line of events.jsonl, or take it out (the header is line 1).",
            ) from error
    return reader.close()


class _Reader:
    """Takes in records one by one."""

    def __init__(self, seconds: float) -> None:
        self._story = Story(seconds)
        self._speech = _Speech(self._story.words)
        self._turn: float | None = None  # since when the user speaks
        self._mute: float | None = None

    def add(self, record: Record) -> None:
        """A record of a type that is unknown is passed over: there may be more of them one day."""
        kind, t = record["type"], self._time(record.get("t", 0.0))
        match kind:
            case "text":
                self._speech.add(t, record["text"], begins=record["begins"])
            case "user_start":
                self._turn = t
            case "user_stop":
                began = max(0.0, t - float(record["seconds"])) if self._turn is None else self._turn
                self._story.turns.append(Span(began, t))
                self._turn = None
            case "mute":
                self._muted(t, record["muted"])
            case "lag":
                lag = record["lag_ms"]
                self._story.lags.append((t, None if lag is None else _finite(lag)))
            case "end":
                self._story.error = clean(str(record.get("error") or ""))
            case _:
                self._mark(kind, t, record)

    def close(self) -> Story:
        """What goes on at the end, ends there."""
        self._speech.close()
        if self._turn is not None:
            self._story.turns.append(Span(self._turn, self._story.seconds))
        if self._mute is not None:
            self._story.mutes.append(Span(self._mute, self._story.seconds))
        return self._story

    def _time(self, t: float) -> float:
        """A recording that was broken off may lack the sound of its last events."""
        return min(max(0.0, _finite(t)), self._story.seconds)

    def _muted(self, t: float, muted: bool) -> None:
        if muted and self._mute is None:
            self._mute = t
            self._add_mark(t, "mute", "user", "microphone muted")
        elif not muted and self._mute is not None:
            self._story.mutes.append(Span(self._mute, t))
            self._mute = None

    def _mark(self, kind: str, t: float, record: Record) -> None:
        match kind:
            case "skip":
                faster = record["kind"] == "speed"
                ms, side = _finite(record["ms"]), _SIDES[record["side"]]
                what = f"{'won by playing faster' if faster else 'left out'}: {ms:.0f} ms"
                self._add_mark(t, "faster" if faster else "skip", side, what, ms)
            case "underrun":
                ms = _finite(record["ms"])
                self._add_mark(t, kind, "moshi", f"nothing to play for {ms:.0f} ms", ms)
            case "device":
                self._add_mark(t, kind, _SIDES[record["side"]], f"now: {record['name']}")
            case "device_lost":
                what = f"lost: {record['name']}. {record['why']}"
                self._add_mark(t, kind, _SIDES[record["side"]], what)
            case "reset":
                self._speech.close()
                self._add_mark(t, kind, "moshi", "Moshi has forgotten the talk so far")
            case "failed":
                self._add_mark(t, kind, "moshi", f"{record['title']}: {record['message']}")

    def _add_mark(self, t: float, kind: str, side: Side, what: str, ms: float = 0.0) -> None:
        self._story.marks.append(Mark(t, kind, side, clean(what), ms))


class _Speech:
    """Makes words of pieces, some of which are parts of a word.

    Args:
        words: takes them.
    """

    def __init__(self, words: list[Word]) -> None:
        self._words = words
        self._cleaner = Cleaner()
        self._begins = True
        self._t = 0.0
        self._text = ""

    def add(self, t: float, piece: str, *, begins: bool) -> None:
        """A word ends at a space, at a pause, and where signs follow that need no spaces."""
        if begins:
            self.close()
        for index, part in enumerate(self._cleaner.feed(piece).split(" ")):
            if index or part >= "\u2e80":
                self._end()
            if not self._text:
                self._t = t
            self._text += part

    def close(self) -> None:
        """What follows is another utterance."""
        self._end()
        self._begins = True
        self._cleaner = Cleaner()

    def _end(self) -> None:
        if text := self._text.strip():
            self._words.append(Word(self._t, text, self._begins))
            self._begins = False
        self._text = ""


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number to draw")
    return float(value)
