"""A step as one launch of our own CUDA kernel (step.cu)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model.device import is_cuda
from moshi_tui.model.kernel import source
from moshi_tui.model.kernel.pack import formats, stacked
from moshi_tui.model.kernel.source import Layout, Tuning
from moshi_tui.model.lm import Lm
from moshi_tui.model.per_model import PerModel
from moshi_tui.model.runner import Plan, RunnerName, Tokens
from moshi_tui.model.sampling import gumbel

_TOKENS, _NOISE = source.ARGUMENTS.index("controls"), source.ARGUMENTS.index("noise")

Launch = Callable[[Sequence[mx.array]], mx.array]
"""The inputs in the order of `source.inputs` -> the tokens spoken [1 + dep_q] int32, lazy."""

_SYNC = 4096
"""Numbers by which blocks meet. Two are used, but MLX lays small arrays where the host reads them
too, and there a barrier takes 100 times as long."""

_OLDEST = 7
"""Compute capability from which a GPU knows the loads and stores that the barriers are made of."""

_MULTIPROCESSORS = 16
"""CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT of the CUDA driver."""


_stacks = PerModel[dict[str, mx.array]]()


class StuckError(MoshiTuiError):
    """The kernel's blocks did not meet. The stream is as before the step, which may be tried again:
    in the end all blocks came to all barriers, so that the next launch counts from the same."""

    def __init__(self) -> None:
        super().__init__(
            "A step was not finished",
            "the GPU did not run all blocks of the kernel at once; is something else using it?",
            "Start again with --runner mlx.",
        )


class KernelRunner:
    """See `runner.Runner`. The weights of its model become views of stacks, see `pack.stacked`.

    Args:
        launch: makes the function that runs the kernel; None: MLX's CUDA backend.

    Raises ValueError if the kernel can't run this model (`problem` tells before).
    """

    name: RunnerName = "kernel"
    host_bytes = 0

    def __init__(
        self,
        plan: Plan,
        tuning: Tuning | None = None,
        launch: Callable[[Layout], Launch] | None = None,
    ) -> None:
        model = plan.model
        config = model.config
        layout = layout_of(model, tuning or Tuning(blocks=multiprocessors()))
        if isinstance(layout, str):
            raise ValueError(layout)
        self._config = config
        self._offset = 0
        self._noise_size = sum(sampler.noise_size for sampler in plan.samplers)
        self._launch = (launch or on_cuda)(layout)
        condition = mx.zeros((config.dim,)) if plan.condition is None else plan.condition
        sampling = [
            number
            for sampler in (plan.text_sampler, plan.audio_sampler)
            for number in (sampler.temperature, sampler.top_k)
        ]
        head_dim = config.dim // config.num_heads
        ring = (config.num_layers, 2, config.num_heads, config.context, head_dim)
        arrays = stacks_of(model) | {
            "sampling": mx.array(sampling, mx.float32),
            "condition": condition.reshape(-1).astype(mx.float32),
            "ring": mx.zeros(ring, model.dtype),
            "scratch": mx.zeros((layout.scratch_floats,)),
            "sync": mx.zeros((_SYNC,), mx.uint32),
        }
        mx.eval(arrays)
        none = mx.zeros((0,))  # controls and noise: new ones for each step
        self._inputs = [arrays.get(name, none) for name in source.inputs(layout.formats)]
        self._noise: tuple[tuple[int, int], mx.array] | None = None

    @property
    def steps(self) -> int:
        """Steps that the next one attends to, besides itself."""
        return min(self._offset, self._config.context)

    def step(self, tokens: Tokens, seed: int, step: int) -> Tokens:
        """One step, evaluated. Raises StuckError."""
        inputs = list(self._inputs)
        # Copied by the GPU to its own memory: blocks that fetch them from the host's keep others,
        # which wait at a barrier, waiting.
        inputs[_TOKENS] = mx.array(np.append(tokens, self._offset).astype(np.int32)) + 0
        inputs[_NOISE] = self._noise_for(seed, step)
        spoken = np.array(self._launch(inputs))  # evaluates it
        if spoken[0] < 0:
            raise StuckError
        self._offset += 1
        self._noise = (seed, step + 1), self._draw(seed, step + 1)
        return spoken

    def _noise_for(self, seed: int, step: int) -> mx.array:
        if self._noise is not None and self._noise[0] == (seed, step):
            return self._noise[1]
        return self._draw(seed, step)

    def _draw(self, seed: int, step: int) -> mx.array:
        """Noise of a step, on its way: while the next frame is waited for, there is time for it."""
        noise = gumbel(seed, step, max(1, self._noise_size))
        mx.async_eval(noise)
        return noise

    def reset(self) -> None:
        """Forget the stream."""
        self._offset = 0

    def pretend(self, steps: int) -> None:
        """Count `steps` steps as seen."""
        self._offset = steps


def problem(plan: Plan) -> str | None:
    """Why the kernel can't run this model on this machine; None if it can."""
    if not is_cuda():
        return "it is for NVIDIA GPUs"
    if int(mx.device_info().get("compute_capability_major", 0)) < _OLDEST:
        return f"it needs a GPU of compute capability {_OLDEST}.0"
    try:
        blocks = multiprocessors()
    except OSError as error:
        return f"the CUDA driver does not say how many multiprocessors there are: {error}"
    layout = layout_of(plan.model, Tuning(blocks=blocks))
    return layout if isinstance(layout, str) else None


