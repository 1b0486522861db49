"""Check that the model trained here and the one that the program runs are the same.

    PYTHONPATH=. python assets/pocket/check_lm.py

Random weights are exported; the program's own runtime answers random user codes greedily. Batched
generation and teacher forcing in PyTorch must give the same tokens. Needs PyTorch and MLX.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from export_lm import write
from generate import Sampling, generate
from lm import MAX_DELAY, PocketLm, attention_mask, inputs_of, targets_of
from shapes import CARD, CODEBOOKS, USER_CODEBOOKS
from torch import Tensor

from moshi_tui.model.generate import Generator
from moshi_tui.model.weights import load

Array = npt.NDArray[np.int64]
GREEDY = Sampling(text_temperature=0, audio_temperature=0)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    model = random_model()
    user = torch.randint(CARD, (1, USER_CODEBOOKS, args.steps))
    with tempfile.TemporaryDirectory() as folder:
        path = write(model, Path(folder), 16, {})
        text, codes = ask(path, user[0].numpy())
    our_text, our_codes = generate(model, user.expand(2, -1, -1), GREEDY)
    frames = codes.shape[1]
    tell("generation: text", our_text[1].numpy() == text[:-1])
    tell("generation: codes", our_codes[1, :, :frames].numpy() == codes)
    forced_text, forced_codes = teacher_forced(model, user, our_text[:1], our_codes[:1])
    tell("teacher forcing: text", forced_text == text[:-1])
    tell("teacher forcing: codes", (forced_codes[:, :frames] == codes)[:, :-1])
    print(f"distinct tokens: text {len(set(text.tolist()))}, code 0 {len(set(codes[0].tolist()))}")


def random_model() -> PocketLm:
    """Random weights that bfloat16 holds exactly."""
    model = PocketLm().eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            value += 0.1 * torch.randn_like(value) * ("norm" in name)
            value.copy_(value.bfloat16().float())
    return model


def ask(path: Path, user: Array) -> tuple[Array, Array]:
    """What the program's runtime says to `user` [USER_CODEBOOKS, T]: text [T + 1] and codes
    [CODEBOOKS, T - 1]."""
    generator = Generator(load(path), text_temperature=0, audio_temperature=0, seed=0)
    steps = [generator.reset()] + [generator.step(frame) for frame in user.T]
    codes = [step.audio_codes for step in steps if step.audio_codes is not None]
    return np.array([step.text_token for step in steps]), np.stack(codes, 1).astype(np.int64)


def teacher_forced(
    model: PocketLm, user: Tensor, text: Tensor, codes: Tensor
) -> tuple[Array, Array]:
    """The likeliest tokens of every step given those before, as frames: [T] and [CODEBOOKS, T]
    (the steps do not reach the last two)."""
    before, frames = MAX_DELAY + 1, user.shape[2]
    streams = torch.cat((text[:, None], codes, user), 1)
    streams = torch.nn.functional.pad(streams, (before, 0))
    into = torch.arange(-before, frames).clamp(min=0)[None]
    targets = targets_of(streams, into, before)
    mask = attention_mask(torch.zeros(1, frames, dtype=torch.long))
    with torch.inference_mode():
        logits = model(inputs_of(streams, into, before), mask, targets[:, 0], targets[:, 1:])
    said = logits[1].argmax(-1).numpy()
    rows = [np.roll(said[k], -(1 if k == 0 else MAX_DELAY)) for k in range(CODEBOOKS)]
    return logits[0][0].argmax(-1).numpy(), np.stack(rows)


def tell(name: str, equal: npt.NDArray[np.bool_]) -> None:
    """Print how much is equal; stop if not all is."""
    print(f"{name}: {int(equal.sum())} of {equal.size} equal", flush=True)
    if not equal.all():
        raise SystemExit(f"{name}: differs first at {np.argwhere(~equal)[0].tolist()}")


if __name__ == "__main__":
    main()
