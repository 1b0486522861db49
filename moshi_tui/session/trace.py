"""The trace: hands the timing of every stage to a file for a timeline viewer, if `--trace` asks.

What is in the file, and what it means, says trace_rows.py. The stages only hand over their numbers
(some 20 µs a frame); everything else happens on the thread that writes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from moshi_tui.config import Settings
from moshi_tui.errors import MoshiTuiError, UsageError
from moshi_tui.recording.trace_file import Record, TraceFile
from moshi_tui.session.events import Event, Notice, TextPiece, UserTurn
from moshi_tui.session.trace_rows import DECODE, ENCODE, PlacedFrame, Rows, SteppedFrame


def check_trace(settings: Settings, others: Iterable[Path | None] = ()) -> None:
    """Refuse a trace that can't be written, as far as that can be known before anything is loaded.
    Nothing is made.

    Args:
        others: files that the talk reads or writes, beside those of the settings.

    Raises MoshiTuiError.
    """
    path = settings.recording.trace
    if path is None:
        return
    if path.suffix.lower() != ".json":
        raise UsageError("Not a JSON file", f"--trace {path}", "Name it like trace.json.")
    real = _real(path)
    if any(
        other is not None and _real(other) == real
        for other in (settings.audio.input_file, settings.audio.output_file, *others)
    ):
        raise UsageError("Two files in one", f"{path}", "Name another file for --trace.")
    if real.exists() and not real.is_file():
        what = "is a folder" if real.is_dir() else "is no regular file"
        raise _unwritable(path, what)
    if not real.parent.is_dir():
        raise _unwritable(path, "is in a folder that does not exist")
    if not os.access(real.parent, os.W_OK | os.X_OK):
        raise _unwritable(path, "is in a folder that you may not write to")


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
        self._add(self._rows.captured, frame, until)

    def encoded(self, frame: int, frames: int, start: float, until: float) -> None:
        """So many frames, of which this is the first, became codes in one call."""
        self._add(self._rows.coded, ENCODE, "encode", frame, frames, start, until)

    def stepped(self, stepped: SteppedFrame) -> None:
        """The model has heard a frame."""
        self._add(self._rows.stepped, stepped)

    def decoded(self, frame: int, frames: int, start: float, until: float) -> None:
        """So many frames, of which this is the first, became sound in one call."""
        self._add(self._rows.coded, DECODE, "decode", frame, frames, start, until)

    def placed(self, placed: PlacedFrame) -> None:
        """The sound of a frame was given to the speaker."""
        self._add(self._rows.placed, placed)

    def silenced(self, at: float) -> None:
        """From then on nothing is heard of what was to be played."""
        self._add(self._rows.silenced, at)

    def told(self, event: Event) -> None:
        """Something has happened: for the listener, and for the trace."""
        self._listener(event)
        if self.on and not isinstance(event, TextPiece | UserTurn):
            self._add(self._rows.event, event, self._clock())

    def _add(self, make: Callable[..., Iterable[Record]], *said: object) -> None:
        """Let the thread that writes make events of what was said."""
        file = self._file
        if file is not None:
            file.add(partial(make, *said))

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


def _real(path: Path) -> Path:
    """Where a link leads to."""
    return Path(os.path.realpath(path))


def _unwritable(path: Path, why: str) -> MoshiTuiError:
    return MoshiTuiError(
        "Cannot write the trace", f"{path} {why}.", "Name another file with --trace FILE."
    )
