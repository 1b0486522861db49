"""What MLX runs on. The session sees MLX only through this module and the model."""

from __future__ import annotations

import gc
import logging
import os
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import mlx.core as mx

from moshi_tui import paths

log = logging.getLogger(__name__)

_KERNELS = "MLX_PTX_CACHE_DIR"
"""The environment variable that MLX reads when it builds its first kernel."""


def device_name() -> str:
    """What the model is computed on, e.g. "Apple M3 Max", "NVIDIA H200", "CPU (AMD EPYC)"."""
    name = str(mx.device_info().get("device_name", "")).strip()
    if mx.default_device() == mx.Device(mx.cpu):
        return f"CPU ({name})" if name else "CPU"
    return name or "GPU"


def is_cpu() -> bool:
    """Whether the model runs on the CPU."""
    return bool(mx.default_device() == mx.Device(mx.cpu))


def is_metal() -> bool:
    """Whether the model runs on a Mac's GPU."""
    return not is_cpu() and bool(mx.metal.is_available())


def is_cuda() -> bool:
    """Whether the model runs on an NVIDIA GPU."""
    return not is_cpu() and not mx.metal.is_available()


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
        backend = "Metal" if is_metal() else "CUDA"
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


def reset_peak_memory() -> None:
    """Count the peak from here on."""
    mx.reset_peak_memory()


def cache_memory() -> int:
    """Bytes that MLX has been given back and keeps for reuse."""
    return int(mx.get_cache_memory())


def kernel_folder() -> Path | None:
    """Where MLX keeps the kernels that it builds on this machine; None where it builds none.

    Only on CUDA: there it takes seconds, and by itself MLX keeps them in the folder for temporary
    files, which is empty after a restart.
    """
    if is_cpu() or is_metal():
        return None
    chosen = os.environ.get(_KERNELS)
    if chosen:
        return Path(chosen)
    # MLX names a kernel's file by what it computes, not by the GPU that it was built for: in a home
    # folder that machines share, one would be given another's.
    gpu = re.sub(r"\W+", "-", device_name().lower())
    return paths.cache_dir() / "kernels" / f"mlx-{version('mlx')}-{gpu}"


def keep_kernels() -> None:
    """Have MLX keep its kernels in `kernel_folder`. To be called before it builds the first."""
    folder = kernel_folder()
    if folder is not None:
        os.environ[_KERNELS] = str(folder)


def kernels_built() -> int | None:
    """How many kernels lie in `kernel_folder`; None where there is none."""
    folder = kernel_folder()
    if folder is None:
        return None
    # MLX writes several files for each, which differ in their suffix.
    return len({Path(at, name).stem for at, _, names in os.walk(folder) for name in names})


def wire(size: int) -> None:
    """Keep `size` bytes of MLX's memory, the weights and rings, from being swapped out or packed.

    On Metal only, and within what Apple recommends. A system that has no such limit (before macOS
    15) goes without.
    """
    limit = report().working_set
    if limit is None:
        return
    try:
        mx.set_wired_limit(min(size, limit))
    except (RuntimeError, ValueError):
        log.info("no memory is wired", exc_info=True)


@dataclass(frozen=True)
class Memory:
    """What the model takes of the device, in bytes."""

    active: int = 0
    """Held: weights, rings, what is being computed."""
    cache: int = 0
    """Freed and kept for reuse."""
    peak: int = 0
    """The most that was active at once."""


def memory(beside: int = 0) -> Memory:
    """As it is now. `beside`: bytes that are held outside MLX's memory."""
    return Memory(active_memory() + beside, cache_memory(), peak_memory() + beside)


def release() -> None:
    """Let go of the calling thread's MLX state.

    To be called last on the thread that loaded the model, once nothing refers to it any more: a
    thread that ends without this aborts the process at exit.
    """
    gc.collect()
    mx.clear_cache()
    mx.clear_streams()
