"""The attention's memory of a stream: a ring of exactly `context` steps, allocated once."""

from __future__ import annotations

import mlx.core as mx


class KVRing:
    """Keys and values of the newest `context` steps of one layer.

    Attention does not care in which order the steps lie, because each key carries its position
    (RoPE is applied before it is stored): so the oldest slot is simply overwritten, and nothing
    ever moves or grows.
    """

    def __init__(self, heads: int, context: int, head_dim: int, dtype: mx.Dtype) -> None:
        self.context = context
        self.offset = 0
        """Steps seen; the position of the next one."""
        self.keys = mx.zeros((1, heads, context, head_dim), dtype)
        self.values = mx.zeros((1, heads, context, head_dim), dtype)

    def append(self, key: mx.array, value: mx.array) -> tuple[mx.array, mx.array]:
        """Store one step [1, heads, 1, head_dim] -> all that it attends to, itself included."""
        slot = self.offset % self.context
        self.keys[:, :, slot : slot + 1] = key
        self.values[:, :, slot : slot + 1] = value
        self.offset += 1
        if self.offset >= self.context:
            return self.keys, self.values
        return self.keys[:, :, : self.offset], self.values[:, :, : self.offset]

    def reset(self) -> None:
        """Forget all steps; the buffers stay."""
        self.offset = 0


class FrameCache:
    """Keys and values of the slices of one frame (depth transformer): short, so it just grows."""

    def __init__(self) -> None:
        self._kv: mx.array | None = None

    def append(self, key_value: mx.array) -> tuple[mx.array, mx.array]:
        """Store one slice [2, heads, 1, head_dim] -> keys and values [1, heads, slices,
        head_dim]."""
        kv = key_value if self._kv is None else mx.concatenate([self._kv, key_value], axis=2)
        self._kv = kv
        return kv[:1], kv[1:]
