"""What a person can choose, as one tree of frozen dataclasses.

Each field carries an `About`: its flags, bounds and help. The command line with its help texts, the
environment variables, the keys of `config.toml` and their checks are all made from this tree; the
package `settings` fills it, and everything below takes the part that it needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

LARGEST_COUNT = 0xFFFFFFFF
RUNNERS = ("mlx", "compiled", "kernel", "numpy")
THEMES = ("dark", "light", "contrast")
VOICES = ("moshiko", "moshika")
KYUTAI = re.compile(r"kyutai/(moshiko|moshika)-mlx-(q4|q8|bf16)")
"""Kyutai's own repos for MLX: voice and precision."""


@dataclass(frozen=True)
class About:
    """What a person needs to know about a field, and what it takes."""

    help: str
    """A line of 52 characters at most, without its full stop."""
    in_words: str = ""
    """The same in the settings file, where what `help` says of the flag makes no sense."""
    flags: tuple[str, ...] | None = None
    """None: two dashes and the field's name. Empty: it has no flag of its own."""
    metavar: str | None = None
    """How the help calls the value; None: the choices."""
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    unset: str = ""
    """The word that stands for None, so that a flag can undo what the file says."""
    otherwise: str = ""
    """What holds where it is None and no word stands for that."""
    example: Any = None
    """Shown in a new file where the default is None."""
    or_number: bool = False
    """A text that may be written as a number in the file."""
    in_file: bool = True
    """False: it is for one talk, and a file that says it would surprise."""
    value_to: str = ""
    """A switch that takes a value as well: the field that gets it."""


@dataclass(frozen=True)
class Option:
    """One field of the tree, with its name everywhere."""

    section: str
    name: str
    kind: str
    """"str", "int", "float", "bool", "Path" or "dict[str, str]": the field's type without None."""
    default: Any
    about: About

    @property
    def key(self) -> str:
        """E.g. "checkpoint.quant": unique in the tree."""
        return f"{self.section}.{self.name}"

    @property
    def flags(self) -> tuple[str, ...]:
        """E.g. ("-q", "--quant"); the long one is last."""
        if self.about.flags is not None:
            return self.about.flags
        return ("--" + self.name.replace("_", "-"),)

    @property
    def variable(self) -> str:
        """The environment variable: the long flag in capitals, or the name if it has no flag."""
        name = self.flags[-1].removeprefix("--") if self.flags else self.name
        return "MOSHI_TUI_" + name.replace("-", "_").upper()


_THEIRS = "that of the repo or folder"
_OWN = "the checkpoint's own, else {}"


def _about(help: str, **more: Any) -> dict[str, About]:
    return {"about": About(help, **more)}


@dataclass(frozen=True)
class CheckpointOptions:
    """Which files to run; `checkpoint.resolve` turns it into paths."""

    quant: int | None = field(
        default=None,
        metadata=_about(
            "bits a weight: 4, 8 or bf16 (the default)",
            in_words='bits a weight: 4, 8 or "bf16" (the default)',
            flags=("-q", "--quant"),
            metavar="BITS",
            choices=(4, 8),
            unset="bf16",
            example=4,
        ),
    )
    """4 or 8: Kyutai's quantised repo, or quantise an unquantised file while loading."""
    voice: str = field(
        default="moshiko",
        metadata=_about(
            "moshiko (male, the default) or moshika (female)",
            metavar="NAME",
            choices=VOICES,
        ),
    )
    """Chooses Kyutai's repo."""
    hf_repo: str | None = field(
        default=None,
        metadata=_about(
            "another repo on the Hugging Face hub",
            metavar="OWNER/NAME",
            otherwise="Kyutai's, by voice and quant",
            example="kyutai/moshika-mlx-q4",
        ),
    )
    """Instead of Kyutai's."""
    revision: str | None = field(
        default=None,
        metadata=_about("its branch, tag or commit", metavar="REV", otherwise="main", example="v1"),
    )
    model_dir: Path | None = field(
        default=None,
        metadata=_about(
            "a folder with the files of such a repo", metavar="DIR", example="~/models/moshi"
        ),
    )
    moshi_weight: Path | None = field(
        default=None,
        metadata=_about(
            "the model's safetensors file",
            metavar="FILE",
            otherwise=_THEIRS,
            example="~/models/moshi/model.q4.safetensors",
        ),
    )
    mimi_weight: Path | None = field(
        default=None,
        metadata=_about(
            "the codec's safetensors file",
            metavar="FILE",
            otherwise=_THEIRS,
            example="~/models/moshi/mimi.safetensors",
        ),
    )
    tokenizer: Path | None = field(
        default=None,
        metadata=_about(
            "the sentencepiece model",
            metavar="FILE",
            otherwise=_THEIRS,
            example="~/models/moshi/tokenizer.model",
        ),
    )
    lm_config: Path | None = field(
        default=None,
        metadata=_about(
            "the model's config.json",
            metavar="FILE",
            otherwise=f"{_THEIRS}, else Moshi 7B's",
            example="~/models/moshi/config.json",
        ),
    )
    demo: bool = field(
        default=False,
        metadata=_about("Pocket Moshi, a tiny model: no download", in_file=False),
    )
    """The small checkpoint that comes with the program."""


