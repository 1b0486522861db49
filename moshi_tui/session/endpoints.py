"""Frames in, frames out: what the stages see of a microphone, a speaker or a file.

The live ends are in `live.py`; the file ends here read and write as fast as the model can go.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from moshi_tui.audio.devices import Device
from moshi_tui.audio.files import AudioReader, WavWriter
from moshi_tui.audio.levels import SILENCE, Level
from moshi_tui.audio.ring import Pcm
from moshi_tui.errors import MoshiTuiError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frame:
    """One frame of the user's side."""

    pcm: Pcm
    """[1920] float32."""
    captured_at: float
    """When its last sample was at the microphone, by the clock of the session, in seconds."""
    lost: int = 0
    """Whole frames of sound (rounded) that were lost directly before it, because nobody read them
    in time."""


class FrameSource(Protocol):
    """Where frames come from. Belongs to the encode thread, but for what says otherwise."""

    @property
    def name(self) -> str:
        """For the person."""
        ...

    @property
    def device(self) -> Device | None:
        """The sound card that it comes from; None for a file."""
        ...

    @property
    def rate(self) -> int | None:
        """Samples a second of the sound card itself; None for a file."""
        ...

    @property
    def live(self) -> bool:
        """Frames come in real time, whether somebody reads them or not (False for a file that is
        read as fast as it goes)."""
        ...

    @property
    def ended(self) -> bool:
        """No frame will ever come again (never True for a live end)."""
        ...

    @property
    def silent_from_here(self) -> bool:
        """A file that stands for the microphone has been heard to its end."""
        ...

    @property
    def patient(self) -> bool:
        """Who speaks is no person, and does not mind when the answer comes a bit later (any
        thread)."""
        ...

    def meet(self, moshi: Callable[[], Level], tell: Callable[[str], None]) -> None:
        """Whoever speaks and is no person hears by `moshi` how loud Moshi sounds, and tells each
        line as it begins (on a thread of its own)."""
        ...

    def start(self) -> None:
        """Let sound flow. Raises MoshiTuiError."""
        ...

    def read(self, stop: threading.Event, most: int = 1) -> list[Frame]:
        """The next frame, and up to `most` in all if more are waiting already; oldest first.

        Empty if `stop` is set or nothing came within a tenth of a second or so. Raises
        MoshiTuiError if the microphone has failed.
        """
        ...

    def discard(self) -> None:
        """Forget what waits to be read."""
        ...

    def lose(self) -> None:
        """Leave out what waits to be read; it counts as lost."""
        ...

    def waiting_s(self) -> float:
        """Seconds of sound that wait to be read (any thread)."""
        ...

    def dropped_s(self) -> float:
        """Seconds of sound lost because nobody read them in time (any thread)."""
        ...

    def overflows(self) -> int:
        """Times that the system said it lost input before we saw it (any thread)."""
        ...

    def latency_s(self) -> float:
        """Seconds from the air to the moment when a sample can be read, waiting not counted:
        measured where the device tells (any thread)."""
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

    @property
    def device(self) -> Device | None:
        """The sound card that it goes to; None for a file."""
        ...

    @property
    def rate(self) -> int | None:
        """Samples a second of the sound card itself; None for a file."""
        ...

    def start(self) -> None:
        """Let sound flow. Raises MoshiTuiError."""
        ...

    def write(self, pcm: Pcm) -> float:
        """Play `pcm` [n] float32, 24 kHz, any n; returns in how many seconds its first sample will
        be heard (with n = 0: that of the next write, if it came at once).

        Raises MoshiTuiError if the speaker has failed.
        """
        ...

    def flush(self) -> None:
        """Forget what has not been played yet."""
        ...

    def waiting_s(self) -> float:
        """Seconds of sound that wait to be played: in the ring, not in the resampler or the device
        (any thread)."""
        ...

    def underruns(self) -> int:
        """Times that there was nothing to play (any thread)."""
        ...

    def slack_s(self) -> float:
        """Seconds until there is nothing to play if nothing is written; 0 if that is so already
        (any thread)."""
        ...

    def gap_s(self) -> float:
        """Seconds that these times lasted, in all (any thread)."""
        ...

    def underflows(self) -> int:
        """Times that the system said we came too late for it (any thread)."""
        ...

    def latency_s(self) -> float:
        """Seconds from a write to the air with nothing waiting: measured where the device tells
        (any thread)."""
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


class FileSource:
    """The frames of a sound file, as fast as they are asked for; the last is filled up with
    silence.

    Any format, rate and channel count that libsndfile reads. The constructor raises MoshiTuiError.
    """

    device = None
    rate = None
    live = False
    silent_from_here = False
    patient = False

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.ended = False
        self._reader = AudioReader(path)
        self._frames = iter(self._reader)

    @property
    def seconds(self) -> float:
        """Length of the file, as its header says."""
        return self._reader.seconds

    def meet(self, moshi: Callable[[], Level], tell: Callable[[str], None]) -> None:
        """A file does not listen."""

    @property
    def samples(self) -> int:
        """Samples read so far, at 24 kHz: the file's length once the last frame is out."""
        return self._reader.samples

    def start(self) -> None:
        """Nothing to do."""

    def read(self, stop: threading.Event, most: int = 1) -> list[Frame]:
        """The next frame, never more, at once; none at the end."""
        pcm = next(self._frames, None)
        if pcm is None:
            self.ended = True
            return []
        return [Frame(pcm, time.monotonic())]

    def discard(self) -> None:
        """Nothing waits."""

    def lose(self) -> None:
        """Nothing waits."""

    def waiting_s(self) -> float:
        """Nothing waits."""
        return 0.0

    def dropped_s(self) -> float:
        """Nothing is lost."""
        return 0.0

    def overflows(self) -> int:
        """None."""
        return 0

    def latency_s(self) -> float:
        """None."""
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

    device = None
    rate = None

    def __init__(self, path: Path | None, limit: Callable[[], int]) -> None:
        self.name = path.name if path else "nowhere"
        self._path = path
        self._writer = _beside(path) if path else None
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
        if self._writer is None or self._path is None:
            return
        try:
            self.close(drain=False)
        except MoshiTuiError:
            self._writer.path.unlink(missing_ok=True)
            raise
        os.replace(self._writer.path, self._path)

    def drop(self) -> None:
        """Remove what was written."""
        try:
            self.close(drain=False)
        except MoshiTuiError:
            log.info("what is dropped could not be completed", exc_info=True)
        finally:
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

    def slack_s(self) -> float:
        """A file does not run dry."""
        return 0.0

    def gap_s(self) -> float:
        """None."""
        return 0.0

    def underflows(self) -> int:
        """None."""
        return 0

    def latency_s(self) -> float:
        """None."""
        return 0.0

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


def _beside(path: Path) -> WavWriter:
    """A writer of NAME.part, which leaves nothing behind if it can't write."""
    part = path.with_name(f"{path.name}.part")
    try:
        return WavWriter(part, shown=path)
    except MoshiTuiError:
        part.unlink(missing_ok=True)
        raise
