"""The trace: hands the timing of every stage to a file for a timeline viewer, if `--trace` asks.

What is in the file, and what it means, says trace_rows.py. The stages only hand over their numbers
(some 20 µs a frame); everything else happens on the thread that writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.trace_file import TraceFile
from moshi_tui.session.events import Event, Notice, TextPiece, UserTurn
from moshi_tui.session.trace_rows import DECODE, ENCODE, Rows


class Trace:
    """Without a path every method returns at once; `told` passes the event on first.

    What is said of a stage must be said on its thread; the rest may be called on any.

    Args:
        path: the file; made by `start`.
        listener: the engine's; also gets a `Notice` if the file can't be written.
        clock: the session's.
    """

    def __init__(
        self,
        path: Path | None = None,
        listener: Callable[[Event], None] = lambda event: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._listener = listener
        self._clock = clock
        self._rows = Rows(0.0)
        self._file: TraceFile | None = None

    @property
    def on(self) -> bool:
        """Whether anything is traced: what costs time to find out needn't be told otherwise."""
        return self._file is not None

    def start(self) -> None:
        """Begin the file; this is its moment 0."""
        if self._path is not None:
            self._rows = Rows(self._clock())
            self._file = TraceFile(
                self._path, self._rows.head, failed=self._failed, dropped=self._gaps
            )

    def close(self) -> None:
        """The talk is over: complete the file. Waits 0.4 s at most; may be called twice."""
        file = self._file
        if file is not None:
            self._file = None
            file.close(partial(self._rows.end, self._clock()))

    # What the stages tell, all in seconds by the session's clock.

    def captured(self, frame: int, until: float) -> None:
        """Its last sample was at the microphone then."""
        file = self._file
        if file is not None:
            file.add(partial(self._rows.captured, frame, until))

    def encoded(self, frame: int, frames: int, start: float, until: float) -> None:
        """So many frames, of which this is the first, became codes in one call."""
        file = self._file
        if file is not None:
            file.add(partial(self._rows.coded, ENCODE, "encode", frame, frames, start, until))

    def stepped(
        self,
        frame: int,
        ready_at: float,
        start: float,
        stepped: float,
        told: float,
        until: float,
        *,
        backlog: int,
        memory: int,
    ) -> None:
        """The model has heard it, which waited since `ready_at`.

        Args:
            start: to `stepped`: the model's step.
            told: its text was told.
            until: the decoder has taken the codes.
            backlog: frames that waited then.
            memory: bytes in use.
        """
        file = self._file
        if file is not None:
            times = (ready_at, start, stepped, told, until)
            file.add(partial(self._rows.stepped, frame, *times, backlog, memory))

    def decoded(self, frame: int, frames: int, start: float, until: float) -> None:
        """So many frames, of which this is the first, became sound in one call."""
        file = self._file
        if file is not None:
            file.add(partial(self._rows.coded, DECODE, "decode", frame, frames, start, until))

    def placed(
        self,
        frame: int,
        captured_at: float,
        start: float,
        until: float,
        waiting_s: float,
        at: float,
        seconds: float,
    ) -> None:
        """Its sound was given to the speaker, where so much waits now: it is heard from `at` on,
        for so many seconds, 0 if it was only written."""
        file = self._file
        if file is not None:
            times = (captured_at, start, until, waiting_s, at, seconds)
            file.add(partial(self._rows.placed, frame, *times))

    def silenced(self, at: float) -> None:
        """From then on nothing is heard of what was to be played."""
        file = self._file
        if file is not None:
            file.add(partial(self._rows.silenced, at))

    def told(self, event: Event) -> None:
        """Something has happened: for the listener, and for the trace."""
        self._listener(event)
        file = self._file
        if file is not None and not isinstance(event, TextPiece | UserTurn):
            file.add(partial(self._rows.event, event, self._clock()))

    # On the thread that writes.

    def _failed(self, error: MoshiTuiError) -> None:
        self._listener(Notice(error.title, error.message, f"The talk goes on. {error.hint}"))

    def _gaps(self) -> None:
        self._listener(
            Notice(
                "The trace has gaps",
                f"{self._path} can't be written as fast as we talk.",
                "Write it to another disk: --trace FILE.",
            )
        )
