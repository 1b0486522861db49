"""The attention's memory: a ring of keys and values, allocated once."""

from __future__ import annotations

import mlx.core as mx


class KVRing:
    """Keys and values of the newest `context` steps of one layer.

    Attention does not care in which order the steps lie, because each key carries its position
    (RoPE is applied before it is stored): so the oldest slot is simply overwritten, and nothing
    ever moves or grows. Keys and values lie together, so that a step is one write.
    """

    def __init__(self, heads: int, context: int, head_dim: int, dtype: mx.Dtype) -> None:
        self.context = context
        self.offset = 0
        """Steps seen; the position of the next one."""
        self.kv = mx.zeros((2, heads, context, head_dim), dtype)

    def append(self, key_value: mx.array) -> tuple[mx.array, mx.array]:
        """Store one step [2, heads, 1, head_dim] -> keys and values [1, heads, steps, head_dim] of
        all that it attends to, itself included: views of the ring."""
        slot = self.offset % self.context
        self.kv[:, :, slot : slot + 1] = key_value
        self.offset += 1
        if self.offset >= self.context:
            return self.kv[:1], self.kv[1:]
        return self.kv[:1, :, : self.offset], self.kv[1:, :, : self.offset]

    def reset(self) -> None:
        """Forget all steps; the buffer stays."""
        self.offset = 0
