"""The depth transformer: one sweep a frame, one slice for each codebook that Moshi speaks.

Slice i sees the temporal transformer's output and the token before it (the text token for slice 0,
then codebook i-1), and attends to the slices before it in the same frame. Source: Moshi paper,
section 3.4; each slice has weights of its own (`weights_per_step`).
"""

from __future__ import annotations

import mlx.core as mx
from mlx.nn.layers.base import Module

from moshi_tui.model.cache import FrameCache
from moshi_tui.model.config import LmConfig
from moshi_tui.model.layers import Embedding, Linear, Transformer
from moshi_tui.model.sampling import Sampler


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


class DepFormer(Module):
    """All slices. Args: `hidden`: width of the gated layers."""

    def __init__(self, config: LmConfig, hidden: int) -> None:
        super().__init__()
        tokens = [config.text_card + 1] + [config.card + 1] * (config.dep_q - 1)
        self.slices = [Slice(config, n, hidden) for n in tokens]

    def __call__(
        self, temporal: mx.array, text_token: mx.array, sampler: Sampler, noise: list[mx.array]
    ) -> mx.array:
        """One frame.

        Args:
            temporal: what the temporal transformer says of this step [1, 1, dim].
            text_token: the text token of this step, [] int.
            noise: [sampler.noise_size] for each slice, from `sampling.gumbel_noise`.

        Returns the audio tokens [dep_q] int.
        """
        caches = [FrameCache() for _ in self.slices[0].transformer.layers]
        token, tokens = text_token, []
        for i, part in enumerate(self.slices):
            x = part.linear_in(temporal) + part.emb(token)
            logits = part.linear_out(part.transformer(x, caches))
            token = sampler(logits.reshape(-1), noise[i])
            tokens.append(token)
        return mx.stack(tokens)
