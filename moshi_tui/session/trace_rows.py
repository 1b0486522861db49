"""What a trace shows: the stages' times as events of the Trace Event Format.

The file has five rows, which are the way of a frame:

    capture    from when to when the microphone heard it; mute, device changes
    encode     the codec makes codes, of several frames at once if more than one waits; skips
    inference  loading; then step (the model), text, and hand on: the decoder was behind
    decode     decode (the codec), and place: made to fit and given to the speaker
    playout    from when to when it is heard; interruptions, skips

Beside them each frame has a span "lag", from the microphone to the ear, and in it what of that it
waited for the model and at the speaker; and there are counters. There is timing in it, and nothing
of what was said.

A file that is answered (`run`) is neither captured nor played: its frames go from read to written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from moshi_tui import __version__
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.recording.trace_file import Record
from moshi_tui.session.events import (
    DeviceChanged,
    DeviceLost,
    Event,
    Failed,
    Finished,
    InputEnded,
    Loading,
    Muted,
    Notice,
    Ready,
    RecordingStarted,
    RecordingStopped,
    Skipped,
    Underrun,
    VolumeChanged,
    WasReset,
)

CAPTURE, ENCODE, INFERENCE, DECODE, PLAYOUT = range(1, 6)
ROWS = {
    CAPTURE: "capture",
    ENCODE: "encode",
    INFERENCE: "inference",
    DECODE: "decode",
    PLAYOUT: "playout",
}
_SIDES = {"input": CAPTURE, "output": PLAYOUT}

HELD_UP_SECONDS = 0.001
"""A shorter wait for the decoder is none."""


@dataclass(frozen=True)
class SteppedFrame:
    """The model has heard a frame. All moments in seconds by the clock of the talk."""

    frame: int
    ready_at: float
    """Since then it waited for the model."""
    start: float
    """To `stepped`: the model's step."""
    stepped: float
    told: float
    """Its text was told."""
    until: float
    """The decoder has taken the codes."""
    backlog: int
    """Frames that waited then."""
    memory: int
    """Bytes in use."""


@dataclass(frozen=True)
class PlacedFrame:
    """The sound of a frame was given to the speaker."""

    frame: int
    captured_at: float
    start: float
    """To `until`: it was made to fit and given."""
    until: float
    waiting_s: float
    """So much waits at the speaker by then."""
    at: float
    """It is heard from then on..."""
    seconds: float
    """...for so long; 0 if it was only written."""


@dataclass
class _Sound:
    """A frame of Moshi that is on its way to the ear."""

    frame: int
    captured_at: float
    written_at: float
    at: float
    until: float