@dataclass(frozen=True)
class SamplingOptions:
    """How tokens are drawn. A temperature of 0 is greedy. None: the checkpoint's or the default."""

    seed: int | None = field(
        default=None,
        metadata=_about(
            "the same talk again (default: a fresh one)",
            metavar="N",
            low=0,
            high=LARGEST_COUNT,
            unset="fresh",
            example=1,
        ),
    )
    """None: a fresh one each session."""
    text_temperature: float | None = field(
        default=None,
        metadata=_about(
            "0 for the likeliest word (default 0.7)",
            in_words="0 for the likeliest word",
            metavar="T",
            low=0,
            otherwise=_OWN.format(0.7),
            example=0.7,
        ),
    )
    text_top_k: int | None = field(
        default=None,
        metadata=_about(
            "draw from so many; 0 for all (default 25)",
            in_words="draw from so many; 0 for all",
            metavar="K",
            low=0,
            high=LARGEST_COUNT,
            otherwise=_OWN.format(25),
            example=25,
        ),
    )
    audio_temperature: float | None = field(
        default=None,
        metadata=_about(
            "the same for sound (default 0.8)",
            in_words="0 for the likeliest sound",
            metavar="T",
            low=0,
            otherwise=_OWN.format(0.8),
            example=0.8,
        ),
    )
    audio_top_k: int | None = field(
        default=None,
        metadata=_about(
            "the same for sound (default 250)",
            in_words="draw from so many sounds; 0 for all",
            metavar="K",
            low=0,
            high=LARGEST_COUNT,
            otherwise=_OWN.format(250),
            example=250,
        ),
    )
    conditions: dict[str, str] = field(
        default_factory=dict,
        metadata=_about(
            "of a model that has some; may be repeated",
            in_words="of a model that has some, by their names",
            flags=("--condition",),
            metavar="NAME=VALUE",
            example={"description": "very_good"},
        ),
    )
    """Values of the checkpoint's look-up-table conditioners, by name."""


@dataclass(frozen=True)
class ComputeOptions:
    """How the machine is used."""

    runner: str | None = field(
        default=None,
        metadata=_about(
            "mlx, compiled, kernel or numpy (default: fastest)",
            in_words="what computes the model's steps",
            metavar="NAME",
            choices=RUNNERS,
            unset="auto",
            example="mlx",
        ),
    )
    """One of `RUNNERS`; None: the fastest that there is for this model on this machine."""


