"""Drawing a token from logits, without asking the host anything in between.

A draw is an argmax: over the logits when greedy, otherwise over the `top_k` largest of them
divided by the temperature, plus Gumbel noise (which makes it a draw from their softmax; E. J.
Gumbel, 1954). Each token of the vocabulary has a noise of its own, whether it is among the largest
or not, so that the draw does not depend on the order in which a backend finds them.
"""

from __future__ import annotations

import mlx.core as mx


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
        self._truncated = self.top_k < vocabulary

    @property
    def noise_size(self) -> int:
        """How many Gumbel numbers one draw takes."""
        return self._vocabulary if self.temperature else 0

    def __call__(self, logits: mx.array, noise: mx.array) -> mx.array:
        """`logits` [vocabulary], `noise` [noise_size] -> the token, [] int."""
        if not self.temperature:
            return mx.argmax(logits)
        logits = logits.astype(mx.float32)
        logits = logits - logits.max()  # else a tiny temperature makes them all infinite
        if not self._truncated:
            return mx.argmax(logits / self.temperature + noise)
        kept = mx.argpartition(-logits, self.top_k - 1)[: self.top_k]
        return kept[mx.argmax(logits[kept] / self.temperature + noise[kept])]


def gumbel_noise(seed: int, step: int, sizes: list[int]) -> list[mx.array]:
    """Noise for all draws of a step in one go: one array [n] float32 for each n of `sizes`.

    It depends on `seed` (32 bits count) and `step` only: a step can be run again at any time, on
    any thread, and gives the same tokens.
    """
    total = sum(sizes)
    if not total:
        return [mx.zeros((0,)) for _ in sizes]
    key = mx.array([seed & 0xFFFFFFFF, step & 0xFFFFFFFF], dtype=mx.uint32)
    noise = mx.random.gumbel((total,), key=key)
    parts, start = [], 0
    for size in sizes:
        parts.append(noise[start : start + size])
        start += size
    return parts
