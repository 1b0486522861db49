"""The two ways without a screen: live sound with the transcript on stdout, and a file answered."""

from __future__ import annotations

import io
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TextIO

from moshi_tui.clean import Cleaner, clean
from moshi_tui.config import Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.recording.folder import check_recording
from moshi_tui.recording.recorder import COMPLETE_SECONDS
from moshi_tui.session.catchup import CatchUp, Interruption, duration
from moshi_tui.session.downloading import download_words
from moshi_tui.session.endpoints import FileSink, FileSource
from moshi_tui.session.ends import check_ends, live_ends
from moshi_tui.session.engine import Engine
from moshi_tui.session.events import (
    DeviceChanged,
    DeviceLost,
    Event,
    Failed,
    Finished,
    InputEnded,
    Loading,
    Notice,
    Ready,
    RecordingStarted,
    RecordingStopped,
    Skipped,
    TextPiece,
    Underrun,
    UserSaid,
)
from moshi_tui.session.pauses import Pauses
from moshi_tui.session.pocket import POCKET_MOSHI, POCKET_WORDS
from moshi_tui.session.stats import Skips, Stats
from moshi_tui.session.trace import check_trace

STOP_SECONDS = 0.5
"""What the engine gets to end in."""
AFTER_INPUT_SECONDS = 3.0
"""How long Moshi may go on after the file that stands for the microphone is over."""
LOADING_LINE_SECONDS = 5.0
"""From one line about a download to the next: stderr may be a log."""
_SIDES = {"input": "microphone", "output": "speaker"}
CATCH_UP_LINE_SECONDS = 5.0
"""What was skipped is collected for so long, then told in one line."""


def talk(settings: Settings, *, seconds: float | None = None) -> int:
    """Talk live; the transcript goes to stdout, everything else to stderr.

    Ends after `seconds`, three seconds after an input file, or on SIGINT or SIGTERM (status 0:
    that is how one ends it).

    Returns the exit status, 1 also if the talk was well but its recording was not. Raises
    MoshiTuiError. A long model step may still be under way then.
    """
    check_ends(settings)
    check_recording(settings)
    check_trace(settings)
    events: queue.Queue[Event] = queue.Queue()
    engine = Engine(settings, events.put, partial(live_ends, settings))
    recordings = _Recordings()
    with _signals() as asked:
        engine.start()
        writer = _Transcript(sys.stdout)
        try:
            _follow(events, writer, recordings, asked, seconds)
        finally:
            engine.stop(STOP_SECONDS)
            recordings.finish(writer.finish(events), events)
    _say(f"{_times(engine.stats)}, underruns {engine.stats.underruns}")
    return int(recordings.failed)


def _follow(
    events: queue.Queue[Event],
    writer: _Transcript,
    recordings: _Recordings,
    asked: threading.Event,
    seconds: float | None,
) -> None:
    """Write what happens until it is time to go."""
    end = float("inf")
    next_line = 0.0
    catch_ups = _CatchUps()
    while not asked.is_set() and time.monotonic() < end:
        for line in catch_ups.due(time.monotonic()):
            _say(line)
        try:
            event = events.get(timeout=0.1)
        except queue.Empty:
            continue
        match event:
            case TextPiece():
                writer.add(event)
            case Skipped():
                writer.skip(event)
                catch_ups.take(event, time.monotonic())
            case Underrun():
                catch_ups.take(event, time.monotonic())
            case InputEnded():
                end = min(end, time.monotonic() + AFTER_INPUT_SECONDS)
            case Ready():
                end = float("inf") if seconds is None else time.monotonic() + seconds
                _say(f"{event.info.model} {event.info.quant} on {event.info.device}")
                if event.info.model == POCKET_MOSHI:
                    _say(POCKET_WORDS)
                _say(f"hearing {event.info.microphone}, speaking to {event.info.speaker}")
            case UserSaid():
                _say(f"demo user: {event.text}")
            case Notice():
                _say(_sentences(event.title, event.message, event.hint))
            case DeviceLost(side=side):
                _say(f"{_SIDES[side]} {clean(event.name)} is gone: {event.why} The talk goes on.")
            case DeviceChanged(side=side):
                _say(f"{_SIDES[side]} is now {clean(event.name)}")
            case RecordingStarted() | RecordingStopped():
                recordings.take(event)
            case Loading(stage="files") if time.monotonic() >= next_line:
                next_line = time.monotonic() + LOADING_LINE_SECONDS
                _say(_loading_words(event))
            case Failed():
                raise event.error


