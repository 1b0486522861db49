"""The reference implementation, Kyutai's moshi_mlx, on our model's own weights: for comparison.

It is no dependency: it is imported when somebody asks for it. Its modules get our arrays (the names
are the same), and it steps as its live client (moshi_mlx/local.py) does: its samplers with their
defaults, its checks, the text token and the audio tokens fetched one after the other.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
import numpy as np

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model.config import LmConfig
from moshi_tui.model.layers import named_parameters
from moshi_tui.model.lm import Lm
from moshi_tui.model.timing import Codes
from moshi_tui.model.weights import GROUP_SIZE

INSTALL = (
    "pip install --no-deps moshi_mlx==0.3.0: without its dependencies, because its pins (mlx below "
    "0.27, NumPy below 2.3) are not ours; MLX and NumPy are all that it needs for this."
)
SLOTS = 4096
"""Steps of its ring. Beyond them it forgets the newest, so nothing here goes so far."""
GROWTH = 256
"""Steps by which its ring grows until then."""
NO_LIMIT = 1 << 42
"""Bytes; it sets no limit to what MLX may keep."""


class Reference:
    """moshi_mlx as a `timing.Stream`. Belongs to the thread that loaded the model.

    Args:
        model: whose weights it takes; they are shared, not copied.
        seed: of its draws.

    Raises MoshiTuiError if it is not installed, or can't run such a model.
    """

    def __init__(self, model: Lm, seed: int) -> None:
        models, utils = _import("models"), _import("utils")
        config, weights = model.config, named_parameters(model)
        self.version = str(_import().__version__)
        self._dtype = model.dtype
        _check(config, model, weights)
        began = time.perf_counter()
        self._lm = models.Lm(models.LmConfig.from_config_dict(as_json(config)))
        bits = model.transformer.layers[0].self_attn.in_proj.bits
        if bits:
            _quantise(self._lm, bits, weights)
        self._lm.load_weights(list(weights.items()), strict=True)
        self._condition = None
        if config.conditioners:
            provider = self._lm.condition_provider
            self._condition = provider.condition_tensor("description", "very_good")
        mx.random.seed(seed)
        self._lm.warmup(self._condition)
        self._gen = models.LmGen(
            model=self._lm,
            max_steps=SLOTS,
            text_sampler=utils.Sampler(),
            audio_sampler=utils.Sampler(),
            check=False,
        )
        # It refuses to go on from tokens that were never generated: all count as generated.
        self._gen.gen_sequence = mx.zeros_like(self._gen.gen_sequence)
        self.warm_up_s = time.perf_counter() - began
        """Seconds that it took to be ready, its modules included."""

    def seek(self, steps: int) -> None:
        """Count `steps` steps as seen; its rings get the sizes that they would have by then."""
        if not 0 < steps <= SLOTS - GROWTH:
            raise ValueError(f"{steps} steps: expected 1 to {SLOTS - GROWTH}")
        size = min(SLOTS, -(-steps // GROWTH) * GROWTH)
        for layer in self._lm.transformer_cache:
            cache = layer.self_attn
            if cache.keys is None or cache.keys.shape[2] != size:
                shape = (1, cache.n_kv_heads, size, cache.k_head_dim)
                cache.keys, cache.values = (
                    mx.zeros(shape, self._dtype),
                    mx.zeros(shape, self._dtype),
                )
                mx.eval(cache.keys, cache.values)
            cache.offset = cache._idx = steps
        self._gen.step_idx = steps

    def step(self, codes: Codes) -> None:
        """One step, as its live client does it."""
        said = self._gen.step(mx.array(codes[None].astype(np.int32)), self._condition)
        said[0].item()
        audio = self._gen.last_audio_tokens()
        if audio is not None:
            np.array(audio).astype(np.uint32)


def require() -> None:
    """Raises MoshiTuiError if moshi_mlx is not installed: to be known before minutes have gone."""
    _import("models")


def as_json(config: LmConfig) -> dict[str, Any]:
    """The keys of `config.json` that moshi_mlx reads."""
    own = (
        "dim num_layers num_heads context max_period n_q dep_q card text_card depformer_dim "
        "depformer_dim_feedforward depformer_num_layers depformer_num_heads "
        "depformer_low_rank_embeddings"
    )
    conditioners = {
        name: {
            "type": "lut",
            "lut": {
                "n_bins": spec.n_bins,
                "dim": spec.dim,
                "tokenizer": "noop",
                "possible_values": list(spec.possible_values),
            },
        }
        for name, spec in config.conditioners.items()
    }
    schedule = config.depformer_weights_per_step_schedule
    return {name: getattr(config, name) for name in own.split()} | {
        "depformer_weights_per_step_schedule": schedule and list(schedule),
        "delays": list(config.delays),
        "causal": True,
        "layer_scale": None,
        "positional_embedding": "rope",
        "depformer_pos_emb": "none",
        "conditioners": conditioners,
    }


@contextmanager
def no_cache_limit() -> Iterator[None]:
    """Let MLX keep whatever is freed, as moshi_mlx does: neither side is held back by our limit."""
    before = mx.set_cache_limit(NO_LIMIT)
    try:
        yield
    finally:
        mx.set_cache_limit(before)


def _import(part: str = "") -> Any:
    try:
        return importlib.import_module(f"moshi_mlx.{part}".rstrip("."))
    except ImportError as error:
        raise MoshiTuiError("Cannot import moshi_mlx", f"{error}", INSTALL) from error


def _check(config: LmConfig, model: Lm, weights: dict[str, mx.array]) -> None:
    """Refuse what it can't run, before it fails in a way that nobody understands."""
    low_rank = config.depformer_low_rank_embeddings is not None
    if low_rank and any(name.endswith(".scales") for name in weights):
        raise MoshiTuiError(
            "moshi_mlx cannot run this model",
            f"quantised ({model.quantisation}), its low-rank embeddings lose their projection",
            "Compare with --quant bf16.",
        )
    if config.context > SLOTS - GROWTH:
        raise MoshiTuiError(
            "moshi_mlx cannot run this model",
            f"its ring has {SLOTS} steps, too few for a context of {config.context}",
        )


def _quantise(lm: Any, bits: int, weights: dict[str, mx.array]) -> None:
    """Turn those of its modules into quantised ones that are so in our model."""
    from mlx.nn.layers.quantized import quantize

    quantize(
        lm,
        group_size=GROUP_SIZE[bits],
        bits=bits,
        class_predicate=lambda path, module: f"{path}.scales" in weights,
    )
