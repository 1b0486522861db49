"""The ends of a live talk, made so that the device behind them can be another one at any moment.

The thread that an end belongs to swaps, between two frames; so there is no lock, and nobody waits.
A device that fails is swapped for a stand-in that keeps time: silence for a microphone, nobody for
a speaker. Counters go on from where the device before left off. `keeper.py` opens and closes.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from moshi_tui.audio.devices import Device
from moshi_tui.audio.levels import Level
from moshi_tui.audio.ring import Pcm
from moshi_tui.audio.virtual import FileMicrophone, NullSpeaker
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE
from moshi_tui.session.endpoints import Frame, FrameSink, FrameSource
from moshi_tui.session.live import LiveSink, LiveSource

log = logging.getLogger(__name__)

End = TypeVar("End", FrameSource, FrameSink)

MOST_LEAD_SECONDS = 0.12
"""A new speaker takes over with as much waiting as the old one had, up to this."""
FADE_SECONDS = 0.005

_RISE = np.linspace(0.0, 1.0, round(FADE_SECONDS * SAMPLE_RATE), endpoint=False, dtype=np.float32)


@dataclass(frozen=True)
class Now(Generic[End]):
    """What is behind an end at a moment."""

    end: End
    name: str
    """Of the device; of the one that is gone as long as there is no other."""
    device: Device | None
    """None: a file. Of the one that is gone, as above."""
    lost: str = ""
    """Why the device is gone: `end` is a stand-in. Empty while all is well."""
    tell: bool = True
    """The change is worth telling."""
    counted: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """What the devices before have counted. Swapped together with `end`, so that no sum ever goes
    back."""


Swapped = Callable[[Now[End], Now[End]], None]
"""Told of each swap, before and after, on the thread that the end belongs to."""


def at_work(end: End) -> Now[End]:
    """An end that works."""
    return Now(end, end.name, end.device)


def no_microphone() -> FrameSource:
    """Silence, in real time."""
    silence = LiveSource(FileMicrophone(np.zeros(FRAME_SAMPLES, np.float32), loop=True))
    silence.start()
    return silence


def no_speaker() -> FrameSink:
    """Nobody, in real time."""
    nobody = LiveSink(NullSpeaker())
    nobody.start()
    return nobody


class _Switchable(ABC, Generic[End]):
    """What both have in common.

    Args:
        end: what is behind it at first.
        swapped: see `Swapped`.
    """

    live = True
    ended = False

    def __init__(self, end: End, swapped: Swapped[End]) -> None:
        self.now: Now[End] = at_work(end)
        self._swapped: Swapped[End] = swapped
        self._coming: deque[Now[End]] = deque()
        self._over = False

    @property
    def name(self) -> str:
        """Of the device, also while it is gone."""
        return self.now.name

    @property
    def device(self) -> Device | None:
        """What sound flows through now: None for a file, and while the device is gone."""
        return None if self.now.lost else self.now.device

    @property
    def rate(self) -> int | None:
        """The device's own; None for a file, and while the device is gone."""
        return self.now.end.rate

    @property
    def lost(self) -> str:
        """Why the device is gone, in one sentence; empty while it works."""
        return self.now.lost

    @property
    def newest(self) -> Now[End]:
        """What is on its way and will be behind it at last; else what is there now."""
        try:
            return self._coming[-1]
        except IndexError:
            return self.now

    @property
    def settled(self) -> bool:
        """Nothing is on its way."""
        return not self._coming

    @property
    def in_need(self) -> bool:
        """A device is gone and nothing is on its way (a file does not come back)."""
        return bool(self.now.lost) and self.now.device is not None and not self._coming

    def put(self, coming: Now[End]) -> None:
        """Take this one from the next frame on; it is started already. From any thread."""
        self._coming.append(coming)
        if self._over:
            self._close_all()

    def start(self) -> None:
        """Let sound flow."""
        self.now.end.start()

    def latency_s(self) -> float:
        """The device's of now."""
        return self.now.end.latency_s()

    def waiting_s(self) -> float:
        """Where frames come from or go to now."""
        return self.now.end.waiting_s()

    def level(self) -> Level:
        """Loudness now."""
        return self.now.end.level()

    def _take_over(self) -> None:
        while True:
            try:
                coming = self._coming[0]
            except IndexError:
                return
            try:
                self._swap(coming)
            finally:
                with suppress(IndexError):  # all that comes has been closed meanwhile
                    self._coming.popleft()

    def _stand_in(self, end: End, error: MoshiTuiError) -> None:
        why = error.message.removeprefix(f"{self.name}: ")
        log.warning("%s: %s", error.title, error.message)
        self._swap(replace(self.now, end=end, lost=why, tell=True))

    def _swap(self, coming: Now[End]) -> None:
        before = self.now
        self._follow(before.end, coming.end)
        counts = zip(before.counted, self._counts(before.end), strict=True)
        self.now = replace(coming, counted=tuple(old + new for old, new in counts))
        self._swapped(before, self.now)

    @abstractmethod
    def _follow(self, old: End, new: End) -> None:
        """See to it that there is no click."""

    @abstractmethod
    def _counts(self, end: End) -> tuple[float, float, float, float]:
        """What one device has counted."""

    def _count(self, which: int) -> float:
        now = self.now
        return now.counted[which] + self._counts(now.end)[which]

    def _close_all(self, *, drain: bool = False) -> None:
        """Close what is behind it, and what never got there or comes too late."""
        self._over = True
        ends = [self.now.end]
        while self._coming:
            ends.append(self._coming.popleft().end)
        for end in ends:
            self._close_one(end, drain)

    @abstractmethod
    def _close_one(self, end: End, drain: bool) -> None:
        """Let go of the device."""


