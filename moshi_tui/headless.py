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
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TextIO

from moshi_tui.clean import Cleaner
from moshi_tui.config import Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.session.endpoints import FileSink, FileSource
from moshi_tui.session.ends import check_ends, live_ends
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

STOP_SECONDS = 0.5
"""What the engine gets to end in."""
AFTER_INPUT_SECONDS = 3.0
"""How long Moshi may go on after the file that stands for the microphone is over."""
LOADING_LINE_SECONDS = 5.0
"""From one line about a download to the next: stderr may be a log."""
PAUSE_FRAMES = 12
"""Frames without a word after which the transcript begins a new line."""


def talk(settings: Settings, *, seconds: float | None = None) -> int:
    """Talk live; the transcript goes to stdout, everything else to stderr.

    Ends after `seconds`, three seconds after an input file, or on SIGINT or SIGTERM (status 0:
    that is how one ends it).

    Returns the exit status. Raises MoshiTuiError. A long model step may still be under way then.
    """
    check_ends(settings)
    events: queue.Queue[Event] = queue.Queue()
    engine = Engine(settings, events.put, partial(live_ends, settings))
    with _signals() as asked:
        engine.start()
        writer = _Transcript(sys.stdout)
        try:
            _follow(engine, events, writer, asked, seconds)
        finally:
            engine.stop(STOP_SECONDS)
            writer.finish(events)
    _say(f"{_times(engine)}, underruns {engine.stats.underruns}")
    return 0


def _follow(
    engine: Engine,
    events: queue.Queue[Event],
    writer: _Transcript,
    asked: threading.Event,
    seconds: float | None,
) -> None:
    """Write what happens until it is time to go."""
    end = float("inf")
    next_line = 0.0
    while not asked.is_set() and time.monotonic() < end:
        try:
            event = events.get(timeout=0.1)
        except queue.Empty:
            continue
        match event:
            case TextPiece():
                writer.add(event)
            case InputEnded():
                end = min(end, time.monotonic() + AFTER_INPUT_SECONDS)
            case Ready():
                end = float("inf") if seconds is None else time.monotonic() + seconds
                _say(f"{event.info.model} {event.info.quant} on {event.info.device}")
                _say(f"hearing {event.info.microphone}, speaking to {event.info.speaker}")
            case Notice():
                _say(f"{event.title}: {event.message} {event.hint}")
            case Loading(stage="files") if time.monotonic() >= next_line:
                next_line = time.monotonic() + LOADING_LINE_SECONDS
                _say(event.detail)
            case Failed():
                raise event.error


def answer_file(settings: Settings, source: Path, output: Path | None, text: Path | None) -> int:
    """`moshi-tui run`: the whole of `source`, as fast as it goes.

    Returns the exit status. Raises MoshiTuiError. A long model step may still be under way then.
    """
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
    _say(_times(engine))
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
    """Pieces of text to a stream, cleaned, with a new line after each pause."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._cleaner = Cleaner()
        self._last: int | None = None

    def add(self, piece: TextPiece) -> None:
        """Write one piece at once."""
        text = self._cleaner.feed(piece.text)
        if self._last is None or piece.frame - self._last > PAUSE_FRAMES:
            self._out.write("" if self._last is None else "\n")
            text = text.lstrip()
        self._last = piece.frame
        self._out.write(text)
        self._out.flush()

    def finish(self, events: queue.Queue[Event]) -> None:
        """Write what was said while the engine stopped, and end the line."""
        while not events.empty():
            event = events.get_nowait()
            if isinstance(event, TextPiece):
                self.add(event)
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


def _say(text: str) -> None:
    print(f"moshi-tui: {text}", file=sys.stderr, flush=True)


def _times(engine: Engine) -> str:
    """Frames, and the medians of the last 25 of them."""
    stats = engine.stats
    parts = (("encode", stats.encode_ms), ("step", stats.step_ms), ("decode", stats.decode_ms))
    return f"{stats.frames} frames; " + ", ".join(f"{name} {_ms(ms)}" for name, ms in parts)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
