"""The two ways without a screen: live sound with the transcript on stdout, and a file answered."""

from __future__ import annotations

import io
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TextIO

from moshi_tui.config import Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.session.endpoints import FileSink, FileSource
from moshi_tui.session.ends import live_ends
from moshi_tui.session.engine import Engine
from moshi_tui.session.events import (
    Event,
    Failed,
    Finished,
    InputEnded,
    Loading,
    Notice,
    Ready,
    TextPiece,
)

STOP_SECONDS = 0.8
"""What the engine gets to end in."""
AFTER_INPUT_SECONDS = 3.0
"""How long Moshi may go on after the file that stands for the microphone is over."""
PAUSE_FRAMES = 12
"""Frames without a word after which the transcript begins a new line."""


def talk(settings: Settings, *, seconds: float | None = None) -> tuple[int, bool]:
    """Talk live; the transcript goes to stdout, everything else to stderr.

    Ends after `seconds`, three seconds after an input file, or on SIGINT or SIGTERM (status 0:
    that is how one ends it).

    Returns the exit status and whether the engine's threads have ended. Raises MoshiTuiError.
    """
    events: queue.Queue[Event] = queue.Queue()
    engine = Engine(settings, events.put, partial(live_ends, settings))
    with _signals() as asked:
        engine.start()
        writer = _Transcript(sys.stdout)
        try:
            _follow(engine, events, writer, asked, seconds)
        finally:
            stopped = engine.stop(STOP_SECONDS)
            writer.end()
    _say(f"{_times(engine)}, underruns {engine.stats.underruns}")
    return 0, stopped


def _follow(
    engine: Engine,
    events: queue.Queue[Event],
    writer: _Transcript,
    asked: threading.Event,
    seconds: float | None,
) -> None:
    """Write what happens until it is time to go."""
    left: float | None = None
    while not asked.is_set() and (left is None or engine.stats.elapsed_s < left):
        try:
            event = events.get(timeout=0.1)
        except queue.Empty:
            continue
        match event:
            case TextPiece():
                writer.add(event)
            case InputEnded():
                until = event.frame * FRAME_SECONDS + AFTER_INPUT_SECONDS
                left = until if left is None else min(left, until)
            case Ready():
                left = seconds
                _say(f"{event.info.model} {event.info.quant} on {event.info.device}")
                _say(f"hearing {event.info.microphone}, speaking to {event.info.speaker}")
            case Notice():
                _say(f"{event.title}: {event.message} {event.hint}")
            case Loading(stage="files"):
                _say(event.detail)
            case Failed():
                raise event.error


def answer_file(
    settings: Settings, source: Path, output: Path | None, text: Path | None
) -> tuple[int, bool]:
    """`moshi-tui run`: the whole of `source`, as fast as it goes.

    Returns the exit status and whether the engine's threads have ended. Raises MoshiTuiError.
    """
    frames = FileSource(source)
    sink = FileSink(output, lambda: frames.samples)
    kept = False
    events: queue.Queue[Event] = queue.Queue()
    with _text_file(text) as out, _signals() as asked:
        writer = _Transcript(out)
        engine = Engine(settings, events.put, lambda: (frames, sink))
        engine.start()
        try:
            done = _show_progress(engine, events, writer, frames, asked)
            kept = True
        finally:
            stopped = engine.stop(STOP_SECONDS)
            writer.end()
            # A talk that was broken off is worth having as far as it goes, a failed one is not.
            (sink.keep if kept and engine.stats.frames else sink.drop)()
    _say(_times(engine))
    return (0 if done else 130), stopped


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
            try:
                event = events.get(timeout=0.1)
            except queue.Empty:
                stats = engine.stats
                if stats.elapsed_s:
                    talked = stats.frames * FRAME_SECONDS
                    speed = f"{talked / stats.elapsed_s:.2f} x real time"
                    bar.update(task, completed=talked, speed=speed)
                continue
            match event:
                case Loading():
                    bar.update(task, description=f"{event.stage}: {event.detail}")
                case Ready():
                    bar.update(task, description=frames.name, total=frames.seconds)
                case TextPiece():
                    writer.add(event)
                case Notice():
                    console.print(f"{event.title}: {event.message}", markup=False)
                case Finished():
                    bar.update(task, completed=frames.seconds)
                    return True
                case Failed():
                    raise event.error
    return False


class _Transcript:
    """Pieces of text to a stream, a new line after each pause."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last: int | None = None

    def add(self, piece: TextPiece) -> None:
        text = piece.text
        if self._last is None or piece.frame - self._last > PAUSE_FRAMES:
            self._out.write("" if self._last is None else "\n")
            text = text.lstrip()
        self._last = piece.frame
        self._out.write(text)
        self._out.flush()

    def end(self) -> None:
        if self._last is not None:
            self._out.write("\n")
            self._out.flush()


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


@contextmanager
def _text_file(path: Path | None) -> Iterator[TextIO]:
    """Where the transcript of `run` goes: the file, or stdout once the progress bar is gone."""
    if path is None:
        buffer = io.StringIO()
        try:
            yield buffer
        finally:
            sys.stdout.write(buffer.getvalue())
            sys.stdout.flush()
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise MoshiTuiError(
            "Cannot write the transcript", f"{path}: {error.strerror}", "Name another file."
        ) from error
    try:
        with file:
            yield file
    except OSError as error:
        raise MoshiTuiError(
            "Cannot write the transcript", f"{path}: {error.strerror}", "Make room on the disk."
        ) from error


def _say(text: str) -> None:
    print(f"moshi-tui: {text}", file=sys.stderr, flush=True)


def _times(engine: Engine) -> str:
    """Frames, and the medians of the last 25 of them."""
    stats = engine.stats
    parts = (("encode", stats.encode_ms), ("step", stats.step_ms), ("decode", stats.decode_ms))
    return f"{stats.frames} frames; " + ", ".join(f"{name} {_ms(ms)}" for name, ms in parts)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
