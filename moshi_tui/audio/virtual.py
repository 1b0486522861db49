"""A microphone and a speaker without a sound card: a thread with a clock plays the callback."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import numpy as np

from moshi_tui.audio.files import AudioReader, WavWriter
from moshi_tui.audio.playout import Playout
from moshi_tui.audio.ring import Pcm, Ring
from moshi_tui.audio.stamps import Stamp
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import SAMPLE_RATE

Clock = Callable[[], float]
"""Seconds, monotonic."""
Wait = Callable[[threading.Event, float], bool]
"""Sleeps for some seconds or until the event is set; returns whether it is set."""

MIC_BLOCK = 480
"""20 ms."""
SPEAKER_BLOCK = 240
"""10 ms."""
RING_SECONDS = 4.0
CATCH_UP_SECONDS = 1.0
"""Further behind than this (the process was suspended), time is skipped instead of made up for."""

log = logging.getLogger(__name__)


class VoiceMicrophone:
    """Somebody who is not there speaks into it, in real time. A `base.Source`.

    Args:
        name: for the person.
        speak: called every 20 ms on a thread of its own; gives the next block [MIC_BLOCK] float32,
            at 24 kHz.
        clock, wait: what tells and spends time; replaced in tests.
    """

    device = None
    rate = SAMPLE_RATE
    latency_s = 0.0
    overflows = 0

    def __init__(
        self,
        name: str,
        speak: Callable[[], Pcm],
        *,
        ring_s: float = RING_SECONDS,
        clock: Clock = time.monotonic,
        wait: Wait = threading.Event.wait,
    ) -> None:
        self.name = name
        self.ring = Ring(round(self.rate * ring_s), overwrite=True)
        self.finished = False
        """It was a file, and all of it has been pushed."""
        self.stamp: Stamp | None = None
        self._speak = speak
        self._ticker = _Ticker("voice-mic", MIC_BLOCK / self.rate, self._tick, clock, wait)

    @property
    def failed(self) -> str | None:
        """One sentence if nothing more can be said, else None."""
        return self._ticker.failed

    def start(self) -> None:
        """Begin to speak."""
        self._ticker.start()

    def close(self) -> None:
        """Stop for good."""
        self._ticker.stop()

    def _tick(self, due: float) -> bool:
        self.ring.push(self._speak())
        self.stamp = (self.ring.pushed, due)
        return True


class FileMicrophone(VoiceMicrophone):
    """Plays a sound file, or an array, into a ring in real time. A `base.Source`.

    After its end follow silence and `finished`. The file is read while it plays.

    Args:
        source: a file, or float32 [n] at 24 kHz.
        loop: begin again at the end, for ever.
        clock, wait: what tells and spends time; replaced in tests.

    Raises MoshiTuiError if the file can't be opened.
    """

    def __init__(
        self,
        source: Path | Pcm,
        *,
        loop: bool = False,
        ring_s: float = RING_SECONDS,
        clock: Clock = time.monotonic,
        wait: Wait = threading.Event.wait,
    ) -> None:
        name = source.name if isinstance(source, Path) else "recorded sound"
        super().__init__(name, self._next, ring_s=ring_s, clock=clock, wait=wait)
        if isinstance(source, Path):
            AudioReader(source).close()  # complains now rather than later
        elif len(source) == 0:
            raise ValueError("an empty array")
        self._blocks = _blocks(_rounds(source, loop=loop))
        self._silence = np.zeros(MIC_BLOCK, np.float32)

    def close(self) -> None:
        """Stop for good."""
        if self._ticker.stop():
            self._blocks.close()

    def _next(self) -> Pcm:
        block = next(self._blocks, None)
        if block is None:
            self.finished = True
            block = self._silence
        return block


class NullSpeaker:
    """Plays a ring in real time to nobody, or into a WAV file. A `base.Sink`.

    Args:
        output: gets exactly what a listener would have heard since `start`, gaps included.
        clock, wait: what tells and spends time; replaced in tests.

    Raises MoshiTuiError if the file can't be made.
    """

    device = None
    rate = SAMPLE_RATE
    latency_s = 0.0
    underflows = 0

    def __init__(
        self,
        output: Path | None = None,
        *,
        ring_s: float = RING_SECONDS,
        clock: Clock = time.monotonic,
        wait: Wait = threading.Event.wait,
    ) -> None:
        self.name = output.name if output else "no speaker"
        self.ring = Ring(round(self.rate * ring_s), overwrite=False)
        self.stamp: Stamp | None = None
        self._clock = clock
        self._playout = Playout(self.ring, self.rate)
        self._writer = WavWriter(output) if output else None
        self._write_error: str | None = None
        self._block = np.zeros(SPEAKER_BLOCK, np.float32)
        self._ticker = _Ticker("null-speaker", SPEAKER_BLOCK / self.rate, self._tick, clock, wait)

    @property
    def underruns(self) -> int:
        """Times that the ring ran dry after playing had begun."""
        return self._playout.underruns

    @property
    def slack_s(self) -> float:
        """Seconds until the ring runs dry if nothing is pushed; 0 while it is."""
        if self.ring.dry or self.stamp is None:
            return 0.0
        return self.ring.fill / self.rate + max(0.0, self.stamp[1] - self._clock())

    @property
    def gap_s(self) -> float:
        """Seconds that it was dry then, in all."""
        return self._playout.gap / self.rate

    @property
    def failed(self) -> str | None:
        """One sentence if the file can't be written any more (playing goes on), else None."""
        return self._write_error or self._ticker.failed

    def start(self) -> None:
        """Begin to play."""
        self._ticker.start()

    def close(self, drain: bool = False) -> None:
        """Stop for good and complete the file; `drain` plays the ring first."""
        if drain:
            self._playout.ending = True
            self._ticker.join(self.ring.fill / self.rate + 0.5)
        self._ticker.stop()
        self._finish_file()

    def _tick(self, due: float) -> bool:
        if self._playout.ending and self._playout.idle and not self.ring.fill:
            return False
        self._playout.fill(self._block)
        self.stamp = (self.ring.popped, due + SPEAKER_BLOCK / self.rate)
        if self._writer is not None and self._write_error is None:
            try:
                self._writer.write(self._block)
            except MoshiTuiError as error:
                self._write_error = error.message
        return True

    def _finish_file(self) -> None:
        if self._writer is None:
            return
        try:
            self._writer.close()
        except MoshiTuiError as error:
            self._write_error = error.message


