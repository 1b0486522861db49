"""The events of a recording, told again: the records of events.jsonl as what the talk told its
listener.

Frames are counted from the beginning of the recording and follow `t`, so that the times of the
conversation are times of audio.wav.
"""

from __future__ import annotations

import logging
import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from moshi_tui.frames import FRAME_RATE, FRAME_SECONDS
from moshi_tui.recording.journal import Record
from moshi_tui.replay.fields import (
    SIDES,
    checked,
    flag,
    number,
    numbers,
    one_of,
    text,
    whole,
    words,
)
from moshi_tui.session.events import (
    DeviceChanged,
    DeviceLost,
    Event,
    InputEnded,
    Muted,
    Notice,
    SkipKind,
    Skipped,
    TextPiece,
    Underrun,
    UserSaid,
    UserTurn,
    VolumeChanged,
    WasReset,
)
from moshi_tui.session.pauses import Pauses
from moshi_tui.session.turns import LONGEST_FRAMES

SILENT = frozenset({"lag", "end"})
"""Records that are no event of the talk."""
BLOCK_SECONDS = UserTurn.BLOCK_FRAMES * FRAME_SECONDS

_VOICES: tuple[Literal["user", "moshi"], Literal["user", "moshi"]] = ("user", "moshi")
_KINDS: tuple[SkipKind, ...] = ("silence", "speech", "speed")

log = logging.getLogger(__name__)


class Reciter:
    """Knows what was told up to which moment. It does not change, so any thread may ask.

    Args:
        records: of the whole recording, without its header.
        length_s: of its sound; what is later counts as being at its end.
        levels: how loud the user was from one moment to another, in dBFS, one for each
            `BLOCK_SECONDS`. Asked for a turn without an end: the recording was broken off.
        folder: of the recording, for error messages.

    The constructor raises MoshiTuiError if a record is not as it should be.
    """

    def __init__(
        self,
        records: Sequence[Record],
        length_s: float,
        levels: Callable[[float, float], Sequence[float]],
        folder: Path,
    ) -> None:
        self._length_s = length_s
        self._levels = levels
        self._cues: list[_Cue] = []
        self._utterances = _Utterances()
        self._start: float | None = None  # of the user's turn that goes on
        self._unknown: set[str] = set()
        checked(records, folder, self._add)
        self._break_off(length_s)
        self._cues.sort(key=lambda cue: cue.t)
        self._times = [cue.t for cue in self._cues]

    def count(self, position_s: float) -> int:
        """How many events there are up to this moment."""
        return bisect_right(self._times, position_s)

    def events(self, first: int, last: int) -> list[Event]:
        """Those with the numbers `first` to `last` - 1, as they were told."""
        return [cue.told() for cue in self._cues[first:last]]

    def all_until(self, position_s: float) -> list[Event]:
        """All up to this moment. Of a turn of the user there are only the first that was told and
        the newest: it has all that those between them had."""
        cues = self._cues[: self.count(position_s)]
        return [cue.told() for cue in cues if cue.needed(position_s)]

    # Taking in the records, by `t`.

    def _add(self, record: Record) -> None:
        kind = text(record, "type")
        if kind in SILENT:
            return
        t = min(max(0.0, float(record["t"])), self._length_s)
        if kind == "user_start":
            self._break_off(t)
            self._start = t
        elif kind == "user_stop":
            self._stop(record, t)
        elif kind == "text":
            frame = self._utterances.word(_frame(t), flag(record, "begins"))
            piece = TextPiece(frame, whole(record, "token"), text(record, "text"))
            self._cues.append(_Cue(t, piece))
        elif tell := _TELL.get(kind):
            event = tell(_frame(t), record)
            self._utterances.event(event)
            self._cues.append(_Cue(t, event))
        elif kind not in self._unknown:
            self._unknown.add(kind)
            log.info("events of the type %r are left out", kind)

    def _stop(self, record: Record, t: float) -> None:
        seconds, levels = number(record, "seconds"), numbers(record, "levels")
        start = max(0.0, t - seconds) if self._start is None else self._start
        turn = UserTurn(_frame(start), max(0, round(seconds * FRAME_RATE)), levels, over=True)
        self._start = None
        self._grow(turn, start, t)
        self._cues.append(_Cue(t, turn))

    def _break_off(self, end: float) -> None:
        """The turn that goes on, if one does: nobody has noted its end, so this is it."""
        start, self._start = self._start, None
        if start is None:
            return
        end = min(end, start + LONGEST_FRAMES * FRAME_SECONDS)
        levels = tuple(self._levels(start, end))
        turn = UserTurn(_frame(start), round((end - start) * FRAME_RATE), levels, over=False)
        self._grow(turn, start, end)
        self._cues.append(_Cue(end, turn))

    def _grow(self, turn: UserTurn, start: float, end: float) -> None:
        """What is told of a turn before its end."""
        step = UserTurn.BLOCK_FRAMES
        most = min(turn.frames - 1, math.ceil((end - start) * FRAME_RATE) - 1)
        last = most // step
        for blocks in range(1, last + 1):
            t = start + blocks * BLOCK_SECONDS
            until = end if blocks == last else t + BLOCK_SECONDS
            self._cues.append(_Cue(t, turn, blocks, until))


