"""The sizes of the pocket model, and what the steps of its training agree on."""

from __future__ import annotations

from typing import Any

RATE = 24_000
"""Hz: what the codec hears and says."""
SPEECH_RATE = 16_000
"""Hz: what flite says, and what the dialogues are kept in."""
FRAME_RATE = 12.5
FRAME = 1_920
"""Samples of a frame at `RATE`; `SPEECH_FRAME` at `SPEECH_RATE`."""
SPEECH_FRAME = 1_280
PHONE_HOP = 320
"""Samples at `SPEECH_RATE` for which one phone label stands (20 ms)."""

FILTERS = 24
RATIOS = (4, 5, 6, 8)
CODEC_DIM = 256
STRIDE = 2
CODEBOOKS = 8
CARD = 1_024
CODEBOOK_DIM = 64

PAD = 3
"""Text token: nothing, or the word before still sounds."""
EPAD = 0
"""Text token of the frame before a word begins."""
TEXT_CARD = 800
USER_CODEBOOKS = 4
"""Of the user's codebooks, those that Moshi hears."""

LM_CONFIG: dict[str, Any] = {
    "model_type": "moshi",
    "moshi_name": "model.q8.safetensors",
    "mimi_name": "mimi-pocket.safetensors",
    "tokenizer_name": "tokenizer_spm_pocket.model",
    "dim": 256,
    "num_layers": 7,
    "num_heads": 4,
    "hidden_scale": 4.125,
    "context": 375,
    "max_period": 10_000,
    "gating": "silu",
    "norm": "rms_norm_f32",
    "positional_embedding": "rope",
    "text_card": TEXT_CARD,
    "existing_text_padding_id": PAD,
    "n_q": CODEBOOKS + USER_CODEBOOKS,
    "dep_q": CODEBOOKS,
    "card": CARD,
    "delays": [0, 1, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0],
    "depformer_dim": 128,
    "depformer_num_heads": 4,
    "depformer_num_layers": 2,
    "depformer_dim_feedforward": 576,
    "depformer_pos_emb": "none",
}
"""`config.json` of the shipped model."""

PHONES = (  # noqa: SIM905 (a line is easier to read)
    "pau aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th "
    "uh uw v w y z zh"
).split()
"""Of flite's US English; number 0 is silence."""
