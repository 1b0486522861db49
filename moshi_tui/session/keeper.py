"""Opens another microphone or speaker while the talk goes on, and mends what has failed.

Opening and closing take their time, and PortAudio bears only one thread that does it; so there is a
thread for it, and the ends (`switch.py`) get what is ready to be used. Where PortAudio must look
anew to find a device that was plugged in later, all streams are closed for a moment.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from moshi_tui.audio.devices import Device
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.attempt import Attempt
from moshi_tui.session.endpoints import FrameSink, FrameSource
from moshi_tui.session.events import DeviceChanged, DeviceLost, Event, Notice, Side
from moshi_tui.session.switch import (
    End,
    Now,
    SwitchableSink,
    SwitchableSource,
    at_work,
    no_microphone,
    no_speaker,
)

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
"""A device that is gone is looked for so often..."""
MOST_RETRY_SECONDS = 30.0
"""...and less and less often where that disturbs the other side."""
OPEN_SECONDS = 6.0
"""What has not opened by then does not answer."""
CLOSE_SECONDS = 0.5
FREE_SECONDS = 2.0
"""Until the last stream is closed."""

SIDES: tuple[Side, Side] = ("input", "output")
_WORD: dict[Side, str] = {"input": "microphone", "output": "speaker"}


class Opener(Protocol):
    """What the keeper needs of the sound system; `ends.Devices` is the real one. Every method may
    take long, and raises MoshiTuiError."""

    def source(self, device: Device) -> FrameSource:
        """A microphone, found by its name, with sound flowing."""

    def sink(self, device: Device) -> FrameSink:
        """A speaker, in the same way."""

    def known(self, side: Side, device: Device) -> bool:
        """Whether it can be opened without looking anew."""

    def plugged_in(self, side: Side, device: Device) -> bool:
        """Whether it is there now, known or not."""

    def look_anew(self) -> bool:
        """Find new devices; False while a stream is open."""


@dataclass(frozen=True)
class _Use:
    side: Side
    device: Device


class Keeper:
    """Both ends of a live talk, and the thread that keeps them going.

    Args:
        source, sink: what the talk begins with.
        opener: the sound system.
        emit: gets the events.
        frame: number of the newest frame, for the events.
    """

    def __init__(
        self,
        source: FrameSource,
        sink: FrameSink,
        opener: Opener,
        emit: Callable[[Event], None],
        frame: Callable[[], int],
    ) -> None:
        self.source = SwitchableSource(source, self._source_swapped)
        self.sink = SwitchableSink(sink, self._sink_swapped)
        self._opener = opener
        self._emit = emit
        self._frame = frame
        self._stop = threading.Event()
        self._jobs: queue.Queue[_Use | None] = queue.Queue()
        self._closing: list[threading.Thread] = []
        self._waits: dict[Side, float] = dict.fromkeys(SIDES, RETRY_SECONDS)
        self._due: dict[Side, float] = dict.fromkeys(SIDES, 0.0)

    def use(self, side: Side, device: Device) -> None:
        """Take this device. Returns at once; an event follows."""
        self._jobs.put(_Use(side, device))

    def run(self) -> None:
        """Until `close`. The body of the thread."""
        while not self._stop.is_set():
            try:
                job = self._jobs.get(timeout=self._until_due())
            except queue.Empty:
                job = None
            if job is not None:
                self._use(job.side, job.device)
            for side in self._lost():
                if not self._stop.is_set() and time.monotonic() >= self._due[side]:
                    self._mend(side)

    def close(self) -> None:
        """Let `run` end, and wait for what is being closed. What hangs is left alone."""
        self._stop.set()
        self._jobs.put(None)
        for thread in list(self._closing):
            thread.join(CLOSE_SECONDS)

    # Swaps, told on the thread of the end.

    def _source_swapped(self, before: Now[FrameSource], after: Now[FrameSource]) -> None:
        self._retire(before.end.close)
        self._tell("input", before, after)

    def _sink_swapped(self, before: Now[FrameSink], after: Now[FrameSink]) -> None:
        self._retire(partial(_fade_out, before.end))
        self._tell("output", before, after)

    def _retire(self, close: Callable[[], None]) -> None:
        closer = threading.Thread(target=close, name="sound-close", daemon=True)
        closer.start()
        self._closing = [*(each for each in self._closing if each.is_alive()), closer]

    def _tell(
        self,
        side: Side,
        before: Now[FrameSource] | Now[FrameSink],
        after: Now[FrameSource] | Now[FrameSink],
    ) -> None:
        if after.lost:
            self._due[side] = time.monotonic() + self._waits[side]
            self._emit(DeviceLost(self._frame(), side, after.name, after.lost))
            self._jobs.put(None)  # so that the keeper looks at the time
        elif after.tell or before.lost:
            self._waits[side] = RETRY_SECONDS
            self._emit(DeviceChanged(self._frame(), side, after.name))

    # The keeper's thread.

    def _lost(self) -> list[Side]:
        """The sides that need a device."""
        needs = (self.source.in_need, self.sink.in_need)
        return [side for side, need in zip(SIDES, needs, strict=True) if need]

    def _until_due(self) -> float | None:
        lost = self._lost()
        if not lost:
            return None
        return max(0.0, min(self._due[side] for side in lost) - time.monotonic())

    def _use(self, side: Side, device: Device) -> None:
        """Take another device; answered by the swap, or by a notice."""
        used = self.source.device if side == "input" else self.sink.device
        if _same(used, device) and used is not None and used.index == device.index:
            # Many can't be opened twice, and there is nothing to change.
            self._emit(DeviceChanged(self._frame(), side, device.name))
            return
        try:
            try:
                self._open(side, device)
            except MoshiTuiError:
                # What was gone and is back may have another address.
                was_gone = side in self._lost() and _same(self._device(side), device)
                if self._opener.known(side, device) and not was_gone:
                    raise
                if not self._opener.plugged_in(side, device):
                    raise
                self._open_anew(side, device)
        except MoshiTuiError as error:
            log.warning("%s: %s", error.title, error.message)
            if not self._stop.is_set():
                self._emit(Notice(error.title, error.message, error.hint))

    def _device(self, side: Side) -> Device | None:
        """The one in use, or the one that is gone."""
        return self.source.now.device if side == "input" else self.sink.now.device

    def _mend(self, side: Side) -> None:
        """Try to get back what is gone."""
        device = self._device(side)
        assert device is not None
        try:
            try:
                self._open(side, device)
            except MoshiTuiError:
                if not self._opener.plugged_in(side, device):
                    raise
                # This interrupts the other side: less often if it does not help.
                self._waits[side] = min(2 * self._waits[side], MOST_RETRY_SECONDS)
                self._open_anew(side, device)
        except MoshiTuiError as error:
            log.info("%s is not back: %s", device.name, error.message)
        self._due[side] = time.monotonic() + self._waits[side]

    def _open(self, side: Side, device: Device, *, tell: bool = True) -> None:
        """Open it and let the end take it over. Raises MoshiTuiError."""
        if side == "input":
            self.source.put(replace(at_work(self._source(device)), tell=tell))
        else:
            self.sink.put(replace(at_work(self._sink(device)), tell=tell))

    def _open_anew(self, side: Side, device: Device) -> None:
        """Close all streams, let PortAudio look, open this device, and the others again.

        Raises MoshiTuiError if this one can't be had; the others are back then.
        """
        if self._stop.is_set():
            return
        held = self._close_all()
        try:
            self._look_anew()
            self._open(side, device)
            del held[side]
        finally:
            for each, before in held.items():
                if before is not None:
                    self._bring_back(each, before)

    def _close_all(self) -> dict[Side, Device | None]:
        """Close both devices under their ends, which then hear and play nothing; returns them."""
        held: dict[Side, Device | None]
        held = {"input": self.source.device, "output": self.sink.device}
        if held["input"] is not None:
            self.source.now.end.close()
        if held["output"] is not None:
            _fade_out(self.sink.now.end)
        return held

    def _look_anew(self) -> None:
        deadline = time.monotonic() + FREE_SECONDS
        while not self._opener.look_anew():
            if time.monotonic() > deadline or self._stop.wait(0.05):
                raise MoshiTuiError(
                    "Cannot look for new devices",
                    "A sound device is still in use.",
                    "Try again, or start moshi-tui again.",
                )

    def _bring_back(self, side: Side, device: Device) -> None:
        """Open again what was closed; if that fails, the device is gone."""
        try:
            self._open(side, device, tell=False)
        except MoshiTuiError as error:
            if side == "input":
                gone = replace(self.source.now, end=no_microphone(), lost=error.message)
                self.source.put(gone)
            else:
                self.sink.put(replace(self.sink.now, end=no_speaker(), lost=error.message))

    def _source(self, device: Device) -> FrameSource:
        attempt = Attempt(partial(self._opener.source, device), lambda late: late.close())
        return _given(attempt.result(OPEN_SECONDS, self._stop), device)

    def _sink(self, device: Device) -> FrameSink:
        attempt = Attempt(partial(self._opener.sink, device), lambda late: late.close(drain=False))
        return _given(attempt.result(OPEN_SECONDS, self._stop), device)


def _same(one: Device | None, other: Device) -> bool:
    return one is not None and (one.name, one.host_api) == (other.name, other.host_api)


def _given(end: End | None, device: Device) -> End:
    if end is None:
        raise MoshiTuiError(
            "The device does not answer",
            f"{device.name} has not opened within {OPEN_SECONDS:.0f} seconds.",
            "Choose another one, or try again in a while.",
        )
    return end


def _fade_out(sink: FrameSink) -> None:
    """Close a speaker without a click."""
    sink.flush()
    sink.close(drain=True)