class _Cue(NamedTuple):
    """What is told at a moment."""

    t: float
    event: Event
    """Of a turn that goes on: the turn as it was when it was over."""
    blocks: int = 0
    """So many blocks of it are told; 0: it is told as it is."""
    until: float = math.inf
    """When more is told of the same turn."""

    def told(self) -> Event:
        if not self.blocks:
            return self.event
        assert isinstance(self.event, UserTurn)
        levels, frames = self.event.levels[: self.blocks], self.blocks * UserTurn.BLOCK_FRAMES
        return replace(self.event, frames=frames, levels=levels, over=False)

    def needed(self, position_s: float) -> bool:
        """Whether it counts for who hears of it only then. The first of a turn does: it tells what
        the turn comes before."""
        return self.until > position_s or self.blocks == 1


class _Utterances:
    """Numbers the frames of Moshi's words so that who listens finds the utterances that were
    recorded.

    The pauses between them were measured in frames of the model; by the clock, words that it said
    late or fast may be somewhat nearer to each other or farther apart (see `Pauses`).
    """

    def __init__(self) -> None:
        self._pauses = Pauses()
        self._saying = False

    def word(self, frame: int, begins: bool) -> int:
        """The frame of a word that was said in about this frame."""
        if self._saying:
            while begins and not self._pauses.over(frame):
                frame += 1
            while not begins and self._pauses.over(frame):
                frame -= 1
        self._saying = True
        self._pauses.word(frame)
        return frame

    def event(self, event: Event) -> None:
        """What else makes a pause, or none."""
        if isinstance(event, Skipped) and event.side == "user":
            self._pauses.skip(event.frame, event.frames)
        elif isinstance(event, WasReset):
            self._saying = False


def _frame(t: float) -> int:
    return round(t * FRAME_RATE)


def _notice(frame: int, record: Record) -> Notice:
    title, message, hint = (words(record, name) for name in ("title", "message", "hint"))
    return Notice(title, message, hint, frame=frame)


def _skipped(frame: int, record: Record) -> Skipped:
    side: Literal["user", "moshi"] = one_of(record, "side", _VOICES)
    return Skipped(frame, side, one_of(record, "kind", _KINDS), number(record, "ms"))


def _lost(frame: int, record: Record) -> DeviceLost:
    side = one_of(record, "side", SIDES)
    return DeviceLost(frame, side, words(record, "name"), words(record, "why"))


_TELL: dict[str, Callable[[int, Record], Event]] = {
    "user_said": lambda frame, record: UserSaid(frame, words(record, "text")),
    "mute": lambda frame, record: Muted(frame, flag(record, "muted")),
    "volume": lambda frame, record: VolumeChanged(frame, number(record, "db")),
    "reset": lambda frame, record: WasReset(frame),
    "skip": _skipped,
    "underrun": lambda frame, record: Underrun(frame, number(record, "ms")),
    "device": lambda frame, record: DeviceChanged(
        frame, one_of(record, "side", SIDES), words(record, "name")
    ),
    "device_lost": _lost,
    "input_end": lambda frame, record: InputEnded(frame),
    "notice": _notice,
    "failed": _notice,  # that of the talk: the recording can be played on
}
"""How a record becomes an event; text and the user's turns are told in more than one."""
