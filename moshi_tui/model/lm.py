"""The language model: weights and one step; what it remembers of a stream is in `LmState`."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import numpy.typing as npt
from mlx.nn.layers.base import Module
from mlx.nn.layers.normalization import RMSNorm

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model.cache import KVRing
from moshi_tui.model.config import LmConfig, LutConditioner, gating_hidden
from moshi_tui.model.depformer import DepFormer, RunSlice
from moshi_tui.model.layers import Embedding, Linear, Transformer
from moshi_tui.model.sampling import Sampler
from moshi_tui.model.stacks import Stack, stacks


class LmState:
    """What is remembered of one stream: a KV ring for each layer.

    Args:
        context: None: that of the model.
    """

    def __init__(self, config: LmConfig, dtype: mx.Dtype, context: int | None = None) -> None:
        head_dim = config.dim // config.num_heads
        self.caches = [
            KVRing(config.num_heads, context or config.context, head_dim, dtype)
            for _ in range(config.num_layers)
        ]
        """The temporal transformer's."""
        head_dim = config.depformer_dim // config.depformer_num_heads
        self.frame = [
            KVRing(config.depformer_num_heads, config.dep_q, head_dim, dtype)
            for _ in range(config.depformer_num_layers)
        ]
        """The depth transformer's, which every frame begins anew."""

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
        self._tables: tuple[Stack[Embedding], ...] = ()
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

    def make_state(self, context: int | None = None) -> LmState:
        """A fresh stream; `context`: steps that it attends to, None: as many as the model can."""
        return LmState(self._config, self._dtype, context)

    def stack(self) -> None:
        """Lay the embeddings' tables together, and what else one operation can do for all. What is
        there once stays; to be called when the weights are in, before the first step."""
        if not self._tables:
            self._tables = tuple(stacks([self.text_emb, *self.audio_embs], Embedding))
        self.depformer.stack()

    def unstack(self) -> None:
        """Let go of what `stack` made, which the modules' arrays keep alive until somebody moves
        them: for a runner that has stacks of its own."""
        self._tables = ()
        self.depformer.unstack()

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
        tokens: npt.NDArray[np.int32],
        state: LmState,
        text_sampler: Sampler,
        noise: list[mx.array],
        run_slice: RunSlice,
        *,
        condition: mx.array | None = None,
    ) -> list[mx.array]:
        """One step. `stack` must have been called. Nothing is waited for, but the device begins
        with the first half while Python writes down the second.

        Args:
            tokens: [1 + n_q]: text, then audio codebooks, each at its delay.
            noise: for each of the 1 + dep_q draws, from `sampling.Noise`.
            run_slice: see `DepFormer`.

        Returns what it speaks, 1 + dep_q times [] int: text, then audio tokens.
        """
        x = self.embed(tokens)
        if condition is not None:
            x = x + condition
        x = self.out_norm(self.transformer(x, state.caches))
        text = text_sampler(self.text_linear(x).reshape(-1), noise[0])
        mx.async_eval(x, text)
        return [text, *self.depformer(x, text, noise[1:], run_slice)]

    def embed(self, tokens: npt.NDArray[np.int32]) -> mx.array:
        """The sum of the vectors of `tokens` [1 + n_q]: [1, 1, dim]."""
        x: mx.array | None = None
        for table in self._tables:
            rows = tokens[table.members] + np.array(table.starts, np.int32)
            part = table.whole(mx.array(rows)).sum(axis=0)
            x = part if x is None else x + part
        assert x is not None, "stack() was not called"
        return x.reshape(1, 1, -1).astype(self._dtype)
