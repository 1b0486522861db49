"""A Mimi of the published sizes with random weights: its speed is that of the real one."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from moshi_tui.codec.layout import STANDARD
from moshi_tui.errors import MoshiTuiError

SPACE = 800_000_000
"""Bytes of disk that it takes, with a margin."""
_TILE = 1 << 16


def write_random_mimi(folder: Path) -> Path:
    """Write the file into `folder`, in a second or two; what it says is noise.

    Raises MoshiTuiError if there is no space for it.
    """
    free = shutil.disk_usage(folder).free
    if free < SPACE:
        raise MoshiTuiError(
            "No space for a random codec",
            f"{folder} has {free / 1e6:.0f} MB free, {SPACE / 1e6:.0f} are needed.",
            "TMPDIR chooses another folder.",
        )
    noise = np.random.default_rng(1).standard_normal(_TILE, np.float32)

    def tensor(name: str, shape: tuple[int, ...]) -> Any:
        if name.endswith(("_initialized", "cluster_usage")):
            return np.ones(shape, np.float32)
        return np.resize(noise, shape) * np.float32(math.prod(shape[1:]) ** -0.5)

    path = folder / "mimi.safetensors"
    save_file({name: tensor(name, shape) for name, shape in STANDARD.tensors().items()}, path)
    return path
