"""What makes a step: the seam between the streaming loop and the ways to compute one.

All runners compute the same function. They differ in what they ask of the machine:

* `mlx` (plain.py): MLX operations; runs everywhere, and is what the others are checked against.
* `compiled` (compiled.py): the same, with the depth transformer under `mx.compile`; tried on Macs.
* `kernel` (kernel/): one launch of a CUDA kernel of our own; tried on NVIDIA GPUs.
* `numpy` (host.py): NumPy, for the CPU; needs the weights as float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from moshi_tui.model.lm import Lm
from moshi_tui.model.sampling import Sampler

RunnerName = Literal["mlx", "compiled", "kernel", "numpy"]

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Plan:
    """What does not change from step to step."""

    model: Lm
    text_sampler: Sampler
    audio_sampler: Sampler
    condition: mx.array | None
    """[1, 1, dim], from `Lm.condition`."""

    @property
    def samplers(self) -> list[Sampler]:
        """Of each draw of a step: the text token's, then those of the audio tokens."""
        return [self.text_sampler] + [self.audio_sampler] * self.model.config.dep_q


class Runner(Protocol):
    """Steps one stream of one model. Belongs to the thread that loaded the model."""

    @property
    def name(self) -> RunnerName:
        """Which one it is."""
        ...

    @property
    def steps(self) -> int:
        """Steps that the next one attends to, besides itself."""
        ...

    @property
    def host_bytes(self) -> int:
        """What it holds outside MLX's memory."""
        ...

    def step(self, tokens: Tokens, seed: int, step: int) -> Tokens:
        """One step, evaluated: one wait for the device.

        Args:
            tokens: [1 + n_q]: text, then audio codebooks, each at its delay.
            seed: 32 bits of it count.
            step: how many steps came before; with `seed` it decides the draws.

        Returns what it speaks: [1 + dep_q]: text, then audio tokens.
        """
        ...

    def reset(self) -> None:
        """Forget the stream; what is allocated stays."""
        ...

    def pretend(self, steps: int) -> None:
        """Count `steps` steps as seen, whatever the buffers hold: for warm-up and benchmarks, which
        would have to wait four minutes for a full context."""
        ...