class Rows:
    """Makes the events. Belongs to the thread that writes them. All moments in seconds by the
    clock of the talk, in its order on each row.

    Args:
        origin: moment 0 of the trace.
    """

    def __init__(self, origin: float) -> None:
        self._origin = origin
        self._stage: tuple[str, float] | None = None  # of loading, and since when
        self._captured_until = 0.0
        self._heard_until = 0.0
        self._memory_mb: float | None = None
        self._sounds: deque[_Sound] = deque()

    def head(self) -> Iterator[Record]:
        """What the process and its rows are called, and their order."""
        yield {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "moshi-tui"}}
        for row, name in ROWS.items():
            common = {"ph": "M", "pid": 1, "tid": row}
            yield {**common, "name": "thread_name", "args": {"name": name}}
            yield {**common, "name": "thread_sort_index", "args": {"sort_index": row}}

    def end(self, at: float, dropped: int) -> Iterator[Record]:
        """The talk is over; so many events did not come through."""
        yield from self._loaded(at)
        self.silenced(at)
        yield from self._heard(at)
        yield self._instant(INFERENCE, "end of the trace", at, {"dropped": dropped})

    # The stages, see `Trace`.

    def captured(self, frame: int, until: float) -> Iterator[Record]:
        """On the row capture."""
        # Such moments are estimates: spans of one row must not overlap.
        start = max(self._captured_until, until - FRAME_SECONDS)
        if start < until:
            self._captured_until = until
            yield self._span(CAPTURE, "captured", start, until, frame)

    def coded(
        self, row: int, name: str, frame: int, frames: int, start: float, until: float
    ) -> Iterator[Record]:
        """On the row of a codec."""
        yield self._span(row, name, start, until, frame, frames=frames)

    def stepped(self, stepped: SteppedFrame) -> Iterator[Record]:
        """On the row inference."""
        frame, start, told = stepped.frame, stepped.start, stepped.told
        yield from self._way(frame, "waits for the model", stepped.ready_at, start)
        yield self._span(INFERENCE, "step", start, stepped.stepped, frame)
        yield self._span(INFERENCE, "text", stepped.stepped, told, frame)
        if stepped.until - told >= HELD_UP_SECONDS:
            yield self._span(INFERENCE, "hand on", told, stepped.until, frame)
        yield self._counter("backlog", start, "frames", stepped.backlog)
        memory_mb = round(stepped.memory / 1e6, 1)
        if memory_mb != self._memory_mb:
            self._memory_mb = memory_mb
            yield self._counter("memory", stepped.stepped, "MB", memory_mb)

    def placed(self, placed: PlacedFrame) -> Iterator[Record]:
        """On the row decode, and later on playout."""
        frame, captured_at, until = placed.frame, placed.captured_at, placed.until
        yield from self._heard(until)
        at = placed.at if placed.seconds else until
        self._sounds.append(_Sound(frame, captured_at, until, at, at + placed.seconds))
        yield self._span(DECODE, "place", placed.start, until, frame)
        yield self._counter("speaker", until, "ms", round(placed.waiting_s * 1000, 1))
        yield self._counter("lag", until, "ms", round((at - captured_at) * 1000, 1))

    def silenced(self, at: float) -> tuple[Record, ...]:
        """On playout. (No event tells it.)"""
        while self._sounds and self._sounds[-1].at >= at:
            self._sounds.pop()
        for sound in self._sounds:
            sound.until = min(sound.until, at)
        return ()

    def _heard(self, now: float) -> Iterator[Record]:
        """What is over, and so can't be silenced any more."""
        while self._sounds and self._sounds[0].until <= now:
            sound = self._sounds.popleft()
            begin, end = self._way(sound.frame, "lag", sound.captured_at, sound.at)
            yield begin
            if sound.at > sound.written_at:
                yield from self._way(
                    sound.frame, "waits at the speaker", sound.written_at, sound.at
                )
            yield end
            start = max(self._heard_until, sound.at)
            if start < sound.until:
                self._heard_until = sound.until
                yield self._span(PLAYOUT, "played", start, sound.until, sound.frame)

    # What the talk tells.

    def event(self, event: Event, at: float) -> Iterator[Record]:
        """Something has happened: an instant on the row that it belongs to."""
        row: int = INFERENCE
        more: Record = {}
        match event:
            case Loading():
                yield from self._loading(event, at)
                return
            case Ready():
                yield from self._loaded(at)
                name, more = "ready", asdict(event.info) | {"version": __version__}
            case Skipped():
                row, name = ENCODE if event.side == "user" else PLAYOUT, "skip"
                more = {"side": event.side, "kind": event.kind, "ms": round(event.ms, 1)}
            case Underrun():
                row, name, more = PLAYOUT, "underrun", {"ms": round(event.ms, 1)}
            case Muted():
                row, name = CAPTURE, "mute" if event.muted else "unmute"
            case VolumeChanged():
                row, name, more = PLAYOUT, "volume", {"db": event.db}
            case DeviceChanged():
                row, name, more = _SIDES[event.side], "device", {"device": event.name}
            case DeviceLost():
                row, name = _SIDES[event.side], "device lost"
                more = {"device": event.name, "why": event.why}
            case InputEnded():
                row, name = CAPTURE, "input ends"
            case WasReset():
                name = "reset"
            case RecordingStarted():
                name = "recording starts"
            case RecordingStopped():
                name = "recording stops"
            case Notice():
                name, more = "notice", {"title": event.title, "message": event.message}
            case Failed(error):
                name, more = "failed", {"title": error.title, "message": error.message}
            case Finished():
                name = "finished"
            case _:
                return
        frame = getattr(event, "frame", None)
        yield self._instant(row, name, at, more if frame is None else {"frame": frame, **more})

    def _loading(self, event: Loading, at: float) -> Iterator[Record]:
        if self._stage is None or self._stage[0] != event.stage:
            yield from self._loaded(at)
            self._stage = (event.stage, at)

    def _loaded(self, at: float) -> Iterator[Record]:
        """A stage of loading has ended, if there is one."""
        if self._stage is not None:
            name, since = self._stage
            self._stage = None
            yield self._span(INFERENCE, f"load: {name}", since, at)

    # In the words of the format.

    def _us(self, at: float) -> int:
        return max(0, round((at - self._origin) * 1e6))

    def _event(self, phase: str, row: int, name: str, at: float) -> Record:
        return {"ph": phase, "pid": 1, "tid": row, "ts": self._us(at), "name": name}

    def _span(
        self,
        row: int,
        name: str,
        start: float,
        until: float,
        frame: int | None = None,
        **more: int,
    ) -> Record:
        event = self._event("X", row, name, start)
        event["dur"] = max(0, self._us(until) - event["ts"])
        if frame is not None:
            event["args"] = {"frame": frame, **more}
        return event

    def _way(self, frame: int, name: str, start: float, until: float) -> tuple[Record, Record]:
        """A part of the frame's way, which overlaps with that of others."""
        begin, end = self._event("b", PLAYOUT, name, start), self._event("e", PLAYOUT, name, until)
        for event in (begin, end):
            event |= {"cat": "frame", "id": f"frame {frame}"}
        return begin | {"args": {"frame": frame}}, end

    def _counter(self, name: str, at: float, unit: str, value: float) -> Record:
        return self._event("C", INFERENCE, name, at) | {"args": {unit: value}}

    def _instant(self, row: int, name: str, at: float, more: Record) -> Record:
        event = self._event("i", row, name, at) | {"s": "t"}
        return event | {"args": more} if more else event
