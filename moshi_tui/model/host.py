"""A step in NumPy: the fastest on a CPU.

MLX's CPU backend has slow products (reference BLAS on Linux) and takes some 10 µs for any operation
however small; NumPy has a tuned BLAS and takes 1 µs. A step is one row, so that every product is a
matrix times a vector, and vectors have one axis here: [dim].

What is left is the time that memory takes to hand over the weights. More threads of OpenBLAS gain
nothing there and starve the codec (cli.py sets it to one; tests/bench/host.py has the figures).
"""

from __future__ import annotations

import math

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from moshi_tui.model.config import LmConfig
from moshi_tui.model.device import is_cpu
from moshi_tui.model.host_weights import Array, HostLayer, host_weights, to_host
from moshi_tui.model.runner import Plan, RunnerName, Tokens
from moshi_tui.model.sampling import Noise, Sampler

Turn = npt.NDArray[np.complex64] | npt.NDArray[np.float32]


class NumpyRunner:
    """See `runner.Runner`."""

    name: RunnerName = "numpy"

    def __init__(self, plan: Plan) -> None:
        config = plan.model.config
        self._plan = plan
        self._noise = Noise(plan.samplers)
        self._weights = host_weights(plan.model)
        self._condition = None if plan.condition is None else to_host(plan.condition).reshape(-1)
        self._offset = 0
        self._context = config.context
        self._max_period = config.max_period
        self._eps = config.norm_eps
        heads, head_dim = config.num_heads, config.dim // config.num_heads
        self._ring = _keys_and_values(config.num_layers, heads, config.context, head_dim)
        heads = config.depformer_num_heads
        head_dim = config.depformer_dim // heads
        self._frame = _keys_and_values(config.depformer_num_layers, heads, config.dep_q, head_dim)
        self._no_turn: Turn = np.array([head_dim**-0.5, 1], np.float32).reshape(2, 1, 1)

    @property
    def steps(self) -> int:
        """Steps that the next one attends to, besides itself."""
        return min(self._offset, self._context)

    @property
    def host_bytes(self) -> int:
        """What it holds outside MLX's memory; the weights are shared by all of a model's."""
        return self._weights.written + self._ring.nbytes + self._frame.nbytes

    def reset(self) -> None:
        """Forget the stream."""
        self._offset = 0

    def pretend(self, steps: int) -> None:
        """Count `steps` steps as seen."""
        self._offset = steps

    # exp(-a) of a gate that is shut may overflow: a / inf is 0, as it should be.
    @np.errstate(over="ignore")
    def step(self, tokens: Tokens, seed: int, step: int) -> Tokens:
        """One step."""
        noise = self._noise(seed, step)
        mx.async_eval(noise)  # on MLX's own thread, while we compute what it is needed for
        x = self._temporal(tokens)
        text_noise, *audio_noise = (np.array(n, copy=not is_cpu()) for n in noise)
        text = draw(self._weights.text_linear.dot(x), self._plan.text_sampler, text_noise)
        return np.array([text, *self._audio(x, text, audio_noise)], np.int32)

    def _temporal(self, tokens: Tokens) -> Array:
        """What the temporal transformer says [dim] of `tokens` [1 + n_q]."""
        weights, slot = self._weights, self._offset % self._context
        x = np.zeros_like(weights.out_norm)
        for emb, token in zip(weights.embs, tokens.tolist(), strict=True):
            x += emb(token)
        if self._condition is not None:
            x += self._condition
        turn = turn_at(self._offset, self._ring.shape[-1], self._max_period)
        self._offset += 1
        for layer, kv in zip(weights.layers, self._ring, strict=True):
            x = self._block(x, layer, kv, slot, self.steps, turn)
        return self._norm(x, weights.out_norm)

    def _audio(self, temporal: Array, text: int, noise: list[Array]) -> list[int]:
        """The depth transformer's sweep: the audio tokens of this step."""
        tokens = [text]
        for i, part in enumerate(self._weights.slices):
            x = part.linear_in.dot(temporal)
            x += part.emb(tokens[-1])
            for layer, kv in zip(part.layers, self._frame, strict=True):
                x = self._block(x, layer, kv, i, i + 1, self._no_turn)
            logits = part.linear_out.dot(x)
            tokens.append(draw(logits, self._plan.audio_sampler, noise[i]))
        return tokens[1:]

    def _block(
        self, x: Array, layer: HostLayer, kv: Array, slot: int, filled: int, turn: Turn
    ) -> Array:
        """One block: `x` [dim] -> the same shape.

        Args:
            kv: [2, heads, slots, head_dim]: keys and values, of which slot `slot` is written and
                `filled` slots are attended to.
            turn: multiplies queries and keys: pairs of numbers if it is complex.
        """
        _, heads, _, head_dim = kv.shape
        qkv = layer.in_proj.dot(self._norm(x, layer.norm1)).reshape(3, heads, head_dim)
        query_key = qkv[:2].view(turn.dtype)
        query_key *= turn
        kv[:, :, slot] = qkv[1:]
        keys, values = kv[:, :, :filled]
        x = x + layer.out_proj.dot(attend(qkv[0], keys, values).reshape(-1))
        x += layer.gate_out.dot(gate(layer.gate_in.dot(self._norm(x, layer.norm2))))
        return x

    def _norm(self, x: Array, weight: Array) -> Array:
        """RMS norm: [dim] -> [dim]."""
        y = x * weight
        y *= 1 / math.sqrt(x.dot(x) / x.size + self._eps)
        return y


def turn_at(position: int, head_dim: int, period: float) -> Turn:
    """What rotates query and key of a step (RoPE), as complex numbers [2, 1, head_dim / 2]: a pair
    of neighbours is one number. The scale of the attention is in the query's.

    Angles are computed in float64: in float32 they would be off by degrees after a day's talk.
    """
    pairs = np.arange(head_dim // 2) * 2 / head_dim
    turn = np.exp(1j * position * float(period) ** -pairs)
    return np.stack([turn * head_dim**-0.5, turn]).astype(np.complex64)[:, None]


def attend(query: Array, keys: Array, values: Array) -> Array:
    """Attention of one scaled query [heads, head_dim] to [heads, steps, head_dim] each of keys and
    values -> [heads, 1, head_dim]."""
    scores = keys @ query[:, :, None]  # [heads, steps, 1]
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    out: Array = np.matmul(scores.swapaxes(1, 2), values)
    out /= scores.sum(axis=1, keepdims=True)
    return out


def gate(x: Array) -> Array:
    """silu(a) * b, of a and b side by side in `x` [2 * hidden] -> [hidden]."""
    a, b = x.reshape(2, -1)
    y = np.exp(-a)
    y += 1
    np.divide(a, y, out=y)
    y *= b
    return y


def draw(logits: Array, sampler: Sampler, noise: Array) -> int:
    """The token that `sampler` draws from the same logits and noise."""
    if not sampler.temperature:
        return int(logits.argmax())
    drawn = logits + noise
    if sampler.top_k < logits.size:
        least = np.partition(logits, -sampler.top_k)[-sampler.top_k]
        drawn[logits < least] = -np.inf
    return int(drawn.argmax())


def ring_bytes(config: LmConfig) -> int:
    """What keys and values of a full context take."""
    return 4 * 2 * config.num_layers * config.context * config.dim


def _keys_and_values(layers: int, heads: int, slots: int, head_dim: int) -> Array:
    # Not np.zeros: the system would hand out that memory in the middle of the talk.
    return np.full((layers, 2, heads, slots, head_dim), 0, np.float32)
