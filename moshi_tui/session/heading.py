"""What the first line of a recording says of the talk: enough to know it, and to run it again."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from moshi_tui import __version__
from moshi_tui.config import CheckpointOptions, Settings
from moshi_tui.frames import FRAME_RATE, FRAME_SAMPLES
from moshi_tui.recording.journal import Record
from moshi_tui.session.endpoints import FrameSink, FrameSource
from moshi_tui.session.events import SessionInfo, Side
from moshi_tui.session.loading import Parts
from moshi_tui.session.stats import Stats

PACKAGES = ("mlx", "numpy", "rustymimi", "sentencepiece", "sounddevice", "soundfile", "textual")
"""Whose versions it tells."""


@dataclass(frozen=True)
class Talk:
    """What is going on."""

    info: SessionInfo
    """As it began."""
    parts: Parts
    """Only asked for what doesn't take MLX."""
    source: FrameSource
    sink: FrameSink
    stats: Callable[[], Stats]


@dataclass(frozen=True)
class Moment:
    """What may be otherwise a moment later."""

    frame: int
    """The user's newest."""
    seed: int
    devices: dict[Side, str]
    rates: dict[Side, int | None]
    volume_db: float

    @classmethod
    def of(cls, talk: Talk, frame: int, volume_db: float) -> Moment:
        """This moment."""
        source, sink = talk.source, talk.sink
        return cls(
            frame,
            talk.parts.generator.seed,
            {"input": source.name, "output": sink.name},
            {"input": source.rate, "output": sink.rate},
            volume_db,
        )


def heading(settings: Settings, talk: Talk, moment: Moment) -> Record:
    """The header of a recording that begins at this moment, beyond what the recorder knows."""
    info, parts = talk.info, talk.parts
    sampling = asdict(settings.sampling) | parts.sampling
    del sampling["seed"]  # it says None where one was drawn
    return {
        "program": {"name": "moshi-tui", "version": __version__},
        "python": platform.python_version(),
        "packages": _versions(),
        "model": info.model,
        "quant": info.quant,
        "device": info.device,
        "runner": info.runner,
        "codec": info.codec,
        "seed": moment.seed,
        "sampling": sampling,
        "checkpoint": _chosen(settings.checkpoint),
        "weights": parts.weights,
        "devices": moment.devices,
        "rates": moment.rates,
        "volume_db": moment.volume_db,
        "frames": {"rate": FRAME_RATE, "samples": FRAME_SAMPLES, "first": moment.frame},
    }


def _chosen(options: CheckpointOptions) -> Record:
    """What is not at its default; paths from the root, so that they hold in any folder."""
    chosen: Record = {}
    for each in fields(options):
        value = getattr(options, each.name)
        if value != each.default:
            chosen[each.name] = _absolute(value) if isinstance(value, Path) else value
    return chosen


def _absolute(path: Path) -> str:
    with suppress(OSError, RuntimeError):  # the current folder may be gone, "~" nowhere
        path = path.expanduser().absolute()
    return str(path)


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
