"""How large Kyutai's repos are, for when the hub can't be asked."""

from __future__ import annotations

from moshi_tui.config import KYUTAI, CheckpointOptions

MODEL_BYTES = {"q4": 4_810_000_000, "q8": 8_170_000_000, "bf16": 15_380_000_000}
"""Of Moshi 7B's weights, by precision."""
CODEC_BYTES = 385_000_000
"""Of Mimi and the text tokenizer."""


def usual_bytes(options: CheckpointOptions) -> int | None:
    """What `resolve` takes from the hub if nothing is cached; None if that is no repo of Kyutai's.

    About: to the first decimal of a GB.
    """
    if options.moshi_weight is not None or options.model_dir is not None:
        return None
    precision = f"q{options.quant}" if options.quant else "bf16"
    if options.hf_repo is not None:
        kyutai = KYUTAI.fullmatch(options.hf_repo)
        if kyutai is None:
            return None
        precision = kyutai[2]
    return MODEL_BYTES[precision] + (CODEC_BYTES if options.mimi_weight is None else 0)
