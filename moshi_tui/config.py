"""What a person can choose, as one tree of frozen dataclasses.

The command line fills it (`cli.py`); everything below takes the part that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class CheckpointOptions:
    """Which files to run; `checkpoint.resolve` turns it into paths."""

    quant: int | None = None
    """4 or 8: Kyutai's quantised repo, or quantise an unquantised file while loading."""
    voice: str = "moshiko"
    """"moshiko" (male) or "moshika" (female): chooses Kyutai's repo."""
    hf_repo: str | None = None
    """A repo on the Hugging Face hub, instead of Kyutai's."""
    revision: str | None = None
    """Branch, tag or commit of the repo."""
    model_dir: Path | None = None
    """A folder with the files of such a repo."""
    moshi_weight: Path | None = None
    mimi_weight: Path | None = None
    tokenizer: Path | None = None
    lm_config: Path | None = None
    demo: bool = False
    """The small built-in checkpoint: no download."""


@dataclass(frozen=True)
class SamplingOptions:
    """How tokens are drawn. A temperature of 0 is greedy. None: the checkpoint's or the default."""

    text_temperature: float | None = None
    text_top_k: int | None = None
    audio_temperature: float | None = None
    audio_top_k: int | None = None
    seed: int | None = None
    """None: a fresh one each session."""
    conditions: dict[str, str] = field(default_factory=dict)
    """Values of the checkpoint's look-up-table conditioners, by name."""


@dataclass(frozen=True)
class AudioOptions:
    """Where sound comes from and goes to in a live talk."""

    input_device: str | None = None
    """PortAudio index or a part of the device's name; None: the system's default."""
    output_device: str | None = None
    input_file: Path | None = None
    """Listen to this file, in real time, instead of a microphone."""
    output_file: Path | None = None
    """Write what is played to this WAV file instead of to a speaker."""


@dataclass(frozen=True)
class RecordingOptions:
    """Writing the talk to disk."""

    record: bool = False
    """Begin to record with the first frame."""
    record_folder: Path | None = None
    """The folder in which each recording gets a folder of its own; None: the current one."""


THEMES = ("dark", "light", "contrast")


@dataclass(frozen=True)
class ScreenOptions:
    """How the screen looks."""

    theme: str = "dark"
    """One of `THEMES`."""
    ascii: bool = False
    """Draw with ASCII characters only."""
    compact: bool = False
    """Begin with the compact view."""


@dataclass(frozen=True)
class Settings:
    """All of it."""

    checkpoint: CheckpointOptions = field(default_factory=CheckpointOptions)
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    audio: AudioOptions = field(default_factory=AudioOptions)
    recording: RecordingOptions = field(default_factory=RecordingOptions)
    screen: ScreenOptions = field(default_factory=ScreenOptions)
