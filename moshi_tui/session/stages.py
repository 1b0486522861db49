"""The three threads of a talk: encode, inference, decode. `engine.py` says how they fit together.

Each stage is a loop with one input and one output. A reset is a new epoch: packets carry the epoch
that they belong to, each stage starts afresh when it meets a new one, and drops what is older.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from moshi_tui.codec import Codec, Codes
from moshi_tui.frames import FRAME_SAMPLES, FRAME_SECONDS
from moshi_tui.model import Generator
from moshi_tui.model.tokenizer import TextStream
from moshi_tui.session.endpoints import FrameSink, FrameSource
from moshi_tui.session.events import Event, InputEnded, Muted, TextPiece, WasReset

log = logging.getLogger(__name__)

Item = TypeVar("Item")

QUEUE_FRAMES = 3
"""Frames that may wait between two stages. What comes on top waits in the microphone's ring, which
drops its oldest when it is full."""

SETTLE_FRAMES = 12
"""The first second of a talk, in which threads and screen are still starting. Frames that pile up
at the speaker then would stay as lag for ever, so all but the newest are let go."""

PLAYOUT_SECONDS = 1.0
"""Sound that may wait at the speaker; more of it is let go. Only a bound: what makes up for lag
without losing words is `lag.py`'s business, to come."""

WAIT_SECONDS = 0.1
"""How long a stage waits before it looks whether it should stop."""


@dataclass(frozen=True)
class Heard:
    """One encoded frame of the user, on its way to the model."""

    epoch: int
    frame: int
    codes: npt.NDArray[np.uint32]
    """[n_user]."""
    captured_at: float


@dataclass(frozen=True)
class Said:
    """One frame of Moshi, on its way to the speaker."""

    epoch: int
    frame: int
    codes: npt.NDArray[np.uint32] | None
    """[n_generated]; None while the model's delays fill."""
    captured_at: float


class Pipe(Generic[Item]):
    """A bounded queue that both sides leave when the session stops. None: the stream is over."""

    def __init__(self, stop: threading.Event, frames: int = QUEUE_FRAMES) -> None:
        self._stop = stop
        self._queue: queue.Queue[Item | None] = queue.Queue(frames)

    def put(self, item: Item | None) -> None:
        """Wait for room; gives up when the session stops."""
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=WAIT_SECONDS)
            except queue.Full:
                continue
            return

    def get(self, idle: Callable[[], None] = lambda: None) -> Item | None:
        """The next item; None at the end of the stream, or when the session stops.

        While nothing comes, `idle` is called now and then.
        """
        while not self._stop.is_set():
            try:
                return self._queue.get(timeout=WAIT_SECONDS)
            except queue.Empty:
                idle()
        return None

    def __len__(self) -> int:
        return self._queue.qsize()


class Stopwatch:
    """The median of the newest times of something, in ms. Written by one thread, read by any."""

    def __init__(self, size: int = 25) -> None:
        self._times: deque[float] = deque(maxlen=size)
        self.median_ms: float | None = None

    def add(self, seconds: float) -> None:
        """Note one time."""
        self._times.append(seconds * 1000)
        self.median_ms = median(self._times)


@dataclass
class Shared:
    """What the stages and the engine have in common. Every field has one writer."""

    emit: Callable[[Event], None]
    clock: Callable[[], float] = time.monotonic
    stop: threading.Event = field(default_factory=threading.Event)
    epoch: int = 0
    """Counts resets. Written by whoever calls `Engine.reset`."""
    muted: bool = False
    """Written by whoever calls `Engine.set_muted`."""
    frames: int = 0
    """Written by the inference thread, as are context_used, memory and started_at."""
    context_used: int = 0
    memory: int = 0
    started_at: float | None = None
    encode: Stopwatch = field(default_factory=Stopwatch)
    step: Stopwatch = field(default_factory=Stopwatch)
    decode: Stopwatch = field(default_factory=Stopwatch)
    lag: Stopwatch = field(default_factory=lambda: Stopwatch(5))


