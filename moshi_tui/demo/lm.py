"""The demo's language model: random weights in the published MLX naming, bfloat16."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from moshi_tui.model.config import LmConfig
from moshi_tui.model.layers import named_parameters
from moshi_tui.model.lm import Lm

DEMO_CONFIG: dict[str, Any] = {
    "model_type": "moshi",
    "dim": 192,
    "text_card": 500,
    "existing_text_padding_id": 3,
    "n_q": 16,
    "dep_q": 8,
    "card": 2048,
    "num_heads": 4,
    "num_layers": 4,
    "hidden_scale": 4.125,
    "context": 3000,
    "max_period": 10000,
    "gating": "silu",
    "norm": "rms_norm_f32",
    "positional_embedding": "rope",
    "depformer_dim": 64,
    "depformer_num_heads": 4,
    "depformer_num_layers": 2,
    "depformer_dim_feedforward": 264,
    "depformer_pos_emb": "none",
    "delays": [0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1],
    "lm_gen_config": {"top_k_text": 12},
}

PAUSE = 20.0
"""How strongly the model leans to saying nothing; chosen so that about a quarter of the frames
bring a piece of text, as in speech."""


def write_lm(path: Path, seed: int, words: Collection[int]) -> None:
    """Write the checkpoint; the same tensors for the same seed and words.

    Args:
        words: the text tokens that it may say.
    """
    config = LmConfig.from_dict(DEMO_CONFIG)
    rng = np.random.default_rng(seed)
    tensors = {
        name: _random(value.shape, rng) for name, value in named_parameters(Lm(config)).items()
    }
    _choose_words(tensors, words, config.existing_text_padding_id)
    arrays = {name: mx.array(value).astype(mx.bfloat16) for name, value in tensors.items()}
    mx.save_safetensors(str(path), arrays)


def _random(shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    scale = shape[-1] ** -0.5
    return np.asarray(rng.standard_normal(shape) * scale, dtype=np.float32)


def _choose_words(
    tensors: dict[str, npt.NDArray[np.float32]], words: Collection[int], padding: int
) -> None:
    """Put one direction into every text embedding; the padding's row looks for it, those of all
    tokens but `words` look away."""
    direction = np.ones(tensors["text_emb.weight"].shape[1], np.float32)
    tensors["text_emb.weight"] += 0.15 * direction
    wanted = np.full((len(tensors["text_linear.weight"]), 1), -3 * PAUSE, np.float32)
    wanted[list(words)] = 0.0
    wanted[padding] = PAUSE
    tensors["text_linear.weight"] += wanted / direction.size * direction
