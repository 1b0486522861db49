"""The depth transformer: one sweep a frame, one slice for each codebook that Moshi speaks.

Slice i sees the temporal transformer's output and the token before it (the text token for slice 0,
then codebook i-1), and attends to the slices before it in the same frame. Source: Moshi paper,
section 3.4; each slice has weights of its own (`weights_per_step`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mlx.core as mx
from mlx.nn.layers.base import Module

from moshi_tui.model.cache import KVRing
from moshi_tui.model.config import LmConfig
from moshi_tui.model.layers import Embedding, Linear, Transformer
from moshi_tui.model.sampling import Sampler
from moshi_tui.model.stacks import Stack, stacks

RunSlice = Callable[[int, mx.array, mx.array, mx.array], mx.array]
"""Of a slice's number, its input, the token before it and its noise: the token. [1, 1, dim], [],
[sampler.noise_size] -> []."""


class Slice(Module):
    """What one codebook has of its own."""

    def __init__(self, config: LmConfig, tokens: int, hidden: int) -> None:
        super().__init__()
        dim = config.depformer_dim
        self.emb = Embedding(tokens, dim, config.depformer_low_rank_embeddings)
        self.linear_in = Linear(config.dim, dim)
        self.linear_out = Linear(dim, config.card)
        self.transformer = Transformer(
            config.depformer_num_layers, dim, config.depformer_num_heads, hidden, config.norm_eps
        )

    def __call__(self, x: mx.array, token: mx.array, caches: Sequence[KVRing]) -> mx.array:
        """The logits [card] after `token` [], where `linear_in` makes `x` [1, 1, dim] of what the
        temporal transformer says."""
        x = self.transformer(x + self.emb(token), caches)
        return self.linear_out(x).reshape(-1)


class DepFormer(Module):
    """All slices. Args: `hidden`: width of the gated layers."""

    def __init__(self, config: LmConfig, hidden: int) -> None:
        super().__init__()
        tokens = [config.text_card + 1] + [config.card + 1] * (config.dep_q - 1)
        self.slices = [Slice(config, n, hidden) for n in tokens]
        self._inputs: tuple[Stack[Linear], ...] = ()

    def stack(self) -> None:
        """Make one matrix of all slices' `linear_in`."""
        if not self._inputs:
            each = [part.linear_in for part in self.slices]
            self._inputs = tuple(stacks(each, lambda rows, columns: Linear(columns, rows)))

    def unstack(self) -> None:
        """Let go of it."""
        self._inputs = ()

    def __call__(
        self, temporal: mx.array, text_token: mx.array, noise: list[mx.array], run: RunSlice
    ) -> list[mx.array]:
        """One frame. `stack` must have been called.

        Args:
            temporal: what the temporal transformer says of this step [1, 1, dim].
            text_token: the text token of this step, [] int.
            noise: [noise_size] for each slice, from `sampling.Noise`.
            run: computes a slice: a `slice_runner` or an equal of it.

        Returns the audio tokens, dep_q times [] int.
        """
        token, tokens = text_token, []
        for i, x in enumerate(self.inputs(temporal)):
            token = run(i, x, token, noise[i])
            tokens.append(token)
        return tokens

    def inputs(self, temporal: mx.array) -> list[mx.array]:
        """What each slice's `linear_in` makes of `temporal`: [1, 1, depformer_dim] each."""
        rows: dict[int, mx.array] = {}
        for stack in self._inputs:
            parts = mx.split(stack.whole(temporal), len(stack.members), axis=-1)
            rows.update(zip(stack.members, parts, strict=True))
        return [rows[i] for i in range(len(self.slices))]


def slice_runner(depformer: DepFormer, caches: Sequence[KVRing], sampler: Sampler) -> RunSlice:
    """Runs the slices of one frame after another, in order."""

    def run(index: int, x: mx.array, token: mx.array, noise: mx.array) -> mx.array:
        for cache in caches:
            cache.offset = index
        return sampler(depformer.slices[index](x, token, caches), noise)

    return run
