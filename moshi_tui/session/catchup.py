"""Time made up for, in words: for the transcript and for stderr.

One stall brings dozens of `Skipped`, and a machine that is too slow brings them for ever. An
`Episode` takes those that follow one another within seconds, and is told as one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from moshi_tui.frames import FRAME_RATE, FRAME_SECONDS
from moshi_tui.session.events import Skipped, Underrun
from moshi_tui.session.stats import Skips

WORTH_TELLING_MS = 300.0
"""Less than this is hardly noticed: it is in the numbers only."""

APART_FRAMES = round(2.5 * FRAME_RATE)
"""What is further apart has nothing to do with each other."""

LONGEST_FRAMES = round(60 * FRAME_RATE)
"""An episode ends after a minute: where it never ends by itself, each minute of the talk says what
it has lost, near to where it was lost."""

LONG_UNDERRUN_MS = WORTH_TELLING_MS
"""A shorter interruption is a stutter, not worth a line."""

_SHOWN_MS = 50.0
"""What would read "0.0 s" goes unsaid."""

_FIELDS = {
    ("user", "silence"): "user_silence_ms",
    ("user", "speech"): "user_speech_ms",
    ("moshi", "silence"): "moshi_silence_ms",
    ("moshi", "speech"): "moshi_speech_ms",
    ("moshi", "speed"): "moshi_speed_ms",
}


def add(skips: Skips, event: Skipped) -> Skips:
    """The sums with one more."""
    name = _FIELDS[event.side, event.kind]
    return replace(skips, **{name: getattr(skips, name) + event.ms})


def duration(ms: float) -> str:
    """ "0.3 s", "120 s", "17 min"."""
    if ms < 99_950:
        return f"{ms / 1000:.1f} s"
    return f"{ms / 1000:.0f} s" if ms < 999_500 else f"{ms / 60_000:.0f} min"


def in_words(skips: Skips) -> str:
    """What was done to catch up; empty if it is not worth telling."""
    if skips.user_ms + skips.moshi_ms + skips.moshi_speed_ms < WORTH_TELLING_MS:
        return ""
    parts = [
        _left_out("skipped", skips.user_silence_ms, skips.user_speech_ms, "your speech"),
        _left_out("cut", skips.moshi_silence_ms, skips.moshi_speech_ms, "Moshi's speech"),
    ]
    if skips.moshi_speed_ms >= _SHOWN_MS:
        parts.append(f"played Moshi faster ({duration(skips.moshi_speed_ms)} gained)")
    *most, last = [part for part in parts if part]
    return f"{', '.join(most)} and {last} to catch up" if most else f"{last} to catch up"


def _left_out(verb: str, silence_ms: float, speech_ms: float, whose: str) -> str:
    if speech_ms < _SHOWN_MS:
        pauses = "of silence" if verb == "skipped" else "out of Moshi's pauses"
        return f"{verb} {duration(silence_ms)} {pauses}" if silence_ms >= _SHOWN_MS else ""
    if silence_ms < _SHOWN_MS:
        return f"{verb} {duration(speech_ms)} of {whose}"
    return f"{verb} {duration(silence_ms + speech_ms)} ({duration(speech_ms)} of it {whose})"


class Episode(ABC):
    """What happens again and again within seconds."""

    def __init__(self, frame: int) -> None:
        self._first = frame
        self.newest = frame
        self.entry: int | None = None
        """Which entry of a transcript tells it; kept here for whoever writes one."""

    def joins(self, frame: int) -> bool:
        """Whether what happens in this frame belongs to it. Moshi's side is some frames behind the
        user's, so frames need not come in order."""
        near = frame - self.newest <= APART_FRAMES
        return near and frame - self._first < LONGEST_FRAMES

    def reaches(self, frame: int) -> None:
        """It has gone on to this frame."""
        self.newest = max(self.newest, frame)

    @property
    @abstractmethod
    def words(self) -> str:
        """All of it in a line; empty as long as it is not worth telling."""


class CatchUp(Episode):
    """Time made up for, on both sides."""

    def __init__(self, frame: int) -> None:
        super().__init__(frame)
        self.skips = Skips()

    def take(self, event: Skipped) -> None:
        """One more."""
        self.skips = add(self.skips, event)
        self.reaches(event.frame)

    @property
    def words(self) -> str:
        """See `in_words`."""
        return in_words(self.skips)


class Interruption(Episode):
    """Moshi interrupted by silence, for longer than a stutter."""

    def __init__(self, frame: int) -> None:
        super().__init__(frame)
        self.times = 0
        self.ms = 0.0

    def take(self, event: Underrun) -> None:
        """One more."""
        if event.ms >= LONG_UNDERRUN_MS:
            self.times += 1
            self.ms += event.ms
        self.reaches(event.frame)

    @property
    def words(self) -> str:
        """How often and for how long."""
        if not self.times:
            return ""
        times = f"{self.times} times, " if self.times > 1 else ""
        in_all = " in all" if self.times > 1 else ""
        return f"Moshi was interrupted {times}for {duration(self.ms)}{in_all} (the model was late)"


def earliest(event: Underrun) -> int:
    """The first frame that would have filled the gap. On a machine that takes seconds for a frame,
    those that come too late are numbered that far apart, with nothing between them."""
    return event.frame - round(event.ms / 1000 / FRAME_SECONDS)
