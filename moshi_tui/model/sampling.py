"""Drawing a token from logits, without asking the host anything in between.

A draw is an argmax: over the logits when greedy, otherwise over the `top_k` largest of them, plus
Gumbel noise times the temperature (which makes it a draw from the softmax of what they are, divided
by the temperature; E. J. Gumbel, 1954). Each token of the vocabulary has a noise of its own,
whether it is among the largest or not, so that the draw does not depend on the order in which a
backend finds them. Nor is that asked: a token may be drawn if its logit is not below the `top_k`th
largest, and so may all that are equal to that one.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx

_ROW = 2048
"""Numbers that a GPU sorts in one kernel; MLX takes a dozen for more."""


class Sampler:
    """Draws from `vocabulary` logits.

    Args:
        temperature: 0 is greedy.
        top_k: how many of the largest logits may be drawn; 0 or less: all.
    """

    def __init__(self, temperature: float, top_k: int, vocabulary: int) -> None:
        if not 0 <= temperature < float("inf"):
            raise ValueError(f"temperature {temperature}: expected a number from 0 up")
        self.temperature = temperature
        self.top_k = top_k if 0 < top_k < vocabulary else vocabulary
        self._vocabulary = vocabulary
        self._rows = _rows(vocabulary, self.top_k)

    @property
    def noise_size(self) -> int:
        """How many Gumbel numbers one draw takes."""
        return self._vocabulary if self.temperature else 0

    def __call__(self, logits: mx.array, noise: mx.array) -> mx.array:
        """`logits` [vocabulary], `noise` [noise_size] from `Noise` -> the token, [] int."""
        if not self.temperature:
            return mx.argmax(logits)
        logits = logits.astype(mx.float32)
        drawn = logits + noise
        if self.top_k < self._vocabulary:
            drawn = mx.where(logits < self._least(logits), -mx.inf, drawn)
        return mx.argmax(drawn)

    def _least(self, logits: mx.array) -> mx.array:
        """The `top_k`th largest logit [1]. What is among the largest of all is among those of its
        row."""
        if self._rows > 1:
            logits = _largest(logits.reshape(self._rows, -1), self.top_k).reshape(-1)
        return mx.partition(logits, -self.top_k)[-self.top_k : logits.size - self.top_k + 1]


class Noise:
    """Noise for all draws of a step in one go, each at the temperature of its sampler."""

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        self._sizes = [sampler.noise_size for sampler in samplers]
        scale = [mx.full((each.noise_size,), each.temperature) for each in samplers]
        self._scale = mx.concatenate(scale) if sum(self._sizes) else mx.zeros((0,))
        mx.eval(self._scale)

    def __call__(self, seed: int, step: int) -> list[mx.array]:
        """For each sampler [noise_size] float32: `gumbel` times the temperature."""
        size = self._scale.size
        noise = gumbel(seed, step, size) * self._scale if size else self._scale
        parts, start = [], 0
        for many in self._sizes:
            parts.append(noise[start : start + many])
            start += many
        return parts


def gumbel(seed: int, step: int, count: int) -> mx.array:
    """Noise for a step: [count] float32, lazy.

    It depends on `seed` and `step` (32 bits of each count) only: a step can be run again at any
    time, on any thread, and gives the same tokens.
    """
    key = mx.array([seed & 0xFFFFFFFF, step & 0xFFFFFFFF], dtype=mx.uint32)
    noise: mx.array = mx.random.gumbel((count,), key=key)
    return noise


def _rows(vocabulary: int, top_k: int) -> int:
    """Into how many rows to part the logits so that each is sorted in one kernel; 1: none fit."""
    for rows in range(1, vocabulary // max(1, top_k) + 1):
        if vocabulary % rows == 0 and vocabulary // rows <= _ROW:
            return rows
    return 1


def _largest(rows: mx.array, top_k: int) -> mx.array:
    """The `top_k` largest of each row [rows, top_k], in no order."""
    return mx.partition(rows, -top_k, axis=-1)[:, -top_k:]
