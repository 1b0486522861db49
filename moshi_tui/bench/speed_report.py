"""The figures of `moshi-tui bench` as lines in a terminal, part by part, and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from moshi_tui import __version__
from moshi_tui.bench.speed import (
    EARLY,
    CodecSpeed,
    Memory,
    ModelSpeed,
    Part,
    Results,
    Spread,
    Versus,
)
from moshi_tui.bench.speed_plan import Plan
from moshi_tui.clean import clean
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.model.device import DeviceReport

BUDGET_MS = FRAME_SECONDS * 1000
NAME_WIDTH, WIDTH = 38, 7
"""Columns of a table in a terminal of 80: of the names, and of each figure."""
PACKAGES = ("mlx", "mlx-metal", "mlx-cuda-12", "mlx-cuda-13", "mlx-cpu", "numpy", "rustymimi")


def heading(plan: Plan, device: DeviceReport) -> str:
    """What is measured where."""
    quant = f"q{plan.bits}" if plan.bits else "not quantised"
    why = f"\nShape {plan.shape}: {plan.why}." if plan.why else ""
    return f"{plan.shape}, {quant}, random weights, on {clean(device.name)}{why}"


def show(console: Console, part: Part) -> None:
    """Print one part."""
    if isinstance(part, ModelSpeed):
        console.print(_model(part, console.width))
    elif isinstance(part, Memory):
        console.print(_memory(part, console.width))
    elif isinstance(part, CodecSpeed):
        rows = {"encode": part.encode, "decode": part.decode}
        title = f"codec ({part.name}), first seconds of a talk, ms a frame"
        console.print(_times(title, rows, console.width))
    elif isinstance(part, Spread):
        rows = {"encode, step and decode in turn": part}
        console.print(_times("pipeline, the model's context full, ms a frame", rows, console.width))
    elif isinstance(part, Versus):
        console.print(_versus(part, console.width))
    else:
        words = clean(part.error.replace("\n", " "))
        console.print(Text(f"\n{part.part}: not measured. {words}", "bold red"))


def verdict(plan: Plan, device: DeviceReport, results: Results) -> str:
    """One sentence on whether it keeps up."""
    frame = results.frame
    if frame is None:
        return "Whether it keeps up is not known: the model was not measured."
    what = "a frame takes" if results.pipeline else "a step alone, without the codec, takes"
    ms, times = frame.median, BUDGET_MS / frame.median
    if times >= 1:
        speed = f"{times:.1f} times real time{_tail(frame)}"
    else:
        speed = f"too slow by a factor of {1 / times:.1f}{_overlap(results)}"
    quant = results.model.quantisation if results.model else "?"
    return (
        f"{plan.shape} {quant} on {clean(device.name)}: with a full context {what} "
        f"{_ms(ms)} of {BUDGET_MS:.0f} ms, {speed}."
    )


def _tail(frame: Spread) -> str:
    """The slow ones, if the median alone would hide that they are late."""
    if frame.p95 <= BUDGET_MS:
        return ""
    return f", but 1 in 20 takes more than {_ms(frame.p95)} ms"


def _overlap(results: Results) -> str:
    """A talk encodes, steps and decodes on three threads: each must keep up, not their sum."""
    if results.pipeline is None or results.model is None or results.codec is None:
        return ""
    stages = (results.model.full, results.codec.encode, results.codec.decode)
    slowest = max(stage.median for stage in stages)
    if slowest > BUDGET_MS:
        return ""
    return (
        f" one after the other; at once, as in a talk, it may keep up: the slowest of the three "
        f"takes {_ms(slowest)} ms"
    )


def as_json(plan: Plan, device: DeviceReport, results: Results, words: str) -> dict[str, Any]:
    """All of it, every single time included."""
    model, memory, against = results.model, results.memory, results.against
    data: dict[str, Any] = {
        "shape": plan.shape,
        "why": plan.why,
        "bits": plan.bits,
        "seed": plan.seed,
        "machine": _machine(device),
        "verdict": words,
        "budget_ms": BUDGET_MS,
        "failures": [asdict(failure) for failure in results.failures],
        "interrupted": results.interrupted,
    }
    if model:
        data["model"] = {
            "runner": model.runner,
            "quantisation": model.quantisation,
            "weights_made_s": model.made_s,
            "warm_up_s": model.warm_up.seconds,
            "warm_up_ms": model.warm_up.parts,
            "first_step_ms": model.warm_up.first,
            "early": {"at": EARLY, **_plain(model.early)},
            "full": {"at": model.context, **_plain(model.full)},
            "full_to_early": model.ratio,
            "reset": _plain(model.reset),
        }
    if memory:
        data["memory_bytes"] = asdict(memory) | {
            "peak": memory.peak,
            "over": memory.over(memory.peak),
            "over_steps": memory.over(memory.peak_steps),
        }
    if results.codec:
        codec = results.codec
        data["codec"] = {
            "name": codec.name,
            "encode": _plain(codec.encode),
            "decode": _plain(codec.decode),
        }
    if results.pipeline:
        data["pipeline"] = _plain(results.pipeline)
    if against:
        data["against"] = {
            "name": against.name,
            "version": against.version,
            "warm_up_s": against.warm_up_s,
            "early": {"at": EARLY, **_pair(against.early)},
            "full": {"at": plan.config.context, **_pair(against.full)},
        }
    return data


def _model(part: ModelSpeed, width: int) -> Table:
    rows = {
        f"step at {EARLY}": part.early,
        f"step at {part.context:,}, a full context": part.full,
        "reset(), its start-up step included": part.reset,
    }
    table = _times(f"model {part.quantisation}, runner {part.runner}, ms", rows, width)
    table.add_row("first step after the warm-up", _ms(part.warm_up.first))
    table.add_row("full context to the start", f"{part.ratio:.2f} x")
    table.add_row("warm-up, s", f"{part.warm_up.seconds:.2f}")
    for name, ms in part.warm_up.parts.items():
        table.add_row(f"  {name}", f"{ms / 1000:.2f}")
    return table


def _memory(part: Memory, width: int) -> Table:
    table = _new_table("memory, GB", (), width)
    table.add_column("", min_width=WIDTH, justify="right")
    figures = [
        ("weights", part.weights),
        ("keys and values of a full context", part.ring),
        ("peak of the steps", part.peak_steps + part.host),
        ("  over weights, keys and values", part.over(part.peak_steps)),
        ("peak of warm-up, making the runner", part.peak_warm_up + part.host),
        ("  over weights, keys and values", part.over(part.peak_warm_up)),
        ("peak while the weights were made", part.peak_making),
        ("held by MLX at the end", part.active),
        ("kept by MLX for reuse", part.cache),
        ("process, at most (RSS)", part.rss),
    ]
    if part.host:
        figures.insert(-1, ("held by NumPy", part.host))
    for name, size in figures:
        table.add_row(name, f"{size / 1e9:.3f}")
    return table


def _versus(part: Versus, width: int) -> Table:
    title = f"against {part.name} {clean(part.version)}, in turns on the same weights, ms"
    table = _new_table(title, ("ours", "p95", "theirs", "p95", "ratio"), width)
    for name, (ours, theirs) in ((f"step at {EARLY}", part.early), ("full context", part.full)):
        table.add_row(
            name,
            *(_ms(ms) for each in (ours, theirs) for ms in (each.median, each.p95)),
            f"{theirs.median / ours.median:.2f} x",
        )
    table.add_row("warm-up of theirs, s", "", "", f"{part.warm_up_s:.2f}")
    return table


def _times(title: str, rows: dict[str, Spread], width: int) -> Table:
    table = _new_table(title, ("median", "p95", "max", "count"), width)
    for name, times in rows.items():
        figures = (_ms(times.median), _ms(times.p95), _ms(times.most))
        table.add_row(name, *figures, f"{len(times.ms)}")
    return table


def _new_table(title: str, figures: Sequence[str], width: int) -> Table:
    """A column of names, then `figures`, in a terminal of `width` columns."""
    table = Table(
        title=Text(f"\n{title}", "bold"),
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
        show_header=bool(figures),
    )
    room = width - 1 - len(figures) * (WIDTH + 1)
    table.add_column("", width=min(NAME_WIDTH, max(NAME_WIDTH // 4, room)))
    for name in figures:
        table.add_column(name, min_width=WIDTH, justify="right")
    return table


def _ms(ms: float) -> str:
    return f"{ms:.2f}" if ms < 1000 else f"{ms:.0f}"


def _plain(times: Spread) -> dict[str, Any]:
    return {
        "median_ms": times.median,
        "p95_ms": times.p95,
        "max_ms": times.most,
        "count": len(times.ms),
        "ms": [round(ms, 4) for ms in times.ms],
    }


def _pair(pair: tuple[Spread, Spread]) -> dict[str, Any]:
    ours, theirs = pair
    ratio = theirs.median / ours.median
    return {"ours": _plain(ours), "theirs": _plain(theirs), "ratio": ratio}


def _machine(device: DeviceReport) -> dict[str, Any]:
    return {
        "device": asdict(device),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {"moshi-tui": __version__, **dict(_versions())},
    }


def _versions() -> list[tuple[str, str]]:
    installed = []
    for name in PACKAGES:
        try:
            installed.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return installed
