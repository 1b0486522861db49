"""The checkpoint: what is cached, what is still to fetch, and whether the disk holds it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from moshi_tui.checkpoint import Cancelled, Plan, PlannedFile, plan, size_words, usual_bytes
from moshi_tui.checkpoint.hub import MARGIN, Hub, free_space
from moshi_tui.clean import clean
from moshi_tui.config import CheckpointOptions
from moshi_tui.demo.checkpoint import demo_folder
from moshi_tui.doctor.chosen import SMALLEST, Chosen
from moshi_tui.doctor.findings import Finding, failed
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.pocket import SMALL

SCANT = 2_000_000_000
"""Bytes that had better stay free beside a download."""

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
    make_plan: MakePlan = plan_in_time,
    free: Callable[[Path], int] = free_space,
) -> list[Finding]:
    """Checkpoint and disk."""
    if chosen.demo:
        return [_pocket()]
    try:
        planned = make_plan(chosen.settings.checkpoint)
    except MoshiTuiError as error:
        finding = failed("checkpoint", error)
        return [_with_variables(finding), _disk_for_unknown(Hub().cache, chosen, free)]
    finding = _with_variables(_checkpoint(planned))
    missing = planned.to_fetch
    if missing is None:
        return [finding, _disk_for_unknown(planned.cache, chosen, free)]
    return [finding, _disk(planned.cache, missing, MARGIN if missing else 0, free)]


def _pocket() -> Finding:
    """The demo's files, which take no more of the disk."""
    try:
        folder = demo_folder()
    except MoshiTuiError as error:
        return failed("checkpoint", error)
    summary = f"{SMALL} that comes with the program: nothing to download"
    where = (clean(str(folder)),)
    return Finding("checkpoint", "ok", summary, where, data={"to_fetch_bytes": 0})


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


def _disk_for_unknown(folder: Path, chosen: Chosen, free: Callable[[Path], int]) -> Finding:
    """The disk, where the hub does not say how much has to be fetched."""
    try:
        have = free(folder)
    except OSError as error:
        return _disk_unreadable(folder, error)
    usual = usual_bytes(chosen.settings.checkpoint)
    smallest = usual_bytes(CheckpointOptions(quant=SMALLEST)) or 0
    data = {"folder": str(folder), "free_bytes": have, "needed_bytes": usual}
    where = (clean(str(folder)),)
    if usual is None:
        summary = f"{size_words(have)} free; what is needed is not known"
        little = f"{summary}, but --quant {SMALLEST} takes {size_words(smallest)}"
    else:
        summary = f"{size_words(have)} free, about {size_words(usual)} needed"
        little = f"{summary} if nothing of it is here: too little"
    if have < (usual or smallest) + MARGIN:
        return Finding("disk", "careful", little, where, data=data)
    return Finding("disk", "ok", summary, where, data=data)


def _disk_unreadable(folder: Path, error: OSError) -> Finding:
    return failed("disk", MoshiTuiError("Disk", f"{folder}: {error.strerror or error}."))


def _disk(folder: Path, needed: int, margin: int, free: Callable[[Path], int]) -> Finding:
    try:
        have = free(folder)
    except OSError as error:
        return _disk_unreadable(folder, error)
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