def layout_of(model: Lm, tuning: Tuning) -> Layout | str:
    """Sizes for this model, or why the kernel can't run it."""
    found = formats(model)
    if isinstance(found, str):
        return found
    layout = Layout(
        model.config,
        found,
        model.transformer.layers[0].gating.linear_out.shape[1],
        model.depformer.slices[0].transformer.layers[0].gating.linear_out.shape[1],
        model.dtype,
        tuning,
    )
    return layout.problem or layout


def stacks_of(model: Lm) -> dict[str, mx.array]:
    """The model's stacks; made once for each model."""
    stacks = _stacks.get(model)
    return _stacks.set(model, stacked(model)) if stacks is None else stacks


def let_go(model: Lm) -> None:
    """Forget the stacks: for a model that another runner steps."""
    _stacks.drop(model)


def on_cuda(layout: Layout, *, timed: bool = False) -> Launch:
    """The kernel on MLX's CUDA backend, which builds it at its first use (seconds) and keeps it;
    `timed` as for `source.header`."""
    header, body = source.header(layout, timed=timed), source.body(layout.formats)
    kernel: Any = mx.fast.cuda_kernel(
        name=source.kernel_name(header + body),
        input_names=source.inputs(layout.formats),
        output_names=["spoken"],
        source=body,
        header=header,
    )
    threads = layout.tuning.threads
    grid, tokens = (layout.tuning.blocks * threads, 1, 1), 1 + layout.config.dep_q

    def launch(inputs: Sequence[mx.array]) -> mx.array:
        spoken: list[mx.array] = kernel(
            inputs=list(inputs),
            grid=grid,
            threadgroup=(threads, 1, 1),
            output_shapes=[(tokens,)],
            output_dtypes=[mx.int32],
        )
        return spoken[0]

    return launch


def multiprocessors() -> int:
    """How many blocks the first GPU runs at once, one on each. Raises OSError if there is none."""
    driver = ctypes.CDLL("libcuda.so.1")
    device, count = ctypes.c_int(), ctypes.c_int()
    for status in (
        driver.cuInit(0),
        driver.cuDeviceGet(ctypes.byref(device), 0),
        driver.cuDeviceGetAttribute(ctypes.byref(count), _MULTIPROCESSORS, device),
    ):
        if status:
            raise OSError(f"status {status}")
    return count.value
