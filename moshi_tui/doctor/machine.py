"""What MLX runs on, and which models fit into its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moshi_tui.clean import clean
from moshi_tui.doctor.child import ask
from moshi_tui.doctor.chosen import Chosen
from moshi_tui.doctor.findings import Finding, Verdict, gigabytes
from moshi_tui.doctor.python import TO_CUDA
from moshi_tui.ram import Ram

DEVICE_SECONDS = 60.0

CODEC_BYTES = 1_700_000_000
"""Two codecs of two instances each, in the computer's own memory."""
PROGRAM_BYTES = 300_000_000
"""Python, NumPy and the screen."""
CUDA_BYTES = 800_000_000
"""What CUDA takes of a card for itself, and the kernels."""
SYSTEM_BYTES = 4_000_000_000
"""What macOS and a terminal need of a Mac's memory."""
TIGHT = 0.08
"""Less room than that, as a share of the need, is little."""

NVIDIA = Path("/proc/driver/nvidia/version")


def ask_device() -> dict[str, Any]:
    """Name, backend and memory of the device, and each model's need (task "device").

    Raises MoshiTuiError.
    """
    return ask("device", {}, DEVICE_SECONDS).result()


def check_device(answer: Mapping[str, Any], chosen: Chosen, nvidia: Path = NVIDIA) -> Finding:
    """Is there a GPU, and is it used?"""
    device = answer["device"]
    backend = device["backend"]
    data = dict(device)
    if backend != "CPU":
        return Finding("device", "ok", f"{clean(device['name'])} ({backend})", data=data)
    name = clean(device["name"])
    if chosen.demo:
        return Finding("device", "ok", f"{name}: enough for the demo", data=data)
    if nvidia.exists():
        return Finding(
            "device",
            "bad",
            f"{name}: there is an NVIDIA GPU, but MLX is installed for the CPU",
            advice=TO_CUDA,
            data=data,
        )
    return Finding(
        "device",
        "careful",
        f"{name}: no GPU; a CPU is rarely quick enough for Moshi 7B",
        advice="Made for Apple silicon, and for Linux with an NVIDIA GPU. The demo runs anywhere.",
        data=data,
    )


def check_memory(answer: Mapping[str, Any], ram: Ram, chosen: Chosen) -> Finding:
    """Which models fit, and the chosen one among them?"""
    device, needs = answer["device"], answer["needs"]
    rooms = {label: room(device, need["total"], ram) for label, need in needs.items()}
    totals = {label: _shown_need(device, need["total"]) for label, need in needs.items()}
    data = {
        "ram": asdict(ram),
        "need_bytes": totals,
        "room_bytes": rooms,
        "fits": {label: left >= 0 for label, left in rooms.items()},
    }
    details = tuple(
        f"{label:<5}{gigabytes(totals[label]):>8}  {_fit_words(left)}"
        for label, left in rooms.items()
    )
    have = _have_words(device, ram)
    if not chosen.demo:
        details += _parts(device, chosen.label, needs[chosen.label])
    if chosen.demo:
        enough = ram.available > 2 * PROGRAM_BYTES
        verdict: Verdict = "ok" if enough else "bad"
        return Finding("memory", verdict, f"{have}; the demo needs 0.3 GB", details, data=data)
    left, need = rooms[chosen.label], totals[chosen.label]
    summary = f"{have}; {chosen.label} needs {gigabytes(need)} in all"
    if left < 0:
        smaller = [label for label, each in rooms.items() if each >= 0 and totals[label] < need]
        advice = f"Take {_option(smaller[-1])}." if smaller else "Close other programs."
        return Finding("memory", "bad", f"{summary}: too much", details, advice, data)
    if left < TIGHT * need:
        advice = "Close other programs before a talk."
        return Finding("memory", "careful", f"{summary}: just fits", details, advice, data)
    return Finding("memory", "ok", summary, details, data=data)


def room(device: Mapping[str, Any], need: int, ram: Ram) -> int:
    """Bytes that are left beside a model that needs `need` on the device; below 0: it lacks so
    many."""
    ours = CODEC_BYTES + PROGRAM_BYTES
    if device["backend"] == "CPU":
        return ram.available - need - ours
    memory = device["memory"] or ram.total
    if device["backend"] == "Metal":
        of_gpu = (device["working_set"] or int(0.7 * memory)) - need
        return min(of_gpu, memory - need - ours - SYSTEM_BYTES)
    free = memory if device["free"] is None else device["free"]
    return int(min(free - need - CUDA_BYTES, ram.available - ours))


def _shown_need(device: Mapping[str, Any], need: int) -> int:
    """Of the memory that is short: a card's own does not hold the codec."""
    beside = CUDA_BYTES if device["backend"] == "CUDA" else CODEC_BYTES + PROGRAM_BYTES
    return need + beside


def _parts(device: Mapping[str, Any], label: str, need: Mapping[str, int]) -> tuple[str, ...]:
    """What `_shown_need` is made of, and why it is more on a CPU."""
    weights, context = need["weights"], need["context"]
    moving = max(0, need["moving"] - context)
    parts = {
        "weights": weights,
        "context": context,
        "MLX's reserve": need["total"] - weights - context - moving,
    }
    if moving:
        parts["for a moment, to lay weights together"] = moving
    if device["backend"] == "CUDA":
        parts["CUDA"] = CUDA_BYTES
    else:
        parts |= {"codec": CODEC_BYTES, "program": PROGRAM_BYTES}
    words = ", ".join(f"{name} {gigabytes(count)}" for name, count in parts.items())
    if device["backend"] != "CPU":
        return (f"{label}: {words}",)
    why = "what is not quantised takes twice what it takes on a GPU, the context as well"
    return (f"{label}: {words}", f"on a CPU all is computed in float32: {why}")


def _have_words(device: Mapping[str, Any], ram: Ram) -> str:
    if device["backend"] == "CPU":
        limited = " in this container" if ram.limited else ""
        return f"{gigabytes(ram.available)} of {gigabytes(ram.total)} free{limited}"
    memory = gigabytes(device["memory"] or ram.total)
    if device["backend"] == "Metal":
        return f"{memory}, shared with the GPU"
    free = "" if device["free"] is None else f"{gigabytes(device['free'])} of "
    return f"{free}{memory} of the GPU free"


def _fit_words(left: int) -> str:
    if left < 0:
        return f"does not fit: {gigabytes(-left)} too little"
    return f"fits, {gigabytes(left)} to spare"


def _option(label: str) -> str:
    return f"--quant {label[1:]}"
