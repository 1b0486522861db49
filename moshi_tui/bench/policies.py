"""What others do about lag, written from descriptions of their rules (FACTS.md).

A policy has two ends. The inbox holds the user's frames that wait for the model, the queue holds
Moshi's sound that waits for the speaker. Every sample carries its number on Moshi's side with it,
so that afterwards it can be told when it was heard, or that it never was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from moshi_tui.audio.resample import Resampler
from moshi_tui.audio.ring import Pcm
from moshi_tui.frames import SAMPLE_RATE
from moshi_tui.session.lag import Load

Source = npt.NDArray[np.int32]
NOTHING = -1
"""In a `Source`: this sample is none of Moshi's."""

_MS = SAMPLE_RATE // 1000


class Inbox(Protocol):
    """The user's frames between the encoder and the model."""

    def add(self, frame: int, pcm: Pcm, load: Load) -> list[int]:
        """An encoded frame joins; returns the frames that the model will never be given."""
        ...

    def take(self) -> int | None:
        """The model takes the oldest."""
        ...


class Queue(Protocol):
    """Moshi's sound between the decoder and the speaker."""

    cuts: list[tuple[int, int]]
    """Ranges of Moshi's samples that were left out."""
    gained_ms: float
    """Time won by playing faster."""
    slowed_ms: float
    """Time given away by playing slower, or by longer pauses."""

    @property
    def underruns(self) -> int:
        """Times that the speaker ran dry after it had begun."""
        ...

    @property
    def surplus_s(self) -> float:
        """Sound that waits without need, in the policy's own opinion."""
        ...

    def push(self, pcm: Pcm, source: Source, now: float, pace_s: float | None) -> None:
        """A decoded frame arrives. `pace_s` as for the inbox."""
        ...

    def fill(self, out: Pcm, source: Source) -> None:
        """The speaker's callback: fill both arrays. `source` comes in as NOTHING."""
        ...

    def waiting(self) -> Source:
        """The samples that wait."""
        ...

    def splices(self) -> list[tuple[int, int]]:
        """(start, length) in all that was played so far of places where sound was joined, apart
        from those that can be seen in the sources."""
        ...


@dataclass(frozen=True)
class Policy:
    """One way to deal with lag."""

    name: str
    title: str
    make_inbox: Callable[[], Inbox]
    make_queue: Callable[[], Queue]
    batch: int = 1
    """Frames that a codec call may take."""


class Unbounded:
    """The inbox of all peers: whatever comes waits."""

    def __init__(self) -> None:
        self._frames: deque[int] = deque()

    def add(self, frame: int, pcm: Pcm, load: Load) -> list[int]:
        """Nothing is ever shed."""
        self._frames.append(frame)
        return []

    def take(self) -> int | None:
        """The oldest."""
        return self._frames.popleft() if self._frames else None


class PlainQueue:
    """The reference clients: everything is played when it comes; a dry speaker plays zeros."""

    def __init__(self) -> None:
        self.cuts: list[tuple[int, int]] = []
        self.gained_ms = 0.0
        self.slowed_ms = 0.0
        self._underruns = 0
        self._pcm: Pcm = np.zeros(0, np.float32)
        self._source: Source = np.zeros(0, np.int32)
        self._playing = False

    @property
    def underruns(self) -> int:
        """Times that it ran dry after it had begun."""
        return self._underruns

    @property
    def surplus_s(self) -> float:
        """Peers don't ask."""
        return 0.0

    def __len__(self) -> int:
        return len(self._pcm)

    def push(self, pcm: Pcm, source: Source, now: float, pace_s: float | None) -> None:
        """Append."""
        self._pcm = np.concatenate((self._pcm, pcm))
        self._source = np.concatenate((self._source, source))

    def fill(self, out: Pcm, source: Source) -> None:
        """Whatever there is, then zeros."""
        got = self._pop(out, source)
        if got < len(out):
            self._underruns += self._playing
        self._playing = got == len(out)

    def waiting(self) -> Source:
        """All of it."""
        return self._source

    def splices(self) -> list[tuple[int, int]]:
        """None that can't be seen."""
        return []

    def _pop(self, out: Pcm, source: Source) -> int:
        got = min(len(out), len(self._pcm))
        out[:got], self._pcm = self._pcm[:got], self._pcm[got:]
        source[:got], self._source = self._source[:got], self._source[got:]
        out[got:] = 0.0
        return got


