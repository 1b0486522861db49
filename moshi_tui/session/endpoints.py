"""Frames in, frames out: what the stages see of a microphone, a speaker or a file.

Live ends sit on the rings of `audio`; file ends read and write as fast as the model can go.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from moshi_tui.audio.base import Sink as SpeakerLike
from moshi_tui.audio.base import Source as MicrophoneLike
from moshi_tui.audio.files import AudioReader, WavWriter
from moshi_tui.audio.levels import SILENCE, Level, measure
from moshi_tui.audio.resample import Resampler
from moshi_tui.audio.ring import Pcm
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE

LEVEL_SECONDS = 0.1
"""How much of the newest sound a meter looks at."""

MARGIN_SECONDS = 0.02
"""Silence played ahead of sound that comes after a dry spell, so that a frame that is a little late
does not make the next one."""


@dataclass(frozen=True)
class Frame:
    """One frame of the user's side."""

    pcm: Pcm
    """[1920] float32."""
    captured_at: float
    """When its last sample was at the microphone, by the clock of the session, in seconds."""


class FrameSource(Protocol):
    """Where frames come from. Belongs to the encode thread, but for what says otherwise."""

    @property
    def name(self) -> str:
        """For the person."""
        ...

    @property
    def ended(self) -> bool:
        """No frame will ever come again (never True for a live end)."""
        ...

    @property
    def silent_from_here(self) -> bool:
        """A file that stands for the microphone has been heard to its end."""
        ...

    def start(self) -> None:
        """Let sound flow. Raises MoshiTuiError."""
        ...

    def read(self, stop: threading.Event) -> Frame | None:
        """The next frame; None if `stop` is set or nothing came within a tenth of a second or so.

        Raises MoshiTuiError if the microphone has failed.
        """
        ...

    def discard(self) -> None:
        """Forget what waits to be read."""
        ...

    def waiting_s(self) -> float:
        """Seconds of sound that wait to be read (any thread)."""
        ...

    def dropped_s(self) -> float:
        """Seconds of sound lost because nobody read them in time (any thread)."""
        ...

    def level(self) -> Level:
        """Loudness now (any thread)."""
        ...

    def close(self) -> None:
        """Stop for good; may be called twice, and on any thread."""
        ...


class FrameSink(Protocol):
    """Where frames go to. Belongs to the decode thread, but for what says otherwise."""

    @property
    def name(self) -> str:
        """For the person."""
        ...

    def start(self) -> None:
        """Let sound flow. Raises MoshiTuiError."""
        ...

    def write(self, pcm: Pcm) -> float:
        """Play `pcm` [n] float32, 24 kHz; returns in how many seconds its first sample will be
        heard.

        Raises MoshiTuiError if the speaker has failed.
        """
        ...

    def flush(self) -> None:
        """Forget what has not been played yet."""
        ...

    def waiting_s(self) -> float:
        """Seconds of sound that wait to be played (any thread)."""
        ...

    def underruns(self) -> int:
        """Times that there was nothing to play (any thread)."""
        ...

    def dropped_s(self) -> float:
        """Seconds of sound that did not fit (any thread)."""
        ...

    def level(self) -> Level:
        """Loudness now (any thread)."""
        ...

    def close(self, *, drain: bool) -> None:
        """Stop for good, after playing what waits if `drain`; may be called twice, on any
        thread."""
        ...


