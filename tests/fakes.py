"""Stand-ins for the slow and the audible parts."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from moshi_tui.audio.devices import Device
from moshi_tui.audio.levels import Level
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_RATE
from moshi_tui.session.events import Event, Loading, Ready, SessionInfo, Side, Sought
from moshi_tui.session.stats import Stats
from moshi_tui.ui.engine_port import Listener

INFO = SessionInfo(
    model="moshiko",
    quant="q4",
    device="Apple M3 Max",
    codec="rustymimi",
    microphone="Built-in Microphone",
    speaker="Headphones",
    seed=1,
)


def call_on_thread(listener: Listener, events: Sequence[Event]) -> None:
    """With each of the events, on another thread than ours; returns when it is done."""

    def run() -> None:
        for event in events:
            listener(event)

    thread = threading.Thread(target=run, name="fake")
    thread.start()
    thread.join()


class FakeEngine:
    """An `EngineLike` that does what the test says.

    Use it as the factory's result: `MoshiApp(engine.listen_to)`. `fire` calls the listener on
    another thread, as the real engine does.
    """

    def __init__(self, *, stop_seconds: float = 0.0, heeds_timeout: bool = True) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.stats = Stats()
        self.released = threading.Event()
        self._stop_seconds = stop_seconds
        self._heeds_timeout = heeds_timeout
        self._listener: Listener | None = None

    def listen_to(self, listener: Listener) -> FakeEngine:
        """The factory."""
        self._listener = listener
        return self

    def start(self) -> None:
        self.calls.append(("start",))

    def stop(self, timeout: float) -> bool:
        """Takes `stop_seconds`, or until `released` is set."""
        self.calls.append(("stop", timeout))
        wait = min(timeout, self._stop_seconds) if self._heeds_timeout else self._stop_seconds
        return self.released.wait(wait) or self._stop_seconds <= timeout

    def set_muted(self, muted: bool) -> None:
        self.calls.append(("set_muted", muted))

    def reset(self) -> None:
        self.calls.append(("reset",))

    def set_volume(self, db: float) -> None:
        self.calls.append(("set_volume", db))
        self.update(volume_db=db)

    def use_device(self, side: Side, device: Device) -> None:
        self.calls.append(("use_device", side, device.name))

    def start_recording(self) -> None:
        self.calls.append(("start_recording",))

    def stop_recording(self) -> None:
        self.calls.append(("stop_recording",))

    def update(self, **numbers: Any) -> None:
        """Swap in a changed snapshot."""
        self.stats = replace(self.stats, **numbers)

    def fire(self, *events: Event) -> None:
        """Call the listener with each, on a thread of its own; returns when it is done."""
        listener = self._listener
        assert listener is not None, "no engine was made yet"

        call_on_thread(listener, events)

    def load(self) -> None:
        """Fire all of a quick loading."""
        for stage in Loading.STAGES:
            self.fire(Loading(stage, f"{stage} detail", 0.5))
        self.fire(Ready(INFO))


MICROPHONES = [
    Device(0, "Built-in Microphone", "Core Audio", 48_000, 1, 0, True, False),
    Device(2, "Scarlett 2i2 USB", "Core Audio", 44_100, 2, 2, False, False),
]
SPEAKERS = [
    MICROPHONES[1],
    Device(3, "Headphones", "Core Audio", 48_000, 0, 2, False, True),
]


class FakeProbe:
    """A `Probe` of a constant level."""

    def __init__(self, level: Level) -> None:
        self.level = level
        self.failed: str | None = None
        self.closed = False

    def close(self) -> None:
        self.closed = True


class FakeDesk:
    """A `DeskLike` with the devices above; `error` makes probe and tone fail."""

    def __init__(self) -> None:
        self.found = [MICROPHONES[0], MICROPHONES[1], SPEAKERS[1]]
        self.calls: list[tuple[Any, ...]] = []
        self.probes: list[FakeProbe] = []
        self.error: MoshiTuiError | None = None

    def devices(self) -> list[Device]:
        self.calls.append(("devices",))
        return list(self.found)

    def probe(self, device: Device) -> FakeProbe:
        self.calls.append(("probe", device.name))
        if self.error is not None:
            raise self.error
        self.probes.append(FakeProbe(Level(-30.0, -20.0)))
        return self.probes[-1]

    def play_tone(self, device: Device) -> None:
        self.calls.append(("play_tone", device.name))
        if self.error is not None:
            raise self.error


class FakePlayer:
    """A `PlayerLike` that stands wherever the test puts it.

    Use it as the factory's result: `ReplayApp(player.listen_to)`. It answers `seek` as the real
    player does: the numbers are there at once, `Sought` follows on another thread.
    """

    def __init__(self, events: Sequence[Event] = (), *, length_s: float = 60.0) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.stats = Stats()
        self.events = tuple(events)
        self.length_s = length_s
        self.paused = False
        self.speed = 1.0
        self.lags: dict[int, float] = {}
        """By the second from which on it was so; set by the test."""
        self._listener: Listener | None = None

    def listen_to(self, listener: Listener) -> FakePlayer:
        """The factory."""
        self._listener = listener
        return self

    def start(self) -> None:
        self.calls.append(("start",))
        self.fire(Ready(INFO))

    def stop(self, timeout: float) -> bool:
        self.calls.append(("stop", timeout))
        return True

    def pause(self, paused: bool) -> None:
        self.calls.append(("pause", paused))
        self.paused = paused
        if not paused and self.stats.elapsed_s >= self.length_s:
            self._go_to(0.0)

    def seek(self, position_s: float) -> None:
        self.calls.append(("seek", round(position_s, 2)))
        self._go_to(position_s)

    def _go_to(self, position_s: float) -> None:
        self.at(position_s)
        events = tuple(event for event in self.events if event.frame <= self.stats.frame)
        self.fire(Sought(position_s, events))

    def lag_ms(self, position_s: float) -> float | None:
        known = [second for second in self.lags if second <= position_s]
        return self.lags[max(known)] if known else None

    def set_speed(self, speed: float) -> None:
        self.calls.append(("set_speed", speed))
        self.speed = speed

    def set_volume(self, db: float) -> None:
        self.calls.append(("set_volume", db))
        self.stats = replace(self.stats, volume_db=db)

    def at(self, position_s: float, **numbers: Any) -> None:
        """It has come to this place."""
        frame = round(position_s * FRAME_RATE)
        self.stats = replace(self.stats, elapsed_s=position_s, frame=frame, **numbers)

    def fire(self, *events: Event) -> None:
        """Call the listener with each, on a thread of its own; returns when it is done."""
        assert self._listener is not None, "no player was made yet"
        call_on_thread(self._listener, events)
