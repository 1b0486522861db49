"""Events as records of events.jsonl: the words that a recording has for what happens.

Every record has `at` (seconds by the session's clock; the recorder makes `t` of it), `frame` and
`type`:

    text         token, text as the model said it, begins: Moshi had paused before it, ahead: so
                 many seconds later the voice says it (left out while nothing has been answered)
    user_start   the user begins to speak, or speaks already when the recording begins
    user_stop    seconds: how long it was, levels: dBFS (RMS) of each 0.24 s of it; each start has
                 its stop, if only because the recording ends
    user_said    text: the line that the demo's user begins to say
    mute         muted
    reset        seed: the one in use from here on
    skip         side ("user", "moshi"), kind ("silence", "speech", "speed"), ms
    underrun     ms
    volume       db
    device       side ("input", "output"), name, rate: its own, in Hz; null for a file
    device_lost  side, name, why
    input_end
    notice       title, message, hint
    failed       title, message, hint
    lag          once a second: numbers of `Stats` (`RECORDED`), by their names there

A turn of the user becomes known later than it happened, so its two records are of the past: the
start by half a second, the stop by one. The journal puts them where they belong (journal.py), so
that the lines of the file are in order of `t`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

from moshi_tui.audio.levels import QUIETEST_DB
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.recording.journal import Record
from moshi_tui.session.events import (
    DeviceChanged,
    DeviceLost,
    Event,
    Failed,
    InputEnded,
    Muted,
    Notice,
    Skipped,
    TextPiece,
    Underrun,
    UserSaid,
    UserTurn,
    VolumeChanged,
    WasReset,
)
from moshi_tui.session.pauses import Pauses
from moshi_tui.session.stats import RECORDED, Stats
from moshi_tui.session.turns import PAUSE_FRAMES


@dataclass(frozen=True)
class Told:
    """An event, and what else was so at that moment."""

    event: Event
    seed: int
    """The one in use: two resets may follow each other before anybody describes the first."""


_JUST_BEGUN_FRAMES = 2
"""Less than the speech that makes a turn."""


_QUIETER_DB = 20.0
"""Whoever is so much quieter than in their turn does not speak any more."""


class Scribe:
    """Describes the events of one recording, in order. Belongs to the recorder's thread.

    Args:
        newest: number of the newest frame of the user, and when it ended.
        since: when the recording begins, by the session's clock; what was before is left out.
        lag_ms: `Stats.lag_ms` of now.
        delay: frames by which the model's voice comes behind its text.
    """

    def __init__(
        self,
        newest: Callable[[], tuple[int, float]],
        since: float = 0.0,
        lag_ms: Callable[[], float | None] = lambda: None,
        delay: int = 0,
    ) -> None:
        self._newest = newest
        self._since = since
        self._lag_ms = lag_ms
        self._delay = delay
        self._muted = False
        self._pauses = Pauses()
        self._saying = False  # an utterance of Moshi goes on
        self._unsure: UserTurn | None = None  # one from before, which may go on or not
        self._turn: UserTurn | None = None  # the user's that goes on, as it was told last

    def describe(self, told: Told, at: float) -> Iterator[Record]:
        """The records of an event that happened at this moment; none for what is no part of the
        talk."""
        event = told.event
        if isinstance(event, UserTurn):
            yield from self._user(event)
            return
        match event:
            case TextPiece():
                begins = not self._saying or self._pauses.over(event.frame)
                self._saying = True
                self._pauses.word(event.frame)
                what = {"type": "text", "token": event.token, "text": event.text, "begins": begins}
                what |= self._ahead(event.frame, at)
            case Skipped():
                if event.side == "user":
                    self._pauses.skip(event.frame, event.frames)
                what = {"type": "skip", "side": event.side, "kind": event.kind}
                what["ms"] = round(event.ms, 3)
            case WasReset():
                self._saying = False
                what = {"type": "reset", "seed": told.seed}
            case UserSaid():
                what = {"type": "user_said", "text": event.text}
            case Muted():
                if event.muted == self._muted:  # a recording that begins muted has said so
                    return
                self._muted = event.muted
                what = {"type": "mute", "muted": event.muted}
            case Underrun():
                what = {"type": "underrun", "ms": round(event.ms, 3)}
            case VolumeChanged():
                what = {"type": "volume", "db": event.db}
            case DeviceChanged():
                what = {"type": "device", "side": event.side, "name": event.name}
                what["rate"] = event.rate
            case DeviceLost():
                what = {"type": "device_lost", "side": event.side, "name": event.name}
                what["why"] = event.why
            case InputEnded():
                what = {"type": "input_end"}
            case Notice():
                what = {"type": "notice", "title": event.title, "message": event.message}
                what["hint"] = event.hint
            case Failed(error):
                what = {"type": "failed", "title": error.title, "message": error.message}
                what["hint"] = error.hint
            case _:
                return
        frame = getattr(event, "frame", None)
        yield {"at": at, "frame": self._newest()[0] if frame is None else frame, **what}

    def close(self) -> Iterator[Record]:
        """The recording ends: the record of a turn that goes on, as long as it is by now."""
        turn = self._turn
        if turn is None and self._unsure is not None and _loud_to_its_end(self._unsure):
            turn = self._unsure
        if turn is not None:
            yield from self._user(replace(turn, over=True))

    def _user(self, event: UserTurn) -> Iterator[Record]:
        start, end = event.frame, event.frame + event.frames
        began, ended = self._when(start), self._when(end)
        # Frames of a turn that were over when the recording began.
        before = max(0, math.ceil((self._since - began) / FRAME_SECONDS))
        # While it goes on, the silence that may end it counts as a part of it. (If it has only just
        # begun, there is some of its speech in the recording: else it would be no turn.)
        sure = event.over or before <= _JUST_BEGUN_FRAMES
        if event.frames - before <= (0 if sure else PAUSE_FRAMES):
            self._unsure = None if event.over else event
            return
        self._unsure = None
        if self._turn is None or self._turn.frame != start:
            at = max(began, self._since)
            yield {"at": at, "frame": start + before, "type": "user_start"}
        self._turn = None if event.over else event
        if event.over:
            levels = event.levels[before // UserTurn.BLOCK_FRAMES :]
            yield {
                "at": ended,
                "frame": end,
                "type": "user_stop",
                "seconds": round((event.frames - before) * FRAME_SECONDS, 2),
                "levels": [_loudness(level) for level in levels],
            }

    def _ahead(self, frame: int, at: float) -> Record:
        """In how many seconds the voice says what became text with this frame: it is in the answer
        to a later one, and that is heard as late as answers are by now."""
        lag_ms = self._lag_ms()
        if lag_ms is None:
            return {}
        heard_at = self._when(frame + self._delay + 1) + lag_ms / 1000
        return {"ahead": round(max(0.0, heard_at - at), 3)}

    def _when(self, frame: int) -> float:
        """When a frame began at the microphone: frames are counted there, so it can be told from
        any other one."""
        newest, ended_at = self._newest()
        return ended_at - (newest + 1 - frame) * FRAME_SECONDS


def lag(stats: Stats) -> Record:
    """The numbers of now. Times are rounded to 0.1 ms, to keep the lines short."""
    return {
        "type": "lag",
        **{name: _rounded(getattr(stats, name)) for name in RECORDED},
        "playout_speed": round(stats.playout_speed, 3),
        "skips": {name: _rounded(ms) for name, ms in asdict(stats.skips).items()},
        "health": stats.health,
    }


def _rounded(number: float | None) -> float | None:
    return round(number, 1) if isinstance(number, float) else number


def _loud_to_its_end(turn: UserTurn) -> bool:
    """Whether they still speak, as far as loudness tells."""
    return turn.levels[-1] > max(turn.levels) - _QUIETER_DB


def _loudness(level_db: float) -> float:
    """A number, also of a microphone that delivers none."""
    return round(level_db, 1) if math.isfinite(level_db) else QUIETEST_DB
