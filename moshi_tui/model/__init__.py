"""Moshi's language model on MLX. The public part:

    from moshi_tui.model import Generator, load

    model = load("folder or file.safetensors")
    generator = Generator(model, seed=1)
    step = generator.step(user_codes)        # user_codes: ndarray [n_user] int
    step.text_token, step.audio_codes        # int, ndarray [n_generated] or None

Load, step and let go on one and the same thread: MLX arrays belong to it.
"""

from moshi_tui.model.config import LmConfig
from moshi_tui.model.generate import Generator, Step
from moshi_tui.model.lm import Lm
from moshi_tui.model.weights import load

__all__ = ["Generator", "Lm", "LmConfig", "Step", "load"]
