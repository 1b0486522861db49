"""The language model: weights and one step; what it remembers of a stream is in `LmState`."""

from __future__ import annotations

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx.nn.layers.normalization import RMSNorm

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model.cache import KVRing
from moshi_tui.model.config import LmConfig, LutConditioner, gating_hidden
from moshi_tui.model.depformer import DepFormer
from moshi_tui.model.layers import Embedding, Linear, Transformer
from moshi_tui.model.sampling import Sampler


class LmState:
    """What the temporal transformer remembers of one stream: a KV ring for each layer."""

    def __init__(self, config: LmConfig, dtype: mx.Dtype) -> None:
        head_dim = config.dim // config.num_heads
        self.caches = [
            KVRing(config.num_heads, config.context, head_dim, dtype)
            for _ in range(config.num_layers)
        ]

    def reset(self) -> None:
        """Forget the stream."""
        for cache in self.caches:
            cache.reset()

    @property
    def steps(self) -> int:
        """Steps that the next one attends to, besides itself."""
        return min(self.caches[0].offset, self.caches[0].context)

    def pretend(self, steps: int) -> None:
        """Count `steps` steps as seen, whatever the rings hold."""
        for cache in self.caches:
            cache.offset = steps


class LutConditionerTable(Module):
    """A conditioner's vectors. `learnt_padding` stands for "not given"."""

    def __init__(self, spec: LutConditioner, dim: int) -> None:
        super().__init__()
        self.embed = Embedding(spec.n_bins + 1, spec.dim)
        self.output_proj = Linear(spec.dim, dim)
        self.learnt_padding = mx.zeros((1, 1, dim))

    def __call__(self, index: int | None) -> mx.array:
        """The vector [1, 1, dim] of value number `index`, None for "not given"."""
        if index is None:
            return self.learnt_padding
        return self.output_proj(self.embed(mx.array(index))).reshape(1, 1, -1)


class ConditionProvider(Module):
    """The conditioners by name."""

    def __init__(self, config: LmConfig) -> None:
        super().__init__()
        self.conditioners = {
            name: LutConditionerTable(spec, config.dim)
            for name, spec in config.conditioners.items()
        }


class Lm(Module):
    """Temporal transformer, text head and depth transformer.

    The module tree spells the tensor names of Kyutai's MLX files. All of it belongs to the thread
    that loaded it (MLX arrays do). Until a loader fills it in, it holds unevaluated zeros.

    Args:
        torch_naming: whose widths of gated layers to take (see `config.gating_hidden`).
    """

    def __init__(self, config: LmConfig, *, torch_naming: bool = False) -> None:
        super().__init__()
        hidden, depformer_hidden = (
            gating_hidden(dim, forward, torch_naming=torch_naming)
            for dim, forward in (
                (config.dim, config.dim_feedforward),
                (config.depformer_dim, config.depformer_dim_feedforward),
            )
        )
        self._config = config
        self._dtype = mx.float32
        self.text_emb = Embedding(config.text_card + 1, config.dim)
        self.audio_embs = [Embedding(config.card + 1, config.dim) for _ in range(config.n_q)]
        self.transformer = Transformer(
            config.num_layers,
            config.dim,
            config.num_heads,
            hidden,
            config.norm_eps,
            config.max_period,
        )
        self.out_norm = RMSNorm(config.dim, eps=config.norm_eps)
        self.text_linear = Linear(config.dim, config.text_card)
        self.depformer = DepFormer(config, depformer_hidden)
        if config.conditioners:
            self.condition_provider = ConditionProvider(config)

    @property
    def config(self) -> LmConfig:
        """Its sizes."""
        return self._config

    @property
    def dtype(self) -> mx.Dtype:
        """The type that it computes in."""
        return self._dtype

    def set_dtype_of_activations(self, dtype: mx.Dtype) -> None:
        """Called by the loader once the weights are in."""
        self._dtype = dtype

    @property
    def quantisation(self) -> str:
        """ "q4" or "q8" by the largest matrices, otherwise the type: "bf16", "f16", "f32"."""
        bits = self.transformer.layers[0].self_attn.in_proj.bits
        names = {mx.bfloat16: "bf16", mx.float16: "f16", mx.float32: "f32"}
        return f"q{bits}" if bits else names[self._dtype]

    def make_state(self) -> LmState:
        """A fresh stream."""
        return LmState(self._config, self._dtype)

    def condition(self, values: dict[str, str]) -> mx.array | None:
        """The sum of all conditioners' vectors [1, 1, dim], None for a model without any.

        A conditioner that `values` does not name gets "very_good" if it is called `description` (as
        in the reference), otherwise "not given". Raises MoshiTuiError for what the model lacks.
        """
        known = self._config.conditioners
        for name in values:
            if name not in known:
                has = ", ".join(known) or "none"
                raise MoshiTuiError(
                    "Unknown condition", f"the model has no condition {name!r}", f"It has: {has}."
                )
        total: mx.array | None = None
        for name, spec in known.items():
            value = values.get(name, "very_good" if name == "description" else None)
            if value is not None and value not in spec.possible_values:
                raise MoshiTuiError(
                    "Unknown condition",
                    f"{name} = {value!r}",
                    f"Possible values: {', '.join(spec.possible_values)}.",
                )
            index = None if value is None else spec.possible_values.index(value)
            vector = self.condition_provider.conditioners[name](index)
            total = vector if total is None else total + vector
        return None if total is None else total.astype(self._dtype)

    def __call__(
        self,
        tokens: mx.array,
        state: LmState,
        text_sampler: Sampler,
        audio_sampler: Sampler,
        noise: list[mx.array],
        *,
        condition: mx.array | None = None,
    ) -> mx.array:
        """One step; nothing is evaluated here.

        Args:
            tokens: [1 + n_q] int: text, then audio codebooks, each at its delay.
            noise: for each of the 1 + dep_q draws [its sampler's noise_size], from
                `sampling.gumbel_noise`.

        Returns what it speaks: [1 + dep_q] int: text, then audio tokens.
        """
        text_noise, *audio_noise = noise
        x = self.text_emb(tokens[0])
        for i, emb in enumerate(self.audio_embs):
            x = x + emb(tokens[1 + i])
        x = x.reshape(1, 1, -1).astype(self._dtype)
        if condition is not None:
            x = x + condition
        x = self.out_norm(self.transformer(x, state.caches))
        text = text_sampler(self.text_linear(x).reshape(-1), text_noise)
        audio = self.depformer(x, text, audio_sampler, audio_noise)
        return mx.concatenate([text.reshape(1), audio])
