"""Sizes of Kyutai's published models, to time them without their weights.

Moshi 7B v0.1 is the program's default (`config.MOSHI_7B`). The other two are Hibiki's, which is
built like Moshi.
"""

from __future__ import annotations

from collections.abc import Mapping

from moshi_tui.model.config import MOSHI_7B, LmConfig, LutConditioner

HIBIKI_2B = LmConfig(
    dim=2560,
    num_layers=24,
    num_heads=20,
    context=1500,
    max_period=100_000,
    n_q=32,
    dep_q=16,
    text_card=48_000,
    delays=(0, *(0, *(2,) * 15) * 2),
    depformer_dim_feedforward=3072,
    depformer_num_layers=4,
    depformer_weights_per_step_schedule=(*range(8), *(8,) * 8),
    depformer_low_rank_embeddings=128,
    conditioners={
        "description": LutConditioner(31, 16, ("very_bad", "bad", "neutral", "good", "very_good"))
    },
)
"""Source: the `config.json` of Kyutai's hibiki-2b repos, as the Vokra project's converter checks
it; the file itself was not at hand. MLX files store shared weights once for each slice."""

HIBIKI_1B = LmConfig(
    dim=2048,
    num_layers=16,
    num_heads=16,
    max_period=100_000,
    text_card=48_000,
    delays=(0, *(0, *(2,) * 7) * 2),
)
"""Source: `config1b_202412` of moshi_mlx 0.3.0, with the sizes of hibiki-1b's Rust config."""

SHAPES: Mapping[str, LmConfig] = {"7b": MOSHI_7B, "2b": HIBIKI_2B, "1b": HIBIKI_1B}
"""By the name that a person gives, the largest first."""
