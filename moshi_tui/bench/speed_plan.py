"""What `moshi-tui bench` measures: from what was asked for, and from what the machine has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from moshi_tui.demo.checkpoint import BITS, demo_config
from moshi_tui.errors import MoshiTuiError, UsageError
from moshi_tui.model.config import LmConfig
from moshi_tui.model.device import DeviceReport
from moshi_tui.model.random_weights import need
from moshi_tui.model.runner import RunnerName
from moshi_tui.model.shapes import SHAPES
from moshi_tui.ram import ram

DEMO = "demo"
QUANTS: dict[str, int | None] = {"4": 4, "8": 8, "bf16": None}
RUNNERS: tuple[RunnerName, ...] = get_args(RunnerName)
AGAINST = ("moshi_mlx",)
AUTO = "auto"
"""As for a talk: the fastest runner."""
SEED = 1

STEPS, QUICK_STEPS = 500, 60
"""Near the start of a talk; 2/5 of them with a full context."""
FRAMES, QUICK_FRAMES = 100, 25
"""Of the codec, and of the whole pipeline."""
SECONDS, QUICK_SECONDS = 60.0, 10.0
"""After which a measurement ends with what it has: a large model takes seconds a step on a CPU."""


@dataclass(frozen=True)
class SpeedOptions:
    """What was asked for, as the command line has it; None: our choice."""

    shape: str | None = None
    quant: str | None = None
    runner: str | None = None
    against: str | None = None
    steps: int | None = None
    limit_s: float | None = None
    quick: bool = False
    no_codec: bool = False
    check: bool = False
    json: Path | None = None
    seed: int = SEED


@dataclass(frozen=True)
class Plan:
    """What will be measured."""

    shape: str
    why: str
    """Why this shape, for the person; empty if it was asked for."""
    config: LmConfig
    bits: int | None
    runner: RunnerName | None
    against: str | None
    steps: int
    frames: int
    limit_s: float
    """Seconds, for each measurement."""
    codec: bool
    seed: int

    @property
    def full_steps(self) -> int:
        """Steps with a full context."""
        return max(1, self.steps * 2 // 5)


def make_plan(options: SpeedOptions, device: DeviceReport) -> Plan:
    """Check the words, choose what was left open.

    Raises UsageError: a word that is not known; MoshiTuiError: the model would not fit.
    """
    _known("shape", options.shape, (*SHAPES, DEMO))
    _known("quant", options.quant, tuple(QUANTS))
    runner = _runner(options.runner)
    _known("implementation", options.against, AGAINST)
    if options.steps == 0:
        raise UsageError("No steps", "--steps 0", "Write a number above 0.")
    shape, why = options.shape, ""
    if shape is None:
        shape, why = _choose(QUANTS[options.quant or "4"], device)
    bits = QUANTS[options.quant or (str(BITS) if shape == DEMO else "4")]
    config = LmConfig.from_dict(demo_config()) if shape == DEMO else SHAPES[shape]
    _check_room(shape, config, bits, device)
    quick = options.quick
    return Plan(
        shape=shape,
        why=why,
        config=config,
        bits=bits,
        runner=runner,
        against=options.against,
        steps=options.steps or (QUICK_STEPS if quick else STEPS),
        frames=QUICK_FRAMES if quick else FRAMES,
        limit_s=options.limit_s or (QUICK_SECONDS if quick else SECONDS),
        codec=not options.no_codec,
        seed=options.seed,
    )


def _known(kind: str, word: str | None, words: tuple[str, ...]) -> None:
    if word is not None and word not in words:
        raise UsageError(f"No such {kind}", word, f"There are: {', '.join(words)}.")


def _runner(word: str | None) -> RunnerName | None:
    _known("runner", word, (*RUNNERS, AUTO))
    return next((name for name in RUNNERS if name == word), None)


def _choose(bits: int | None, device: DeviceReport) -> tuple[str, str]:
    """The largest shape that this device has memory for, and why."""
    if device.backend == "CPU":
        return DEMO, "on a CPU a step of a larger one takes seconds"
    room = _room(device)
    for shape, config in SHAPES.items():
        total = need(config, bits).total
        if total <= room:
            return shape, f"needs {_gb(total)} of this GPU's {_gb(room)}"
    return DEMO, f"the others need more than this GPU's {_gb(room)}"


def _check_room(shape: str, config: LmConfig, bits: int | None, device: DeviceReport) -> None:
    total, room = need(config, bits).total, _room(device)
    if total > room:
        raise MoshiTuiError(
            "Not enough memory",
            f"{shape} needs {_gb(total)}, there are {_gb(room)}",
            "Choose a smaller one: --quant 4, --shape 1b, --shape demo.",
        )


def _room(device: DeviceReport) -> int:
    """Bytes that a model may take."""
    for room in (device.free, device.working_set, device.memory):
        if room is not None:
            return room
    return ram().available


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
