"""Opens another microphone or speaker while the talk goes on, and mends what has failed.

Opening and closing take their time, and PortAudio bears only one thread that does it; so there is a
thread for it, and the ends (`switch.py`) get what is ready to be used. Where PortAudio must look
anew to find a device that was plugged in later, both devices are closed for a moment; not if
somebody else has a stream open (the screen that tries microphones), for then it would not help.

Of several wishes for one side only the last counts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from moshi_tui.audio.devices import Device, NoAnswerError, let_hang
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
SETTLE_SECONDS = 1.0
"""Until an end has taken over what was opened for it, and what it had before is closed."""

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

    def streams(self) -> int:
        """How many streams are open: those of the talk, and others."""

    def look_anew(self) -> bool:
        """Find new devices; False while a stream is open."""


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
        self._wake = threading.Event()
        self._wishes: dict[Side, Device] = {}
        self._wishing = threading.Lock()
        self._closing: list[threading.Thread] = []
        self._waits: dict[Side, float] = dict.fromkeys(SIDES, RETRY_SECONDS)
        self._due: dict[Side, float] = dict.fromkeys(SIDES, 0.0)

    def use(self, side: Side, device: Device) -> None:
        """Take this device. Returns at once; an event follows."""
        with self._wishing:
            self._wishes.pop(side, None)  # the last wish comes last
            self._wishes[side] = device
        self._wake.set()

    def run(self) -> None:
        """Until `close`. The body of the thread."""
        while not self._stop.is_set():
            self._wake.wait(self._until_due())
            self._wake.clear()
            self._grant()
            for side in SIDES:
                due = self._end(side).in_need and time.monotonic() >= self._due[side]
                if due and not self._stop.is_set():
                    self._mend(side)
                    self._grant()  # no wish waits until both sides are mended

    def close(self) -> None:
        """Let `run` end, and wait for what is being closed. What hangs is left alone."""
        self._stop.set()
        self._wake.set()
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
            self._wake.set()  # so that the keeper looks at the time
        elif after.tell or before.lost:
            self._waits[side] = RETRY_SECONDS
            self._emit(DeviceChanged(self._frame(), side, after.name, after.end.rate))

    # The keeper's thread.

    def _lost(self) -> list[Side]:
        """The sides that need a device."""
        return [side for side in SIDES if self._end(side).in_need]

    def _until_due(self) -> float | None:
        lost = self._lost()
        if not lost:
            return None
        return max(0.0, min(self._due[side] for side in lost) - time.monotonic())

    def _grant(self) -> None:
        """Do what is wished for."""
        while not self._stop.is_set():
            with self._wishing:
                if not self._wishes:
                    return
                side = next(iter(self._wishes))
                device = self._wishes.pop(side)
            self._use(side, device)

    def _use(self, side: Side, device: Device) -> None:
        """Take another device; answered by the swap, or by a notice."""
        newest = self._end(side).newest
        used = None if newest.lost else newest.device
        if _same(used, device) and used is not None and used.index == device.index:
            # Many can't be opened twice, and there is nothing to change.
            self._emit(DeviceChanged(self._frame(), side, device.name, newest.end.rate))
            return
        self._settle(side)
        try:
            try:
                self._open(side, device, unless_wished=True)
            except NoAnswerError:
                raise
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
                self._emit(Notice(error.title, error.message, error.hint, side))

    def _end(self, side: Side) -> SwitchableSource | SwitchableSink:
        return self.source if side == "input" else self.sink

    def _device(self, side: Side) -> Device | None:
        """The one in use, or the one that is gone."""
        return self._end(side).now.device

    def _settle(self, side: Side) -> None:
        """Wait until what was opened last is in use and what was in use before is closed: it may
        be wanted again, and many devices can't be opened twice."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while not self._end(side).settled and time.monotonic() < deadline:
            if self._stop.wait(0.02):
                return
        for thread in list(self._closing):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _mend(self, side: Side) -> None:
        """Try to get back what is gone."""
        device = self._device(side)
        assert device is not None
        try:
            try:
                self._open(side, device)
            except NoAnswerError:
                raise
            except MoshiTuiError:
                if not self._opener.plugged_in(side, device):
                    raise
                # This interrupts the other side: less often if it does not help.
                self._waits[side] = min(2 * self._waits[side], MOST_RETRY_SECONDS)
                self._open_anew(side, device)
        except MoshiTuiError as error:
            log.info("%s is not back: %s", device.name, error.message)
        self._due[side] = time.monotonic() + self._waits[side]

    def _open(
        self, side: Side, device: Device, *, tell: bool = True, unless_wished: bool = False
    ) -> None:
        """Open it and let the end take it over. Raises MoshiTuiError.

        Args:
            tell: it is news.
            unless_wished: not if there is another wish for this side by then.
        """
        if side == "input":
            source = self._source(device)
            if unless_wished and side in self._wishes:
                source.close()
            else:
                self.source.put(replace(at_work(source), tell=tell))
        else:
            sink = self._sink(device)
            if unless_wished and side in self._wishes:
                sink.close(drain=False)
            else:
                self.sink.put(replace(at_work(sink), tell=tell))

    def _open_anew(self, side: Side, device: Device) -> None:
        """Close both devices, let PortAudio look, open this device, and the other again.

        Raises MoshiTuiError if this one can't be had; the other is back then.
        """
        if self._stop.is_set():
            return
        self._wait_for_strangers()
        held = self._close_all()
        try:
            self._look_anew()
            self._open(side, device)
            del held[side]
        finally:
            for each, before in held.items():
                if before is not None:
                    self._bring_back(each, before)

    def _wait_for_strangers(self) -> None:
        """Until no streams are open but those of both ends. Raises MoshiTuiError if some stay."""
        deadline = time.monotonic() + FREE_SECONDS
        while self._opener.streams() > sum(
            end.device is not None for end in (self.source, self.sink)
        ):
            if time.monotonic() > deadline or self._stop.wait(0.05):
                raise _busy()

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
                raise _busy()

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


def _busy() -> MoshiTuiError:
    return MoshiTuiError(
        "Cannot look for new devices",
        "Another sound device is still being tried or closed.",
        "Try again in a moment.",
    )


def _given(end: End | None, device: Device) -> End:
    if end is None:
        let_hang()
        raise NoAnswerError(
            "The device does not answer",
            f"{device.name} has not opened within {OPEN_SECONDS:.0f} seconds.",
            "Choose another one, or try again in a while.",
        )
    return end


def _fade_out(sink: FrameSink) -> None:
    """Close a speaker without a click."""
    sink.flush()
    sink.close(drain=True)
