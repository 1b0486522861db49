"""The deck: recorded sound on its way to the ear, and what of it is there now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from moshi_tui.audio.levels import Level, measure
from moshi_tui.audio.ring import Pcm
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import SAMPLE_RATE
from moshi_tui.recording.reader import Recording
from moshi_tui.replay.tempo import Tempo
from moshi_tui.session.live import LEVEL_SECONDS
from moshi_tui.session.volume import Volume

LEAD_SECONDS = 0.2
"""Sound that waits at the speaker: a busy machine may let us wait for so long."""
BLOCK = 960
"""Samples that are written at a time, 40 ms; a change of volume is spread over them."""

_NOTHING = np.zeros(0, np.float32)


class Ear(Protocol):
    """What the deck needs of a `FrameSink`."""

    def write(self, pcm: Pcm) -> float:
        """See `FrameSink`."""
        ...

    def flush(self) -> None:
        """See `FrameSink`."""
        ...

    def waiting_s(self) -> float:
        """See `FrameSink`."""
        ...

    def close(self, *, drain: bool) -> None:
        """See `FrameSink`."""
        ...


class Nobody:
    """Takes sound at once, and nobody hears it."""

    def write(self, pcm: Pcm) -> float:
        """Nothing waits."""
        return 0.0

    def flush(self) -> None:
        """Nothing waits."""

    def waiting_s(self) -> float:
        """Nothing waits."""
        return 0.0

    def close(self, *, drain: bool) -> None:
        """Nothing to do."""


class Deck:
    """Plays both sides of a recording, mixed. Belongs to one thread.

    An ear that takes everything at once (a file, nobody) is given it by the clock.

    Args:
        recording: its sound is read here.
        position_s: where to begin.
        volume_db: how loud to begin.
        clock: seconds.
    """

    def __init__(
        self,
        recording: Recording,
        position_s: float,
        volume_db: float,
        *,
        clock: Callable[[], float],
    ) -> None:
        self.ear: Ear = Nobody()
        self.lost: MoshiTuiError | None = None
        """Why the ear has failed; nobody listens since."""
        self.volume = Volume(volume_db)
        self._recording = recording
        self._clock = clock
        self._tempo = Tempo(1.0)
        self._start = 0  # sample at which it began to play, or went on
        self._read = 0  # from there to here
        self._written = 0  # samples since the start, as they are played
        self._heard = 0.0  # sample that is at the ear
        self._finished = False  # all was written
        self._ends_at = 0.0  # when the last of what was written is heard
        self._paced_until = 0.0  # the same, of an ear that takes everything at once
        self._go_on(self._sample(position_s))

    @property
    def position_s(self) -> float:
        """What is at the ear, as of the last call."""
        return self._heard / SAMPLE_RATE

    @property
    def over(self) -> bool:
        """All of it has been heard."""
        return self._heard >= self._recording.samples

    def play(self) -> None:
        """Write what can be written now. Raises MoshiTuiError if the recording can't be read."""
        try:
            self._play()
        except _EarFailedError as failure:
            self._play_to_nobody(failure.why)

    def halt(self) -> None:
        """Silence, now. It can go on from the first sample that is not heard any more."""
        try:
            self._halt()
        except _EarFailedError as failure:
            self._play_to_nobody(failure.why)

    def turn_to(self, position_s: float, speed: float) -> None:
        """Go on from there, at this speed; after `halt`."""
        self._tempo = Tempo(speed)
        self._go_on(self._sample(position_s))

    def levels(self) -> tuple[Level, Level]:
        """How loud the user and Moshi were in the last moment. Raises MoshiTuiError."""
        count = round(LEVEL_SECONDS * SAMPLE_RATE)
        sound = self._recording.sound(round(self._heard) - count, count)
        return measure(sound[:, 0]), measure(sound[:, 1])

    def _play(self) -> None:
        while not self._finished and self._lead_s() < LEAD_SECONDS:
            self._write(self._next())
        self._locate()
        if self._finished and self._clock() >= self._ends_at and self._lead_s() <= 0:
            self._heard = self._recording.samples

    def _halt(self) -> None:
        end = self._locate()
        self.ear.flush()
        self._paced_until = self._clock()
        # What the device has already will be heard.
        self._go_on(round(min(end, self._heard + self._ahead())))

    def _locate(self) -> float:
        """Look what is at the ear now; returns the sample up to which all was written."""
        end = min(self._start + self._written * self._tempo.speed, self._recording.samples)
        self._heard = max(self._heard, end - self._ahead())
        return end

    def _go_on(self, sample: int) -> None:
        self._tempo = Tempo(self._tempo.speed)
        self._start = self._read = sample
        self._heard = float(sample)
        self._written = 0
        self._finished = False
        self._ends_at = self._paced_until = self._clock()

    def _sample(self, position_s: float) -> int:
        return min(max(0, round(position_s * SAMPLE_RATE)), self._recording.samples)

    def _next(self) -> Pcm:
        """The next block; where the recording ends all that is left."""
        count = round(BLOCK * self._tempo.speed)
        count = min(count, self._recording.samples - self._read)
        sound = self._recording.sound(self._read, count)
        self._read += count
        mixed: Pcm = np.clip(sound[:, 0] + sound[:, 1], -1.0, 1.0)
        pcm = self._tempo.process(mixed)
        if self._read >= self._recording.samples:
            self._finished = True
            pcm = np.concatenate((pcm, self._tempo.finish()))
        return pcm

    # The ear.

    def _write(self, pcm: Pcm) -> None:
        ahead_s = self._say(self.volume.apply(pcm))
        now, seconds = self._clock(), len(pcm) / SAMPLE_RATE
        if self.ear.waiting_s() <= 0:
            self._paced_until = max(self._paced_until, now) + seconds
        self._ends_at = max(now + ahead_s + seconds, self._paced_until)
        self._written += len(pcm)

    def _lead_s(self) -> float:
        """Seconds of sound that wait to be played."""
        return max(self.ear.waiting_s(), self._paced_until - self._clock())

    def _ahead(self) -> float:
        """Samples of the recording that are heard before what would be written now."""
        seconds = max(self._say(_NOTHING), self._paced_until - self._clock(), 0.0)
        return seconds * SAMPLE_RATE * self._tempo.speed

    def _say(self, pcm: Pcm) -> float:
        try:
            return self.ear.write(pcm)
        except MoshiTuiError as error:
            raise _EarFailedError(error) from error

    def _play_to_nobody(self, why: MoshiTuiError) -> None:
        self.lost = why
        self.ear.close(drain=False)
        self.ear = Nobody()
        self._go_on(round(self._heard))


class _EarFailedError(Exception):
    def __init__(self, why: MoshiTuiError) -> None:
        super().__init__(str(why))
        self.why = why
