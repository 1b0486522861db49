"""What happened in a recording, sorted by how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from moshi_tui.clean import Cleaner, clean
from moshi_tui.recording.journal import Record
from moshi_tui.recording.reader import Recording
from moshi_tui.replay.fields import (
    SIDES,
    checked,
    flag,
    number,
    number_or_none,
    one_of,
    text,
    words,
)

Side = Literal["user", "moshi"]

_VOICES: tuple[Side, Side] = ("user", "moshi")
_OF_DEVICE: dict[str, Side] = dict(zip(SIDES, _VOICES, strict=True))


@dataclass(frozen=True)
class Word:
    """A word of Moshi."""

    t: float
    """When the voice begins to say it, in seconds of the recording, as in all that follows."""
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
    checked(recording.records, recording.folder, reader.add)
    return reader.close()


class _Reader:
    """Takes in records one by one."""

    def __init__(self, seconds: float) -> None:
        self._story = Story(seconds)
        self._speech = _Speech(self._story.words)
        self._voice = 0.0  # when the newest piece of text is heard
        self._turn: float | None = None  # since when the user speaks
        self._mute: float | None = None

    def add(self, record: Record) -> None:
        """A record of a type that is unknown is passed over: there may be more of them one day."""
        kind, t = text(record, "type"), self._time(number(record, "t"))
        match kind:
            case "text":
                ahead = number(record, "ahead") if "ahead" in record else 0.0
                self._voice = max(self._voice, self._time(t + ahead))
                self._speech.add(self._voice, text(record, "text"), begins=flag(record, "begins"))
            case "user_start":
                self._end_turn(t)
                self._turn = t
            case "user_stop":
                if self._turn is None:
                    self._turn = max(0.0, t - number(record, "seconds"))
                self._end_turn(t)
            case "mute":
                self._muted(t, flag(record, "muted"))
            case "lag":
                self._story.lags.append((t, number_or_none(record, "lag_ms")))
            case "end":
                self._story.error = clean(str(record.get("error") or ""))
            case _:
                self._mark(kind, t, record)

    def close(self) -> Story:
        """What goes on at the end, ends there."""
        self._speech.close()
        self._end_turn(self._story.seconds)
        if self._mute is not None:
            self._story.mutes.append(Span(self._mute, self._story.seconds))
        return self._story

    def _time(self, t: float) -> float:
        """A recording that was broken off may lack the sound of its last events."""
        return min(max(0.0, t), self._story.seconds)

    def _end_turn(self, t: float) -> None:
        """The one that goes on, if one does."""
        if self._turn is not None:
            self._story.turns.append(Span(self._turn, t))
            self._turn = None

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
                faster = text(record, "kind") == "speed"
                ms, side = number(record, "ms"), one_of(record, "side", _VOICES)
                what = f"{'won by playing faster' if faster else 'left out'}: {ms:.0f} ms"
                self._add_mark(t, "faster" if faster else "skip", side, what, ms)
            case "underrun":
                ms = number(record, "ms")
                self._add_mark(t, kind, "moshi", f"nothing to play for {ms:.0f} ms", ms)
            case "device":
                self._add_mark(t, kind, _device(record), f"now: {words(record, 'name')}")
            case "device_lost":
                what = f"lost: {words(record, 'name')}. {words(record, 'why')}"
                self._add_mark(t, kind, _device(record), what)
            case "reset":
                self._speech.close()
                self._add_mark(t, kind, "moshi", "Moshi has forgotten the talk so far")
            case "failed":
                what = f"{words(record, 'title')}: {words(record, 'message')}"
                self._add_mark(t, kind, "moshi", what)

    def _add_mark(self, t: float, kind: str, side: Side, what: str, ms: float = 0.0) -> None:
        self._story.marks.append(Mark(t, kind, side, what, ms))


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


def _device(record: Record) -> Side:
    """Whose it is."""
    return _OF_DEVICE[one_of(record, "side", SIDES)]
