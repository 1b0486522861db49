"""Numbers that change all the time: one frozen snapshot, swapped in one assignment, polled by the
UI."""

from __future__ import annotations

from dataclasses import dataclass

from moshi_tui.audio.levels import SILENCE, Level


@dataclass(frozen=True)
class Stats:
    """A snapshot of the running session. Times in milliseconds unless said."""

    frames: int = 0
    """Frames that the model has stepped since the start."""
    elapsed_s: float = 0.0
    """Seconds since the first frame."""
    lag_ms: float | None = None
    """From the end of a frame at the microphone to the start of its answer at the speaker."""
    step_ms: float | None = None
    """The model's step, median of the last 25."""
    encode_ms: float | None = None
    decode_ms: float | None = None
    backlog_frames: float = 0.0
    """Frames heard and not yet stepped."""
    dropped_input_ms: float = 0.0
    """Sound of the microphone thrown away because nobody took it in time."""
    dropped_output_ms: float = 0.0
    underruns: int = 0
    """Times that the speaker had nothing to play."""
    context_frames: int = 0
    """Frames that the model still attends to."""
    context_size: int = 0
    memory_bytes: int = 0
    """MLX's active memory."""
    user: Level = SILENCE
    moshi: Level = SILENCE
    muted: bool = False
