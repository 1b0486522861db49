"""What the three threads of a talk have in common: packets, queues, numbers."""

from __future__ import annotations

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

from moshi_tui.model.device import Memory
from moshi_tui.session.backlog import WAIT_SECONDS
from moshi_tui.session.echo import EchoDetector
from moshi_tui.session.events import Event, SkipKind
from moshi_tui.session.lag import Load
from moshi_tui.session.tape import Tape
from moshi_tui.session.trace import Trace

Item = TypeVar("Item")

BATCH_FRAMES = 5
"""Frames that the codec takes in one call when more than one wait: rustymimi then needs about half
the time for each (FACTS.md). And frames that may wait between the model and its decoder."""

KINDS: tuple[SkipKind, ...] = ("silence", "speech", "speed")


@dataclass(frozen=True)
class Heard:
    """One encoded frame of the user, on its way to the model."""

    epoch: int
    frame: int
    codes: npt.NDArray[np.uint32]
    """[n_user]."""
    captured_at: float
    ready_at: float
    """When it could have been stepped."""


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

    def __init__(self, stop: threading.Event, frames: int = BATCH_FRAMES) -> None:
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

    def more(self, most: int) -> list[Item | None]:
        """What waits already, at most so many items."""
        items: list[Item | None] = []
        while len(items) < most:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return items


SETTLED_TIMES = 5


class Stopwatch:
    """The median of the newest times of something, in ms. Written by one thread, read by any."""

    def __init__(self, size: int = 25) -> None:
        self._times: deque[float] = deque(maxlen=size)
        self.median_ms: float | None = None
        """None before the first."""
        self.settled_s: float | None = None
        """The same in seconds, once there are enough to go by: the first may be out of the
        ordinary."""

    def add(self, seconds: float) -> None:
        """Note one time."""
        self._times.append(seconds * 1000)
        self.median_ms = median(self._times)
        if len(self._times) >= SETTLED_TIMES:
            self.settled_s = self.median_ms / 1000


@dataclass
class Shared:
    """What the stages and the engine have in common. Every field has one writer."""

    emit: Callable[[Event], None]
    clock: Callable[[], float] = time.monotonic
    stop: threading.Event = field(default_factory=threading.Event)
    tape: Tape = field(default_factory=Tape)
    """Records what both sides hear, if anything does."""
    trace: Trace = field(default_factory=Trace)
    """Notes when each stage works, if anything does."""
    epoch: int = 0
    """Counts resets. Written by whoever calls `Engine.reset`."""
    surplus_s: Callable[[], float] = lambda: 0.0
    """How much sound waits at the speaker without need. Set before the threads start."""
    step_began: float | None = None
    """When the model began the step that it is in. Written by the inference thread."""
    muted: bool = False
    """Written by whoever calls `Engine.set_muted`, as is unmuted_at."""
    unmuted_at: float = float("-inf")
    """What was at the microphone before that moment was said while muted, and is never heard."""
    frames: int = 0
    """Frames stepped. Written by the inference thread, as are frame, context_used, memory and
    started_at."""
    frame: int = 0
    """Number of the newest of them."""
    context_used: int = 0
    memory: Memory = field(default_factory=Memory)
    started_at: float | None = None
    silent_s: float = 0.0
    """For how long the microphone has delivered digital silence. Written by the encode thread."""
    echo: EchoDetector = field(default_factory=EchoDetector)
    """Told by the decode thread what is played, asked by the encode thread."""
    echo_db: float | None = None
    """What it says. Written by the encode thread."""
    encode: Stopwatch = field(default_factory=Stopwatch)
    step: Stopwatch = field(default_factory=Stopwatch)
    decode: Stopwatch = field(default_factory=Stopwatch)
    turn: Stopwatch = field(default_factory=Stopwatch)
    """The step, and what the model then had to wait because its decoder was behind."""
    lag: Stopwatch = field(default_factory=lambda: Stopwatch(5))
    user_skips: dict[SkipKind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    """Milliseconds, by kind. Written by the encode thread."""
    moshi_skips: dict[SkipKind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    """The same, by the decode thread."""

    @property
    def pace_s(self) -> float | None:
        """What the model takes for a frame, with the time that its decoder keeps it waiting, as
        median of the last ones, in seconds; None while too few are known."""
        return self.turn.settled_s

    def load(self, unread: int) -> Load:
        """How we keep up, if so many frames have not been added to the backlog yet."""
        pace_s, began = self.pace_s, self.step_began
        left_s = 0.0
        if began is not None and pace_s is not None:
            left_s = max(0.0, began + pace_s - self.clock())
        return Load(pace_s, left_s, unread, self.surplus_s())
