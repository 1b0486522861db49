"""Numbers that change all the time: one frozen snapshot, swapped in one assignment, polled by the
UI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from moshi_tui.audio.levels import SILENCE, Level


@dataclass(frozen=True)
class Skips:
    """Time made up for since the start, in ms. Frozen: replaced as a whole."""

    user_silence_ms: float = 0.0
    """The user's silence that the model did not hear."""
    user_speech_ms: float = 0.0
    """The user's speech that the model did not hear."""
    moshi_silence_ms: float = 0.0
    """Cut out of Moshi's pauses."""
    moshi_speech_ms: float = 0.0
    """Cut out of Moshi's speech: the last resort."""
    moshi_speed_ms: float = 0.0
    """Gained by playing Moshi's speech faster; nothing is lost."""

    @property
    def user_ms(self) -> float:
        """What the model did not hear."""
        return self.user_silence_ms + self.user_speech_ms

    @property
    def moshi_ms(self) -> float:
        """What was not played of Moshi."""
        return self.moshi_silence_ms + self.moshi_speech_ms


@dataclass(frozen=True)
class Stats:
    """A snapshot of the running session. Times in milliseconds unless said."""

    frames: int = 0
    """Frames that the model has stepped since the start."""
    frame: int = 0
    """Number of the newest frame that the model has heard. Frames are counted at the microphone, so
    that those which it never heard count too."""
    elapsed_s: float = 0.0
    """Seconds since the first frame."""
    lag_ms: float | None = None
    """From the end of a frame at the microphone to the start of its answer at the speaker, devices
    included. While nothing is answered: what waits already."""
    input_latency_ms: float = 0.0
    """The microphone's part of it, by PortAudio's time stamps."""
    output_latency_ms: float = 0.0
    """The speaker's."""
    step_ms: float | None = None
    """The model's step, median of the last 25."""
    stalled_ms: float = 0.0
    """For how long the model has been in the step that it is in."""
    encode_ms: float | None = None
    decode_ms: float | None = None
    backlog_frames: float = 0.0
    """Frames heard and not yet stepped."""
    skips: Skips = Skips()
    """Time made up for."""
    dropped_input_ms: float = 0.0
    """Sound of the microphone lost because nobody took it in time. Nobody knows what it was, so
    `skips` has it as speech."""
    dropped_output_ms: float = 0.0
    """Sound for the speaker that did not fit."""
    underruns: int = 0
    """Times that the speaker had nothing to play."""
    input_overflows: int = 0
    """Times that the system lost input before we saw it (PortAudio's flag)."""
    output_underflows: int = 0
    """Times that the system played a gap because our callback came too late (PortAudio's flag)."""
    playout_ms: float = 0.0
    """Margin that playback aims to hold against late frames; follows their jitter."""
    playout_speed: float = 1.0
    """How fast Moshi is being played: above 1 to catch up, below where the model is too slow."""
    health: str = ""
    """What is wrong, in one line with numbers; empty while all is well."""
    context_frames: int = 0
    """Frames that the model still attends to."""
    context_size: int = 0
    memory_bytes: int = 0
    """MLX's active memory, and what the runner holds outside it."""
    memory_cache_bytes: int = 0
    """What it was given back and keeps for reuse."""
    memory_peak_bytes: int = 0
    """The most that was active at once."""
    user: Level = SILENCE
    moshi: Level = SILENCE
    muted: bool = False
    volume_db: float = 0.0
    """What is added to Moshi's loudness before it is played."""
    microphone: str = ""
    """Name of the device, or of the file in its place; empty before the sound is opened."""
    speaker: str = ""
    microphone_lost: str = ""
    """Why the microphone is gone, in one sentence; empty while it works."""
    speaker_lost: str = ""
    recording_s: float | None = None
    """Seconds recorded so far; None while nothing is being recorded."""
    recording_error: str = ""
    """Why the last recording ended by itself; empty once another one is begun."""
    silent_s: float = 0.0
    """For how long the microphone has delivered nothing but digital silence."""
    echo_db: float | None = None
    """How loud the microphone hears Moshi, relative to what is played; None while nothing of the
    kind is heard (headphones), or nothing is known."""


RECORDED: Mapping[str, Literal["number", "number or none", "count"]] = {
    "lag_ms": "number or none",
    "step_ms": "number or none",
    "encode_ms": "number or none",
    "decode_ms": "number or none",
    "backlog_frames": "number",
    "input_latency_ms": "number",
    "output_latency_ms": "number",
    "playout_ms": "number",
    "playout_speed": "number",
    "dropped_input_ms": "number",
    "dropped_output_ms": "number",
    "underruns": "count",
    "input_overflows": "count",
    "output_underflows": "count",
    "context_frames": "count",
    "context_size": "count",
    "memory_bytes": "count",
    "memory_cache_bytes": "count",
    "memory_peak_bytes": "count",
    "silent_s": "number",
    "echo_db": "number or none",
}
"""The numbers of `Stats` that a recording has, once a second, besides `skips` and `health`."""