class _Ticker:
    """A thread that calls `tick` once a period, by absolute deadlines, until it returns False.

    `tick` is told when it was due, which is steadier than when it came.
    """

    def __init__(
        self, name: str, period_s: float, tick: Callable[[float], bool], clock: Clock, wait: Wait
    ) -> None:
        self.failed: str | None = None
        self._period_s = period_s
        self._tick = tick
        self._clock = clock
        self._wait = wait
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait until it ends by itself, at most so long."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def stop(self) -> bool:
        """Ask it to end; returns whether it has."""
        self._stop.set()
        self.join(0.4)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._keep_time()
        except MoshiTuiError as error:
            self.failed = error.message
        except Exception as error:
            log.exception("%s ended", self._thread.name)
            self.failed = f"{type(error).__name__}: {error}."

    def _keep_time(self) -> None:
        start = self._clock()
        ticks = 0
        going = True
        while going:
            ticks += 1
            late = self._clock() - (start + ticks * self._period_s)
            if late > CATCH_UP_SECONDS:
                start += late
            if self._wait(self._stop, max(0.0, -late)):
                return
            going = self._tick(start + ticks * self._period_s)


def _rounds(source: Path | Pcm, *, loop: bool) -> Iterator[Pcm]:
    while True:
        if isinstance(source, Path):
            with AudioReader(source) as reader:
                yield from reader.chunks()
        else:
            yield source
        if not loop:
            return


def _blocks(chunks: Iterator[Pcm]) -> Generator[Pcm, None, None]:
    """Blocks [MIC_BLOCK]; the last one is filled up with silence."""
    pending = np.zeros(0, np.float32)
    for chunk in chunks:
        pending = np.concatenate((pending, chunk))
        whole = len(pending) - len(pending) % MIC_BLOCK
        yield from pending[:whole].reshape(-1, MIC_BLOCK)
        pending = pending[whole:]
    if len(pending):
        yield np.pad(pending, (0, MIC_BLOCK - len(pending)))