class EncodeStage:
    """Microphone to codes: steps 2 to 4."""

    def __init__(
        self,
        shared: Shared,
        source: FrameSource,
        codec: Codec,
        out: Pipe[Heard],
        *,
        n_user: int,
        tail: int,
    ) -> None:
        self._shared = shared
        self._source = source
        self._codec = codec
        self._out = out
        self._n_user = n_user
        self._tail = tail
        self._silence = np.zeros(FRAME_SAMPLES, np.float32)
        self._epoch = shared.epoch
        self._muted = False
        self._frame = 0
        self._told_end = False

    def run(self) -> None:
        """Until the session stops or the source ends; then `tail` frames of silence and the end."""
        self._source.discard()  # what came while the threads were starting would stay as lag
        while not self._shared.stop.is_set():
            frame = self._source.read(self._shared.stop)
            if self._epoch != self._shared.epoch:
                self._reset()  # the frame in hand is from before it
            elif frame is not None:
                self._pass_on(frame.pcm, frame.captured_at)
            elif self._source.ended:
                for _ in range(self._tail):
                    self._pass_on(self._silence, self._shared.clock())
                self._out.put(None)
                return

    def _pass_on(self, pcm: npt.NDArray[np.float32], captured_at: float) -> None:
        self._tell_changes()
        started = self._shared.clock()
        codes = self._codec.encode(self._silence if self._muted else pcm)
        self._shared.encode.add(self._shared.clock() - started)
        heard = Heard(self._epoch, self._frame, codes[: self._n_user, 0], captured_at)
        self._frame += 1
        self._out.put(heard)

    def _reset(self) -> None:
        self._epoch = self._shared.epoch
        self._source.discard()
        self._codec.reset()

    def _tell_changes(self) -> None:
        if self._muted != self._shared.muted:
            self._muted = self._shared.muted
            self._shared.emit(Muted(self._frame, self._muted))
        if self._source.silent_from_here and not self._told_end:
            self._told_end = True
            self._shared.emit(InputEnded(self._frame))


class InferenceStage:
    """Codes to text and codes: steps 5 and 6. Runs on the thread that loaded the model."""

    def __init__(
        self,
        shared: Shared,
        generator: Generator,
        text: TextStream,
        into: Pipe[Heard],
        out: Pipe[Said],
        memory: Callable[[], int],
    ) -> None:
        self._shared = shared
        self._generator = generator
        self._text = text
        self._in = into
        self._out = out
        self._memory = memory
        self._epoch = shared.epoch

    def run(self) -> None:
        """Until the stream of heard frames ends."""
        while (heard := self._in.get()) is not None:
            if heard.epoch < self._shared.epoch:
                continue
            if heard.epoch != self._epoch:
                self._reset(heard)
            self._step(heard)
        self._say(self._shared.frames, -1, self._text.flush())
        self._out.put(None)

    def _step(self, heard: Heard) -> None:
        shared = self._shared
        started = shared.clock()
        if shared.started_at is None:
            shared.started_at = started
        step = self._generator.step(heard.codes)
        shared.step.add(shared.clock() - started)
        shared.frames = heard.frame + 1
        shared.context_used = self._generator.context_used
        shared.memory = self._memory()
        self._say(heard.frame, step.text_token, self._text.push(step.text_token))
        self._out.put(Said(heard.epoch, heard.frame, step.audio_codes, heard.captured_at))

    def _say(self, frame: int, token: int, text: str) -> None:
        """Pass on text; with --verbose also into the log (unasked, a talk leaves no trace
        there)."""
        if text:
            log.debug("frame %d text token %d %r", frame, token, text)
            self._shared.emit(TextPiece(frame, token, text))

    def _reset(self, heard: Heard) -> None:
        self._epoch = heard.epoch
        self._say(heard.frame, -1, self._text.flush())
        self._generator.reset()
        self._text.reset()
        self._shared.emit(WasReset(heard.frame))


class DecodeStage:
    """Codes to speaker: steps 7 and 8."""

    def __init__(self, shared: Shared, codec: Codec, into: Pipe[Said], sink: FrameSink) -> None:
        self._shared = shared
        self._codec = codec
        self._in = into
        self._sink = sink
        self._epoch = shared.epoch
        self._played = 0

    def run(self) -> None:
        """Until the stream of said frames ends."""
        while (said := self._in.get(self._notice_reset)) is not None:
            self._notice_reset()
            if said.epoch == self._epoch and said.codes is not None:
                self._play(said.codes[:, None], said.captured_at)

    def _notice_reset(self) -> None:
        """Fall silent at once, also if the first frame after the reset takes its time."""
        if self._epoch != self._shared.epoch:
            self._epoch = self._shared.epoch
            self._sink.flush()
            self._codec.reset()

    def _play(self, codes: Codes, captured_at: float) -> None:
        shared = self._shared
        started = shared.clock()
        pcm = self._codec.decode(codes)
        shared.decode.add(shared.clock() - started)
        self._played += 1
        limit = FRAME_SECONDS if self._played <= SETTLE_FRAMES else PLAYOUT_SECONDS
        if self._sink.waiting_s() > limit:
            self._sink.flush()
        ahead = self._sink.write(pcm)
        shared.lag.add(shared.clock() + ahead - captured_at)
