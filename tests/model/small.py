"""Small random checkpoints, written the way Kyutai's are."""

import json

import mlx.core as mx
from mlx.utils import tree_flatten, tree_map

from moshi_tui.model.config import LmConfig
from moshi_tui.model.lm import Lm

CONFIG = {
    "dim": 64,
    "text_card": 48,
    "n_q": 8,
    "dep_q": 4,
    "card": 32,
    "num_heads": 4,
    "num_layers": 2,
    "context": 8,
    "delays": [0, 0, 1, 1, 1, 0, 1, 1, 1],
    "depformer_dim": 64,
    "depformer_num_heads": 4,
    "depformer_num_layers": 2,
}


def write_checkpoint(folder, config=None, dtype=mx.float32):
    """config.json and model.safetensors with random weights in the published MLX naming."""
    data = CONFIG | (config or {})
    sizes = LmConfig.from_dict(data)
    model = Lm(sizes)
    mx.random.seed(5)
    weights = tree_map(
        lambda a: mx.random.normal(a.shape) * a.shape[-1] ** -0.5, model.parameters()
    )
    arrays = {name: value.astype(dtype) for name, value in tree_flatten(weights)}
    (folder / "config.json").write_text(json.dumps(data))
    mx.save_safetensors(str(folder / "model.safetensors"), arrays)
    return folder
