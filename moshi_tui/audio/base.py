"""What every source and sink of sound offers, with a sound card or without."""

from __future__ import annotations

from typing import Protocol

from moshi_tui.audio.devices import Device
from moshi_tui.audio.ring import Ring
from moshi_tui.audio.stamps import Stamp


class Endpoint(Protocol):
    """One direction of sound: a ring, and something that fills or empties it in real time."""

    @property
    def name(self) -> str:
        """For the person: a device's or a file's name."""

    @property
    def device(self) -> Device | None:
        """The sound card behind it; None where there is none."""

    @property
    def rate(self) -> int:
        """Samples a second in the ring: the device's own rate, not always 24 kHz."""

    @property
    def ring(self) -> Ring:
        """Mono samples. The endpoint is one side of it, the session the other."""

    @property
    def latency_s(self) -> float:
        """Seconds between a block's arrival at the ring, or its departure, and the moment when its
        first sample was or will be at the air: measured and lightly smoothed once there is a stamp,
        before that as the system states it (any thread)."""

    @property
    def stamp(self) -> Stamp | None:
        """The newest time stamp: a position in the ring, and when the sample there was or will be
        at the air, by the session's clock. None before the first callback (any thread)."""

    @property
    def failed(self) -> str | None:
        """One sentence once it has stopped by itself (unplugged, disk full), else None."""

    def start(self) -> None:
        """Let sound flow. Raises MoshiTuiError if the device refuses."""


class Source(Endpoint, Protocol):
    """Where the person's voice comes from. Its ring overwrites the oldest when full."""

    @property
    def overflows(self) -> int:
        """Times that the system said it lost input before we saw it."""

    @property
    def finished(self) -> bool:
        """A file is over (silence follows); never True for a device."""

    def close(self) -> None:
        """Stop for good, within 0.5 s even if the device is gone. May be called twice."""


class Sink(Endpoint, Protocol):
    """Where the model's voice goes. Its ring refuses what does not fit."""

    @property
    def underruns(self) -> int:
        """Times that the ring ran dry after playing had begun; one for each dry spell."""

    @property
    def slack_s(self) -> float:
        """Seconds until the ring runs dry if nothing is pushed; 0 while it is (any thread)."""

    @property
    def gap_s(self) -> float:
        """Seconds that these spells lasted, in all."""

    @property
    def underflows(self) -> int:
        """Times that the system said it had nothing to play because we came too late."""

    def close(self, drain: bool = False) -> None:
        """Stop for good, within 0.5 s even if the device is gone. May be called twice.

        Args:
            drain: first play what the ring holds; takes that much longer.
        """