def answer_file(settings: Settings, source: Path, output: Path | None, text: Path | None) -> int:
    """`moshi-tui run`: the whole of `source`, as fast as it goes.

    Returns the exit status. Raises MoshiTuiError. A long model step may still be under way then.
    """
    check_trace(settings, (source, output, text))
    frames = FileSource(source)
    sink = FileSink(output, lambda: frames.samples)
    events: queue.Queue[Event] = queue.Queue()
    words = io.StringIO()
    writer = _Transcript(words)
    engine = Engine(settings, events.put, lambda: (frames, sink))
    done = None
    with _signals() as asked:
        try:
            engine.start()
            done = _show_progress(engine, events, writer, frames, asked)
        finally:
            engine.stop(STOP_SECONDS)
            # A talk that was broken off is worth having as far as it goes, a failed one is not.
            (sink.drop if done is None or not engine.stats.frames else sink.keep)()
    writer.finish(events)
    _write_text(words.getvalue(), text)
    _say(_times(engine.stats))
    return 0 if done else 130


def _write_text(words: str, path: Path | None) -> None:
    """The transcript of `run`: to the file, or to stdout now that the progress bar is gone."""
    if path is None:
        sys.stdout.write(words)
        sys.stdout.flush()
        return
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(words, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise MoshiTuiError(
            "Cannot write the transcript", f"{path}: {error.strerror}", "Name another file."
        ) from error


def _show_progress(
    engine: Engine,
    events: queue.Queue[Event],
    writer: _Transcript,
    frames: FileSource,
    asked: threading.Event,
) -> bool:
    """A bar on stderr; returns whether the file was answered to its end."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[speed]}"))
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("Loading", total=None, speed="")
        while not asked.is_set():
            stats = engine.stats
            if stats.elapsed_s:
                talked = stats.frames * FRAME_SECONDS
                speed = f"{talked / stats.elapsed_s:.2f} x real time"
                bar.update(task, completed=talked, speed=speed)
            try:
                event = events.get(timeout=0.1)
            except queue.Empty:
                continue
            match event:
                case Loading():
                    bar.update(task, description=f"{event.stage}: {_loading_words(event)}")
                case Ready():
                    if event.info.model == POCKET_MOSHI:
                        console.print(f"moshi-tui: {POCKET_WORDS}", markup=False, highlight=False)
                    bar.update(task, description=frames.name, total=frames.seconds)
                case TextPiece():
                    writer.add(event)
                case Notice():
                    console.print(clean(f"{event.title}: {event.message}"), markup=False)
                case Finished():
                    bar.update(task, completed=frames.seconds)
                    return True
                case Failed():
                    raise event.error
    return False


class _Transcript:
    """Pieces of text to a stream, cleaned, with a new line after each pause."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._cleaner = Cleaner()
        self._pauses = Pauses()
        self._begun = False

    def add(self, piece: TextPiece) -> None:
        """Write one piece at once."""
        text = self._cleaner.feed(piece.text)
        if not self._begun or self._pauses.over(piece.frame):
            self._out.write("\n" if self._begun else "")
            text = text.lstrip()
        self._begun = True
        self._pauses.word(piece.frame)
        self._out.write(text)
        self._out.flush()

    def skip(self, event: Skipped) -> None:
        """What the model has not heard is no pause of Moshi's."""
        if event.side == "user":
            self._pauses.skip(event.frame, event.frames)

    def finish(self, events: queue.Queue[Event]) -> list[Event]:
        """Write what was said while the engine stopped, and end the line. Returns what else has
        happened."""
        others: list[Event] = []
        while not events.empty():
            event = events.get_nowait()
            if isinstance(event, TextPiece):
                self.add(event)
            elif isinstance(event, Skipped):
                self.skip(event)
            else:
                others.append(event)
        if self._begun:
            self._out.write("\n")
            self._out.flush()
        return others


class _Recordings:
    """Tells where the talk is recorded to, and what became of it."""

    def __init__(self) -> None:
        self.failed = False
        self._under_way = False

    def take(self, event: Event) -> None:
        """Say it, if it is about a recording."""
        match event:
            case RecordingStarted():
                self._under_way = True
                _say(f"recording to {clean(str(event.folder))}")
            case RecordingStopped(error=None):
                self._under_way = False
                _say(f"recorded {event.seconds:.0f} s: {clean(str(event.folder))}")
            case RecordingStopped(error=MoshiTuiError() as error):
                self._under_way, self.failed = False, True
                _say(_sentences(error.title, error.message, error.hint))

    def finish(self, told: list[Event], events: queue.Queue[Event]) -> None:
        """The talk is over: say what happened since, and wait for a recording to be completed."""
        for event in told:
            self.take(event)
        deadline = time.monotonic() + COMPLETE_SECONDS
        while self._under_way and (left := deadline - time.monotonic()) > 0:
            with suppress(queue.Empty):
                self.take(events.get(timeout=left))


class _CatchUps:
    """A few lines instead of an event for every frame that was skipped or came too late."""

    def __init__(self) -> None:
        self._skipped: CatchUp | None = None
        self._late: Interruption | None = None
        self._due: float | None = None

    def take(self, event: Skipped | Underrun, now: float) -> None:
        """Collect. `now` in seconds of any clock."""
        if isinstance(event, Skipped):
            self._skipped = self._skipped or CatchUp(event.frame)
            self._skipped.take(event)
        else:
            self._late = self._late or Interruption(event.frame)
            self._late.take(event)
        if self._due is None:
            self._due = now + CATCH_UP_LINE_SECONDS

    def due(self, now: float) -> Iterator[str]:
        """The lines for which it is time, none most of the time."""
        if self._due is not None and now >= self._due:
            for collected in (self._late, self._skipped):
                if collected is not None and collected.words:
                    yield collected.words
            self._late = self._skipped = self._due = None


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, instead of what they do otherwise."""
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    print(f"moshi-tui: {text}", file=sys.stderr, flush=True)


def _sentences(title: str, message: str, hint: str) -> str:
    """Of a notice or an error, in one line."""
    full = message if not hint or message.endswith((".", "!", "?")) else f"{message}."
    return clean(f"{title}: {full} {hint}".strip())


def _loading_words(event: Loading) -> str:
    if event.download is None:
        return event.detail
    return f"{event.detail}: {download_words(event.download)}"


def _times(stats: Stats) -> str:
    """Frames, the medians of the last 25 of them, and what was skipped if anything was."""
    parts = (("encode", stats.encode_ms), ("step", stats.step_ms), ("decode", stats.decode_ms))
    times = ", ".join(f"{name} {_ms(ms)}" for name, ms in parts)
    return f"{stats.frames} frames; {times}{_skips(stats.skips)}"


def _skips(skips: Skips) -> str:
    sides = (
        ("in", skips.user_ms, skips.user_speech_ms),
        ("out", skips.moshi_ms, skips.moshi_speech_ms),
    )
    words = ", ".join(
        f"{side} {duration(ms)} ({duration(speech)} speech)" for side, ms, speech in sides if ms
    )
    parts = [f"skipped {words}"] if words else []
    if skips.moshi_speed_ms >= 50:  # else it would read "0.0 s"
        parts.append(f"played Moshi faster ({duration(skips.moshi_speed_ms)} gained)")
    return "".join(f"; {part}" for part in parts)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