class LiveSource:
    """Frames from a microphone's ring, at 24 kHz."""

    ended = False

    def __init__(
        self, microphone: MicrophoneLike, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = microphone.name
        self._microphone = microphone
        self._clock = clock
        rate = microphone.rate
        self._resampler = Resampler(rate, SAMPLE_RATE)
        self._block = np.zeros(max(1, rate // 100), np.float32)
        self._frame = np.zeros(0, np.float32)

    @property
    def silent_from_here(self) -> bool:
        """A file that stands for the microphone has been heard to its end."""
        return self._microphone.finished and self._microphone.ring.fill == 0

    def start(self) -> None:
        """Open the microphone."""
        self._microphone.start()

    def read(self, stop: threading.Event) -> Frame | None:
        """The next frame; sleeps as long as the missing samples take to arrive."""
        deadline = self._clock() + 0.15
        while not self._collect():
            if self._microphone.failed:
                raise MoshiTuiError(
                    "The microphone has failed",
                    f"{self.name}: {self._microphone.failed}",
                    "Check the device, then start again; --input-device names another one.",
                )
            missing = (FRAME_SAMPLES - len(self._frame)) / SAMPLE_RATE - self._in_ring_s()
            if stop.wait(max(0.002, missing)) or self._clock() > deadline:
                return None
        pcm, self._frame = self._frame[:FRAME_SAMPLES], self._frame[FRAME_SAMPLES:]
        behind = self.waiting_s() + self._resampler.delay_s + self._microphone.latency_s
        return Frame(pcm, self._clock() - behind)

    def _collect(self) -> bool:
        """Move samples from the ring until a frame is complete; is it?"""
        parts = [self._frame]
        size = len(self._frame)
        while size < FRAME_SAMPLES:
            got = self._microphone.ring.pop_into(self._block)
            if not got:
                break
            parts.append(self._resampler.process(self._block[:got].copy()))
            size += len(parts[-1])
        self._frame = np.concatenate(parts)
        return size >= FRAME_SAMPLES

    def _in_ring_s(self) -> float:
        return self._microphone.ring.fill / self._microphone.rate

    def discard(self) -> None:
        """Forget what waits to be read."""
        self._microphone.ring.discard()
        self._frame = self._frame[:0]

    def waiting_s(self) -> float:
        """Seconds of sound that wait to be read."""
        return self._in_ring_s() + len(self._frame) / SAMPLE_RATE

    def dropped_s(self) -> float:
        """Seconds of sound lost because nobody read them in time."""
        return self._microphone.ring.dropped / self._microphone.rate

    def level(self) -> Level:
        """Loudness of the newest moment in the ring."""
        rate = self._microphone.rate
        return measure(self._microphone.ring.latest(round(rate * LEVEL_SECONDS)))

    def close(self) -> None:
        """Close the microphone."""
        self._microphone.close()


class LiveSink:
    """Frames to a speaker's ring, at its own rate."""

    def __init__(self, speaker: SpeakerLike) -> None:
        self.name = speaker.name
        self._speaker = speaker
        self._resampler = Resampler(SAMPLE_RATE, speaker.rate)
        self._margin = np.zeros(round(speaker.rate * MARGIN_SECONDS), np.float32)

    def start(self) -> None:
        """Open the speaker."""
        self._speaker.start()

    def write(self, pcm: Pcm) -> float:
        """Queue `pcm`; returns in how many seconds its first sample will be heard."""
        if self._speaker.failed:
            raise MoshiTuiError(
                "The speaker has failed",
                f"{self.name}: {self._speaker.failed}",
                "Check the device, then start again; --output-device names another one.",
            )
        ring = self._speaker.ring
        if ring.fill == 0:
            ring.push(self._margin)
        ahead = self.waiting_s() + self._speaker.latency_s + self._resampler.delay_s
        ring.push(self._resampler.process(pcm))
        return ahead

    def flush(self) -> None:
        """Forget what has not been played yet."""
        self._speaker.ring.flush()

    def waiting_s(self) -> float:
        """Seconds of sound that wait to be played."""
        return self._speaker.ring.fill / self._speaker.rate

    def underruns(self) -> int:
        """Times that there was nothing to play."""
        return self._speaker.underruns

    def dropped_s(self) -> float:
        """Seconds of sound that did not fit."""
        return self._speaker.ring.dropped / self._speaker.rate

    def level(self) -> Level:
        """Loudness of what was played last."""
        rate = self._speaker.rate
        return measure(self._speaker.ring.played(round(rate * LEVEL_SECONDS)))

    def close(self, *, drain: bool) -> None:
        """Close the speaker."""
        self._speaker.close(drain=drain)


class FileSource:
    """The frames of a sound file, as fast as they are asked for; the last is filled up with
    silence.

    Any format, rate and channel count that libsndfile reads. The constructor raises MoshiTuiError.
    """

    silent_from_here = False

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.ended = False
        self._reader = AudioReader(path)
        self._frames = iter(self._reader)

    @property
    def seconds(self) -> float:
        """Length of the file, as its header says."""
        return self._reader.seconds

    @property
    def samples(self) -> int:
        """Samples read so far, at 24 kHz: the file's length once the last frame is out."""
        return self._reader.samples

    def start(self) -> None:
        """Nothing to do."""

    def read(self, stop: threading.Event) -> Frame | None:
        """The next frame at once; None at the end."""
        pcm = next(self._frames, None)
        if pcm is None:
            self.ended = True
            return None
        return Frame(pcm, time.monotonic())

    def discard(self) -> None:
        """Nothing waits."""

    def waiting_s(self) -> float:
        """Nothing waits."""
        return 0.0

    def dropped_s(self) -> float:
        """Nothing is lost."""
        return 0.0

    def level(self) -> Level:
        """A file has no "now"."""
        return SILENCE

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


class FileSink:
    """Frames into a 24 kHz mono WAV file.

    They are written beside it, as NAME.part; `keep` gives the file its name, so that an older one
    is only replaced by something worth having.

    Args:
        path: the file; None: the sound goes nowhere.
        limit: how many samples the file may have by now; what goes beyond is cut.

    Raises MoshiTuiError if the file can't be made.
    """

    def __init__(self, path: Path | None, limit: Callable[[], int]) -> None:
        self.name = path.name if path else "nowhere"
        self._path = path
        self._writer = WavWriter(path.with_name(f"{path.name}.part")) if path else None
        self._limit = limit
        self._lock = threading.Lock()
        self._over = False

    def start(self) -> None:
        """Nothing to do."""

    def write(self, pcm: Pcm) -> float:
        """Append `pcm`."""
        with self._lock:
            if self._writer is not None and not self._over:
                self._writer.write(pcm[: max(0, self._limit() - self._writer.samples)])
        return 0.0

    def keep(self) -> None:
        """Complete the file and give it its name; what is written after that is lost."""
        self.close(drain=False)
        if self._writer is not None and self._path is not None:
            os.replace(self._writer.path, self._path)

    def drop(self) -> None:
        """Remove what was written."""
        self.close(drain=False)
        if self._writer is not None:
            self._writer.path.unlink(missing_ok=True)

    def flush(self) -> None:
        """What is written stays."""

    def waiting_s(self) -> float:
        """Nothing waits."""
        return 0.0

    def underruns(self) -> int:
        """None."""
        return 0

    def dropped_s(self) -> float:
        """Nothing is lost."""
        return 0.0

    def level(self) -> Level:
        """A file has no "now"."""
        return SILENCE

    def close(self, *, drain: bool) -> None:
        """Complete what is written. A decode thread that is still at work writes no more."""
        with self._lock:
            self._over = True
            if self._writer is not None:
                self._writer.close()
