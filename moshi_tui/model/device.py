"""What MLX runs on. The session sees MLX only through this module and the model."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Literal

import mlx.core as mx


def device_name() -> str:
    """What the model is computed on, e.g. "Apple M3 Max", "NVIDIA H200", "CPU (AMD EPYC)"."""
    name = str(mx.device_info().get("device_name", "")).strip()
    if mx.default_device() == mx.Device(mx.cpu):
        return f"CPU ({name})" if name else "CPU"
    return name or "GPU"


def is_cpu() -> bool:
    """Whether the model runs on the CPU."""
    return bool(mx.default_device() == mx.Device(mx.cpu))


@dataclass(frozen=True)
class DeviceReport:
    """The device in numbers. Bytes; None where MLX does not say."""

    name: str
    backend: Literal["Metal", "CUDA", "CPU"]
    memory: int | None
    """All of it: of the card, or of the Mac, which its GPU shares. None on the CPU."""
    free: int | None
    """What nobody has taken yet (CUDA only)."""
    working_set: int | None
    """What Apple recommends to stay within (Metal only)."""


def report() -> DeviceReport:
    """What there is to know about the device; does not allocate anything on it."""
    info = mx.device_info()

    def number(key: str) -> int | None:
        return int(info[key]) if key in info else None

    backend: Literal["Metal", "CUDA", "CPU"] = "CPU"
    if not is_cpu():
        backend = "Metal" if mx.metal.is_available() else "CUDA"
    total = number("total_memory")
    return DeviceReport(
        name=device_name(),
        backend=backend,
        memory=number("memory_size") if total is None else total,
        free=number("free_memory"),
        working_set=number("max_recommended_working_set_size"),
    )


def active_memory() -> int:
    """Bytes that MLX holds (on Macs the process's RSS does not show them)."""
    return int(mx.get_active_memory())


def peak_memory() -> int:
    """The most bytes that MLX held at once."""
    return int(mx.get_peak_memory())


def release() -> None:
    """Let go of the calling thread's MLX state.

    To be called last on the thread that loaded the model, once nothing refers to it any more: a
    thread that ends without this aborts the process at exit.
    """
    gc.collect()
    mx.clear_cache()
    mx.clear_streams()
