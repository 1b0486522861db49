"""What the engine tells its listener.

Frozen values, handed over by a call on whichever thread it happened on: the listener must be quick
and thread-safe (the screen posts a message, `--headless` puts it on a queue).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SECONDS

SkipKind = Literal["silence", "speech", "speed"]
"""How time was made up for: something was left out, or all of it played faster."""


@dataclass(frozen=True)
class SessionInfo:
    """What is running, for the title line and the log."""

    model: str
    """e.g. "moshiko", "Pocket Moshi", or a repo's or folder's name."""
    quant: str
    """"q4", "q8", "bf16", "f32"."""
    device: str
    """What MLX computes on, e.g. "Apple M3 Max", "CPU"."""
    codec: str
    """"rustymimi" or "pocket"."""
    microphone: str
    speaker: str
    seed: int
    runner: str = ""
    """What computes the steps: "mlx", "compiled", "kernel", "numpy"; empty where a recording does
    not say it."""


@dataclass(frozen=True)
class FileProgress:
    """One file of a download."""

    name: str
    done: int
    """Bytes that have arrived."""
    total: int | None
    """Its size in bytes; None where the hub does not say."""


@dataclass(frozen=True)
class Download:
    """A download in numbers."""

    files: tuple[FileProgress, ...]
    """All that this download brings, in its order; those that were there already are not in it."""
    bytes_per_s: float | None
    """Of the last seconds; None until it is known."""
    seconds_left: float | None
    """None while speed or sizes are unknown."""


@dataclass(frozen=True)
class Loading:
    """One stage of loading has begun or gone on. Stages come in the order of `STAGES`."""

    STAGES = ("files", "weights", "codec", "warm-up", "sound")

    stage: str
    """One of STAGES."""
    detail: str
    """In words: a file's name, "step 2 of 3"."""
    fraction: float | None = None
    """0 to 1 of this stage, None while unknown."""
    download: Download | None = None
    """In the stage "files", while something is being downloaded."""


@dataclass(frozen=True)
class Ready:
    """Loading is over: from here on frames flow."""

    info: SessionInfo


@dataclass(frozen=True)
class TextPiece:
    """Text that the model speaks. Joined in order, the pieces are its transcript (a piece may
    start with the space that separates it from the one before)."""

    frame: int
    token: int
    text: str


@dataclass(frozen=True)
class Skipped:
    """Time made up for: sound left out, or played faster. One for each frame concerned (but one for
    all that a full microphone ring has lost at once)."""

    frame: int
    """Of the user's side: the frame that the model did not hear. Of Moshi's side: the frame that is
    played shorter."""
    side: Literal["user", "moshi"]
    kind: SkipKind
    """What was left out; "speed": nothing was, the frame is played faster at the same pitch."""
    ms: float
    """How much shorter the talk became by it."""

    @property
    def frames(self) -> int:
        """How many frames the model did not hear (of the user's side)."""
        return round(self.ms / (FRAME_SECONDS * 1000))


@dataclass(frozen=True)
class Underrun:
    """There was nothing to play: Moshi was interrupted by silence."""

    frame: int
    """The frame that came too late."""
    ms: float
    """For how long."""


@dataclass(frozen=True)
class Muted:
    """The microphone was muted or unmuted: the model hears silence while muted."""

    frame: int
    muted: bool


Side = Literal["input", "output"]
"""The microphone's side and the speaker's."""


@dataclass(frozen=True)
class UserTurn:
    """The user speaks, or has just spoken. One event every few blocks while the turn goes on, each
    with all of the turn so far, and a last one when it is over (after a second of silence)."""

    frame: int
    """The frame in which the turn began; the same in all events of one turn."""
    frames: int
    """How long it lasts by now."""
    levels: tuple[float, ...]
    """Loudness in dBFS (RMS), one for each `BLOCK_FRAMES` frames of it, oldest first."""
    over: bool

    BLOCK_FRAMES: ClassVar[int] = 3


@dataclass(frozen=True)
class UserSaid:
    """The demo's user begins to say this: what a person says, nobody writes down."""

    frame: int
    text: str


@dataclass(frozen=True)
class DeviceChanged:
    """From here on sound comes from, or goes to, another device. Also tells that a device that was
    gone has been replaced."""

    frame: int
    side: Side
    name: str
    rate: int | None = None
    """Samples a second of the device itself; None for a file."""


@dataclass(frozen=True)
class DeviceLost:
    """A device has stopped by itself. The talk goes on without it: the model hears silence, or
    nobody hears the model, until another one is chosen."""

    frame: int
    side: Side
    name: str
    why: str
    """One sentence."""


@dataclass(frozen=True)
class RecordingStarted:
    """The talk is being written to this folder."""

    frame: int
    folder: Path


@dataclass(frozen=True)
class RecordingStopped:
    """The recording is complete, or has ended because it could not be written."""

    frame: int
    folder: Path
    seconds: float
    """Its length."""
    error: MoshiTuiError | None = None
    """Why it ended by itself (the disk is full); what was written stays valid."""


@dataclass(frozen=True)
class VolumeChanged:
    """Moshi is played louder or softer from here on."""

    frame: int
    db: float
    """In all, over what the model made."""


@dataclass(frozen=True)
class WasReset:
    """Model, codecs and queues have forgotten the talk so far."""

    frame: int


@dataclass(frozen=True)
class InputEnded:
    """The file that stands for the microphone is over; the model hears silence from here on."""

    frame: int


@dataclass(frozen=True)
class Finished:
    """A file was answered to its end (`moshi-tui run`): the engine has stopped."""

    frames: int
    """Frames that the model has stepped."""


@dataclass(frozen=True)
class Notice:
    """Something to know; the talk goes on."""

    title: str
    message: str
    hint: str = ""
    side: Side | None = None
    """A device of this side was asked for and could not be had."""
    frame: int | None = None
    """When it was, of a recording that is played; None: now."""


@dataclass(frozen=True)
class Sought:
    """Only of a recording that is played: it goes on at another place, and what was told so far no
    longer counts."""

    position_s: float
    events: tuple[Event, ...]
    """All that has happened up to there, in order, as it would have been told."""


@dataclass(frozen=True)
class Failed:
    """A thread has ended with an error: the engine is stopping."""

    error: MoshiTuiError


Event = (
    Loading
    | Ready
    | TextPiece
    | Skipped
    | Underrun
    | UserTurn
    | UserSaid
    | DeviceChanged
    | DeviceLost
    | RecordingStarted
    | RecordingStopped
    | Muted
    | VolumeChanged
    | WasReset
    | InputEnded
    | Finished
    | Notice
    | Sought
    | Failed
)
