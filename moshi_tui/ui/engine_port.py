"""All that the screen knows of the engine and of the sound devices.

`session.engine.Engine` and `session.desk.Desk` match it, and so do the fakes of the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # NumPy comes along with these: too slow for the first picture
    from moshi_tui.audio.devices import Device
    from moshi_tui.audio.levels import Level
    from moshi_tui.session.events import Event, Side
    from moshi_tui.session.stats import Stats


class EngineLike(Protocol):
    """A session that loads, listens and speaks on its own threads."""

    @property
    def stats(self) -> Stats:
        """The newest snapshot: one atomic read, polled 15 times a second."""

    def start(self) -> None:
        """Begin to load, then to talk. Returns at once; events follow on other threads."""

    def stop(self, timeout: float) -> bool:
        """End all threads; True if they ended within `timeout` seconds. May be called again."""

    def set_muted(self, muted: bool) -> None:
        """Let the model hear silence instead of the microphone. Answered by a `Muted` event."""

    def reset(self) -> None:
        """Let model, codecs and queues forget. Answered by a `WasReset` event."""

    def set_volume(self, db: float) -> None:
        """Play Moshi so much louder or softer, -40 to +12 dB (limited to that). In `Stats`."""

    def use_device(self, side: Side, device: Device) -> None:
        """Take another microphone or speaker, while the talk goes on. Returns at once; answered by
        `DeviceChanged`, or by a `Notice` if it can't be opened: then the old one stays."""

    def start_recording(self) -> None:
        """Write the talk to a new folder from now on. Returns at once; answered by
        `RecordingStarted`, or `RecordingStopped` with an error. Nothing if one is under way."""

    def stop_recording(self) -> None:
        """Complete the recording. Returns at once; answered by `RecordingStopped`. Nothing if there
        is none."""


class PlayerLike(Protocol):
    """A recording that is being played. `replay.player.Player` matches it.

    Its listener gets `Ready`, then what happens in the talk as it happened (frames are counted from
    the beginning of the recording), `Sought` after each jump, and `Failed`. Every method may be
    called on any thread and returns at once.
    """

    @property
    def stats(self) -> Stats:
        """The numbers as they were at the present place: one atomic read. `elapsed_s` is the
        position."""

    @property
    def length_s(self) -> float:
        """Of the recording."""

    @property
    def events(self) -> Sequence[Event]:
        """What `Sought` has at the end of the recording: all that happens in it."""

    def lag_ms(self, position_s: float) -> float | None:
        """How far Moshi was behind at that place; None where nobody knew."""

    @property
    def paused(self) -> bool:
        """It stands still; also at its end."""

    @property
    def speed(self) -> float:
        """1: as fast as it was."""

    def start(self) -> None:
        """Begin to play."""

    def stop(self, timeout: float) -> bool:
        """End all threads; True if they ended within `timeout` seconds. May be called again."""

    def pause(self, paused: bool) -> None:
        """Stand still, or go on; at the end: go on from the beginning."""

    def seek(self, position_s: float) -> None:
        """Go on there (limited to the recording). Answered by `Sought`."""

    def set_speed(self, speed: float) -> None:
        """Play faster or slower, at the same pitch: 0.5 to 4 (limited to that)."""

    def set_volume(self, db: float) -> None:
        """Play it so much louder or softer, -40 to +12 dB (limited to that). In `Stats`."""


class Probe(Protocol):
    """An input that is listened to for its level only."""

    @property
    def level(self) -> Level:
        """Loudness of its last moment (any thread)."""

    @property
    def failed(self) -> str | None:
        """One sentence once it has stopped by itself."""

    def close(self) -> None:
        """Let go of the device, within 0.5 s. May be called twice, on any thread."""


class DeskLike(Protocol):
    """The sound devices themselves. Every method takes its time: not for the app's thread."""

    def devices(self) -> Sequence[Device]:
        """All that are plugged in now, looked for anew. Raises MoshiTuiError."""

    def probe(self, device: Device) -> Probe:
        """Open an input to see how loud it is. Raises MoshiTuiError."""

    def play_tone(self, device: Device) -> None:
        """Play a short test tone on an output; returns when it is over. Raises MoshiTuiError."""


Listener = Callable[["Event"], None]
EngineFactory = Callable[[Listener], EngineLike]
"""Makes an engine, not started yet, that will call the listener on its threads."""
