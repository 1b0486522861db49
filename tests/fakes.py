"""Stand-ins for the slow and the audible parts."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from moshi_tui.audio.devices import Device
from moshi_tui.audio.levels import Level
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import Event, Loading, Ready, SessionInfo, Side
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

        def run() -> None:
            for event in events:
                listener(event)

        thread = threading.Thread(target=run, name="fake-engine")
        thread.start()
        thread.join()

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
