"""What MLX runs on. The session sees MLX only through this module and the model."""

from __future__ import annotations

import gc

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
