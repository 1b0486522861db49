"""step.cu compiled for the CPU (emulator/emulator.h), for tests where there is no NVIDIA GPU."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from moshi_tui.model.kernel import source
from moshi_tui.model.kernel.runner import KernelRunner, Launch
from moshi_tui.model.kernel.source import Layout, Tuning

EMULATOR = Path(__file__).parent / "emulator" / "emulator.h"
TUNING = Tuning(threads=64, blocks=3, loads_ahead=2)
"""Few threads, for they take turns; several blocks, for these must meet."""

FLAGS = ["-std=c++17", "-O2", "-w", "-shared", "-fPIC", "-U_FORTIFY_SOURCE", "-fno-strict-aliasing"]

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")

_NUMBERS = {mx.int32: "int", mx.uint32: "unsigned", mx.float32: "float"}


def runner(plan, folder: Path, tuning: Tuning = TUNING, *, timed: bool = False) -> KernelRunner:
    return KernelRunner(plan, tuning, launch=lambda layout: launch_on_cpu(layout, folder, timed))


def launch_on_cpu(layout: Layout, folder: Path, timed: bool) -> Launch:
    built: list[ctypes.CDLL] = []

    def launch(inputs: Sequence[mx.array]) -> mx.array:
        mx.eval(inputs)
        if not built:
            built.append(build(layout, [array.dtype for array in inputs], folder, timed))
        spoken = np.zeros(1 + layout.config.dep_q, np.int32)
        pointers = (ctypes.c_void_p * len(inputs))(*[address(array) for array in inputs])
        built[0].launch(pointers, ctypes.c_void_p(spoken.ctypes.data))
        return mx.array(spoken)

    return launch


def address(array: mx.array) -> int:
    """Of its numbers: MLX sees what is written there."""
    numbers = array.view(mx.uint8)
    mx.eval(numbers)
    return int(np.array(numbers, copy=False).ctypes.data)


def build(layout: Layout, types: list[mx.Dtype], folder: Path, timed: bool) -> ctypes.CDLL:
    arguments = "\n".join(
        f"auto {name} = static_cast<const {_NUMBERS.get(kind, 'void')}*>(inputs[{i}]);"
        for i, (name, kind) in enumerate(zip(source.inputs(layout.formats), types, strict=True))
    )
    text = f"""#include "{EMULATOR}"
{source.header(layout, timed=timed)}
extern "C" void launch(const void** inputs, int* spoken) {{
  emulated::launch({layout.tuning.blocks}, {layout.tuning.threads}, [=] {{
{arguments}
{source.body(layout.formats)}
  }});
}}
"""
    file = folder / f"{source.kernel_name(text)}.cpp"
    library = file.with_suffix(".so")
    if not library.exists():
        file.write_text(text)
        subprocess.run(["g++", *FLAGS, "-o", library, file], check=True)
    return ctypes.CDLL(str(library))