@dataclass(frozen=True)
class AudioOptions:
    """Where sound comes from and goes to in a live talk."""

    input_device: str | None = field(
        default=None,
        metadata=_about(
            "microphone: its number or part of its name",
            metavar="NAME",
            unset="default",
            example="USB",
            or_number=True,
        ),
    )
    """None: the system's default."""
    output_device: str | None = field(
        default=None,
        metadata=_about(
            "speaker, likewise",
            metavar="NAME",
            unset="default",
            example="Headphones",
            or_number=True,
        ),
    )
    input_file: Path | None = field(
        default=None,
        metadata=_about(
            "hear this sound file instead of a microphone",
            flags=("--input",),
            metavar="FILE",
            in_file=False,
        ),
    )
    """In real time."""
    output_file: Path | None = field(
        default=None,
        metadata=_about(
            "speak into this WAV file", flags=("--output",), metavar="FILE", in_file=False
        ),
    )
    """What is played goes there instead of to a speaker."""
    volume_db: float = field(
        default=0.0,
        metadata=_about(
            "how loud Moshi is, -40 to 12 (default 0)",
            flags=("--volume",),
            metavar="DB",
            low=-40,
            high=12,
        ),
    )
    """Decibels over what the model made."""


@dataclass(frozen=True)
class RecordingOptions:
    """Writing the talk to disk."""

    record: bool = field(
        default=False,
        metadata=_about(
            "record from the start; into DIR instead of here",
            in_words="record every talk from its start",
            metavar="DIR",
            value_to="record_folder",
        ),
    )
    """Begin to record with the first frame."""
    record_folder: Path | None = field(
        default=None,
        metadata=_about(
            "where each recording gets its folder",
            flags=(),
            otherwise="the current folder",
            example="~/moshi",
        ),
    )
    """The folder in which each recording gets a folder of its own; None: the current one."""
    record_raw: bool = field(
        default=False,
        metadata=_about("also the microphone as captured, muted or not"),
    )
    """Each recording gets a `microphone.wav`."""
    trace: Path | None = field(
        default=None,
        metadata=_about(
            "when each stage worked, for ui.perfetto.dev",
            metavar="FILE.json",
            in_file=False,
        ),
    )
    """A file in the Trace Event Format."""


@dataclass(frozen=True)
class ScreenOptions:
    """How the screen looks."""

    theme: str = field(
        default="dark",
        metadata=_about(
            "dark (default), light or contrast; remembered",
            in_words="dark, light or contrast",
            metavar="NAME",
            choices=THEMES,
        ),
    )
    """One of `THEMES`."""
    ascii: bool = field(default=False, metadata=_about("draw with ASCII characters only"))
    compact: bool = field(default=False, metadata=_about("begin with the compact view"))


@dataclass(frozen=True)
class Settings:
    """All of it."""

    checkpoint: CheckpointOptions = field(
        default_factory=CheckpointOptions, metadata={"title": "checkpoint"}
    )
    sampling: SamplingOptions = field(
        default_factory=SamplingOptions, metadata={"title": "sampling"}
    )
    compute: ComputeOptions = field(
        default_factory=ComputeOptions, metadata={"title": "computation"}
    )
    audio: AudioOptions = field(default_factory=AudioOptions, metadata={"title": "live sound"})
    recording: RecordingOptions = field(
        default_factory=RecordingOptions, metadata={"title": "recording"}
    )
    screen: ScreenOptions = field(default_factory=ScreenOptions, metadata={"title": "screen"})


SECTIONS: dict[str, str] = {each.name: each.metadata["title"] for each in fields(Settings)}
"""Headings of the help, by the names that the file uses; in order."""

_KINDS: dict[str, type[Any]] = {name: type(getattr(Settings(), name)) for name in SECTIONS}

OPTIONS: tuple[Option, ...] = tuple(
    Option(
        section,
        each.name,
        str(each.type).removesuffix(" | None"),
        getattr(kind(), each.name),
        each.metadata["about"],
    )
    for section, kind in _KINDS.items()
    for each in fields(kind)
)
"""Every field, in order."""


def build(values: dict[str, Any]) -> Settings:
    """The tree with `values` (by `Option.key`) and everything else at its default."""
    parts: dict[str, Any] = {
        section: kind(
            **{
                option.name: values[option.key]
                for option in OPTIONS
                if option.section == section and option.key in values
            }
        )
        for section, kind in _KINDS.items()
    }
    return Settings(**parts)