class WebQueue(PlainQueue):
    """The web client's audio processor.

    Starts 10 ms (the floor) after 80 ms are queued. With 80 ms + floor + 10 ms queued it drops the
    oldest down to 80 ms + floor. Each drop lifts that ceiling by 5 ms and each underrun the floor,
    both by 80 ms at most. A dry queue must fill up to the start again. Fades are straight lines
    over what is played of the block concerned.
    """

    START = 80 * _MS
    STEP = 5 * _MS
    MOST = 80 * _MS

    def __init__(self) -> None:
        super().__init__()
        self.floor = 10 * _MS
        self.headroom = 10 * _MS
        self._most_floor = self.floor + self.MOST
        self._most_headroom = self.headroom + self.MOST
        self._started = False
        self._wait = 0

    def push(self, pcm: Pcm, source: Source, now: float, pace_s: float | None) -> None:
        """Append; drop the oldest if that is too much."""
        super().push(pcm, source, now, pace_s)
        if not self._started and len(self) >= self.START:
            self._started = True
            self._wait = self.floor
        target = self.START + self.floor
        if len(self) >= target + self.headroom:
            self._drop(len(self) - target)
            self.headroom = min(self.headroom + self.STEP, self._most_headroom)

    def fill(self, out: Pcm, source: Source) -> None:
        """Zeros until started; then what there is."""
        if not self._started or self._wait > 0:
            out[:] = 0.0
            self._wait -= len(out)
            return
        got = self._pop(out, source)
        if not self._playing:
            out[:got] *= np.linspace(0.0, 1.0, got, endpoint=False, dtype=np.float32)
        self._playing = got == len(out)
        if not self._playing:
            out[:got] *= np.linspace(1.0, 0.0, got, endpoint=False, dtype=np.float32)
            self._underruns += 1
            self.floor = min(self.floor + self.STEP, self._most_floor)
            self._started = False

    def _drop(self, samples: int) -> None:
        # A frame is contiguous, but the queue may hold the two ends of an earlier cut.
        gone = self._source[:samples]
        for part in np.split(gone, np.flatnonzero(np.diff(gone) != 1) + 1):
            self.cuts.append((int(part[0]), int(part[-1]) + 1))
        self._pcm, self._source = self._pcm[samples:], self._source[samples:]


class CliQueue(PlainQueue):
    """moshi-cli: with more than 12,000 samples queued, all of them are resampled to 2/3.

    They play 1.5 times faster and a fifth higher.
    """

    MOST = 12_000

    def push(self, pcm: Pcm, source: Source, now: float, pace_s: float | None) -> None:
        """Append; squeeze the queue if that is too much."""
        super().push(pcm, source, now, pace_s)
        before = len(self)
        if before > self.MOST:
            resampler = Resampler(3, 2)
            self._pcm = np.concatenate((resampler.process(self._pcm), resampler.flush()))
            at = np.minimum(np.arange(len(self._pcm)) * 3 // 2, before - 1)
            self._source = self._source[at]
            self.gained_ms += (before - len(self)) / _MS


NONE = Policy("none", "none (reference client)", Unbounded, PlainQueue)
WEB = Policy("web", "web client (drop to target)", Unbounded, WebQueue)
CLI = Policy("cli", "moshi-cli (1.5 times faster)", Unbounded, CliQueue)
PEERS = (NONE, WEB, CLI)