class SwitchableSource(_Switchable[FrameSource]):
    """A microphone that can be changed. A `FrameSource`, live."""

    def __init__(self, end: FrameSource, swapped: Swapped[FrameSource]) -> None:
        super().__init__(end, swapped)
        self._last = 0.0  # sample handed out
        self._joined = False  # what comes next does not follow it

    @property
    def silent_from_here(self) -> bool:
        """A file that stands for the microphone has been heard to its end."""
        return not self.lost and self.now.end.silent_from_here

    @property
    def patient(self) -> bool:
        """Of whoever speaks into the one of now."""
        return self.now.end.patient

    def meet(self, moshi: Callable[[], Level], tell: Callable[[str], None]) -> None:
        """Whoever speaks into the first one: what comes later is another person's."""
        self.now.end.meet(moshi, tell)

    def read(self, stop: threading.Event, most: int = 1) -> list[Frame]:
        """The next frame or frames, of whichever microphone; silence where it has failed."""
        self._take_over()
        try:
            frames = self.now.end.read(stop, most)
        except MoshiTuiError as error:
            self._stand_in(no_microphone(), error)
            return []
        if frames:
            if self._joined:
                frames[0] = replace(frames[0], pcm=self._decayed_into(frames[0].pcm))
            self._last = float(frames[-1].pcm[-1])
        return frames

    def _decayed_into(self, pcm: Pcm) -> Pcm:
        """The old microphone's last sample falls to zero while the new one fades in: a step would
        be a click to the codec."""
        self._joined = False
        joined = pcm.copy()
        joined[: len(_RISE)] += (1 - _RISE) * np.float32(self._last)
        return joined

    def _follow(self, old: FrameSource, new: FrameSource) -> None:
        new.discard()  # what it has heard since it was opened would stay as lag
        self._joined = True

    def _counts(self, end: FrameSource) -> tuple[float, float, float, float]:
        return end.dropped_s(), end.overflows(), 0, 0

    def discard(self) -> None:
        """Forget what waits to be read."""
        self.now.end.discard()

    def lose(self) -> None:
        """Leave out what waits to be read; it counts as lost."""
        self.now.end.lose()

    def dropped_s(self) -> float:
        """Of all devices so far."""
        return self._count(0)

    def overflows(self) -> int:
        """Of all devices so far."""
        return round(self._count(1))

    def close(self) -> None:
        """Close what there is."""
        self._close_all()

    def _close_one(self, end: FrameSource, drain: bool) -> None:
        end.close()


class SwitchableSink(_Switchable[FrameSink]):
    """A speaker that can be changed. A `FrameSink`, live."""

    def __init__(self, end: FrameSink, swapped: Swapped[FrameSink]) -> None:
        super().__init__(end, swapped)
        self._joined = False

    def write(self, pcm: Pcm) -> float:
        """Play `pcm` on whichever speaker; to nobody where it has failed."""
        self._take_over()
        if self._joined and len(pcm):
            self._joined = False
            pcm = pcm.copy()
            pcm[: len(_RISE)] *= _RISE[: len(pcm)]
        try:
            return self.now.end.write(pcm)
        except MoshiTuiError as error:
            self._stand_in(no_speaker(), error)
            return self.now.end.write(pcm)

    def _follow(self, old: FrameSink, new: FrameSink) -> None:
        # As much waits at the new one as did at the old: who plans the playout need not know.
        lead_s = min(old.slack_s(), MOST_LEAD_SECONDS)
        with suppress(MoshiTuiError):  # it has failed already: the next `write` finds out
            new.write(np.zeros(round(lead_s * SAMPLE_RATE), np.float32))
        self._joined = True

    def _counts(self, end: FrameSink) -> tuple[float, float, float, float]:
        return end.underruns(), end.gap_s(), end.underflows(), end.dropped_s()

    def flush(self) -> None:
        """Forget what has not been played yet."""
        self.now.end.flush()

    def slack_s(self) -> float:
        """Seconds until there is nothing to play if nothing is written."""
        return self.now.end.slack_s()

    def underruns(self) -> int:
        """Of all devices so far."""
        return round(self._count(0))

    def gap_s(self) -> float:
        """Of all devices so far."""
        return self._count(1)

    def underflows(self) -> int:
        """Of all devices so far."""
        return round(self._count(2))

    def dropped_s(self) -> float:
        """Of all devices so far."""
        return self._count(3)

    def close(self, *, drain: bool) -> None:
        """Close what there is."""
        self._close_all(drain=drain)

    def _close_one(self, end: FrameSink, drain: bool) -> None:
        end.close(drain=drain)
