"""What a codec checks before it lets anything near its state."""

from __future__ import annotations

import numpy as np

from moshi_tui.codec.base import Codes, Pcm
from moshi_tui.frames import FRAME_SAMPLES


def clean_pcm(pcm: Pcm) -> Pcm:
    """`pcm` [T * 1920] as contiguous float32 in -1..1: NaN becomes 0, what is beyond is clipped.

    One NaN would otherwise stay in the transformers for 20 s. ValueError on any other shape.
    """
    if pcm.ndim != 1 or pcm.size == 0 or pcm.size % FRAME_SAMPLES:
        raise ValueError(f"pcm of shape {pcm.shape}: wants [T * {FRAME_SAMPLES}] with T above 0")
    clean = np.nan_to_num(pcm, nan=0.0, posinf=1.0, neginf=-1.0).astype(np.float32, copy=False)
    return np.clip(clean, -1.0, 1.0)


def clean_codes(codes: Codes, n_q: int, cardinality: int) -> Codes:
    """`codes` [n_q, T] as contiguous uint32. ValueError on another shape or a code out of range."""
    if codes.ndim != 2 or codes.shape[0] != n_q or codes.shape[1] == 0:
        raise ValueError(f"codes of shape {codes.shape}: wants [{n_q}, T] with T above 0")
    if not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(f"codes of type {codes.dtype}: wants integers")
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or high >= cardinality:
        raise ValueError(f"code {low if low < 0 else high} is not in 0..{cardinality - 1}")
    return np.ascontiguousarray(codes, dtype=np.uint32)
