"""Answers of the doctor's processes, as three machines would give them."""

from __future__ import annotations

from typing import Any

import pytest

from moshi_tui.doctor.child import Answer
from moshi_tui.errors import MoshiTuiError
from tests.pulse import pulse

__all__ = ["pulse"]

GB = 1_000_000_000

GPU_NEEDS = {"q4": 6.9, "q8": 10.3, "bf16": 17.47}
CUDA_MOVES = {"q4": 1.5, "q8": 3.0, "bf16": 5.9}
CPU_NEEDS = {"q4": 9.4, "q8": 12.3, "bf16": 34.4}


def machine(
    backend: str,
    *,
    name: str = "Device",
    memory: float | None = None,
    free: float | None = None,
    working_set: float | None = None,
) -> dict[str, Any]:
    """The answer of the task "device"; sizes in GB."""

    def whole(size: float | None) -> int | None:
        return None if size is None else round(size * GB)

    needs, context = (CPU_NEEDS, 3.1) if backend == "CPU" else (GPU_NEEDS, 1.6)
    moving = CUDA_MOVES if backend == "CUDA" else {}
    return {
        "device": {
            "name": name,
            "backend": backend,
            "memory": whole(memory),
            "free": whole(free),
            "working_set": whole(working_set),
        },
        "needs": {
            label: {
                "weights": round((total - context - 0.5) * GB),
                "context": round(context * GB),
                "moving": round(moving.get(label, 0) * GB),
                "total": round((total + max(0, moving.get(label, 0) - context)) * GB),
            }
            for label, total in needs.items()
        },
    }


def answer(*lines: dict[str, Any], error: str = "") -> Answer:
    """What a process said; with an `error` it said no more."""
    return Answer(lines, MoshiTuiError("Crashed", error) if error else None)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_HUB_CACHE", "HF_HOME", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
