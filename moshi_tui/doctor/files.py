"""The checkpoint: what is cached, what is still to fetch, and whether the disk holds it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from moshi_tui.checkpoint import Cancelled, Plan, PlannedFile, plan, size_words
from moshi_tui.checkpoint.hub import MARGIN, Hub, free_space
from moshi_tui.clean import clean
from moshi_tui.config import CheckpointOptions
from moshi_tui.doctor.chosen import Chosen
from moshi_tui.doctor.findings import Finding, failed
from moshi_tui.errors import MoshiTuiError

SCANT = 2_000_000_000
"""Bytes that had better stay free beside a download."""
DEMO_BYTES = 60_000_000
SMALLEST_BYTES = 5_200_000_000
"""What the smallest of Kyutai's models takes, where nobody can be asked."""

ASK_SECONDS = 30.0
"""A hub that answers more slowly than that can't be planned with."""

VARIABLES = ("HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_HUB_CACHE", "HF_HOME")
"""What changes where files come from and go to; told if set."""

MakePlan = Callable[[CheckpointOptions], Plan]


def plan_in_time(options: CheckpointOptions) -> Plan:
    """The plan. Raises MoshiTuiError, also if the hub lets us wait."""
    end = time.monotonic() + ASK_SECONDS
    try:
        return plan(options, cancelled=lambda: time.monotonic() > end)
    except Cancelled as late:
        raise MoshiTuiError(
            "No answer",
            f"the hub has not answered within {ASK_SECONDS:.0f} seconds.",
            "Try again later, or check the network and HF_ENDPOINT.",
        ) from late


def check_files(
    chosen: Chosen,
    demo_cache: Path,
    make_plan: MakePlan = plan_in_time,
    free: Callable[[Path], int] = free_space,
) -> list[Finding]:
    """Checkpoint and disk.

    Args:
        demo_cache: the folder in which the demo makes its own checkpoint.
    """
    if chosen.demo:
        summary = "the demo makes its own: nothing to download"
        disk = _disk(demo_cache, DEMO_BYTES, 0, free)
        return [Finding("checkpoint", "ok", summary, data={"to_fetch_bytes": 0}), disk]
    try:
        planned = make_plan(chosen.settings.checkpoint)
    except MoshiTuiError as error:
        finding = failed("checkpoint", error)
        return [_with_variables(finding), _disk_for_unknown(Hub().cache, free)]
    finding = _with_variables(_checkpoint(planned))
    missing = planned.to_fetch
    if missing is None:
        return [finding, _disk_for_unknown(planned.cache, free)]
    return [finding, _disk(planned.cache, missing, MARGIN if missing else 0, free)]


def _checkpoint(planned: Plan) -> Finding:
    data = {
        "label": planned.label,
        "cache": str(planned.cache),
        "endpoint": planned.endpoint,
        "to_fetch_bytes": planned.to_fetch,
        "files": [asdict(file) for file in planned.files],
    }
    details = tuple(_file_line(file) for file in planned.files)
    label = clean(planned.label)
    if not planned.missing:
        return Finding("checkpoint", "ok", f"{label}: all of it is here", details, data=data)
    size = "an unknown size" if planned.to_fetch is None else size_words(planned.to_fetch)
    count = len(planned.missing)
    files = "1 file" if count == 1 else f"{count} files"
    return Finding(
        "checkpoint",
        "ok",
        f"{label}: {size} in {files} still to be fetched, at the first start",
        (*details, f"from {clean(planned.endpoint)} to {clean(str(planned.cache))}"),
        data=data,
    )


def _file_line(file: PlannedFile) -> str:
    size = "size unknown" if file.size is None else size_words(file.size)
    state = "here" if file.cached else "to fetch"
    if file.there and not file.cached:
        state = f"{size_words(file.there)} of it here"
    return f"{clean(file.name)}: {size}, {state}"


def _with_variables(finding: Finding) -> Finding:
    """With those of huggingface_hub's variables that are set, which may explain it."""
    found = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    lines = tuple(f"{name}={clean(value)}" for name, value in found.items())
    return Finding(
        finding.check,
        finding.verdict,
        finding.summary,
        finding.details + lines,
        finding.advice,
        {**finding.data, "environment": found},
    )


def _disk_for_unknown(folder: Path, free: Callable[[Path], int]) -> Finding:
    """The disk, where it is not known how much has to be fetched."""
    have = free(folder)
    data = {"folder": str(folder), "free_bytes": have, "needed_bytes": None}
    summary = f"{size_words(have)} free; what is needed is not known"
    where = (clean(str(folder)),)
    if have < SMALLEST_BYTES + MARGIN:
        words = f"{summary}, but --quant 4 takes {size_words(SMALLEST_BYTES)}"
        return Finding("disk", "careful", words, where, data=data)
    return Finding("disk", "ok", summary, where, data=data)


def _disk(folder: Path, needed: int, margin: int, free: Callable[[Path], int]) -> Finding:
    try:
        have = free(folder)
    except OSError as error:
        problem = MoshiTuiError("Disk", f"{folder}: {error.strerror or error}.")
        return failed("disk", problem)
    data = {"folder": str(folder), "free_bytes": have, "needed_bytes": needed + margin}
    where = clean(str(folder))
    summary = f"{size_words(have)} free, {size_words(needed)} needed"
    if have < needed + margin:
        lacking = size_words(needed + margin - have)
        advice = "Free some, or set HF_HUB_CACHE to a folder on a larger disk."
        return Finding("disk", "bad", f"{summary}: {lacking} too little", (where,), advice, data)
    if needed and have < needed + SCANT:
        return Finding("disk", "careful", f"{summary}: nearly full then", (where,), "", data)
    summary = summary if needed else f"{size_words(have)} free, nothing needed"
    return Finding("disk", "ok", summary, (where,), data=data)
