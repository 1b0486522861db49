"""Train the language model on tokens, by the clock.

    python assets/pocket/train_lm.py --tokens T --out W --seconds 600

writes `W/lm.pt`: the moving average of the weights as float16, every half minute and at the end,
and `W/lm-best.pt`, those of the lowest losses of words and intents on the shard that is kept out
(the first one by name, with all its passes). Shards that appear in `T` meanwhile are taken in.
"""

from __future__ import annotations

import argparse
import copy
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from intents import NO_CLASS
from lm import CONTEXT, HEADS, PocketLm, attention_mask, inputs_of, targets_of
from shapes import CARD, CODEBOOKS, PAD
from token_data import BEFORE, Crop, Tokens, Wrong
from torch import Tensor

PAD_WEIGHT = 0.4
SEMANTIC_WEIGHT = 3.0
USER_WEIGHT = 0.2
INTENT_WEIGHT = 0.3
VALIDATE_EVERY_S = 30.0
KEPT_OUT_CROPS, KEPT_OUT_BATCH = 64, 16
DECAY = 0.999
NAMES = ("loss", "text", "word", "code 0", "codes 1-7", "user", "intent", "intent right")
Losses = Callable[[PocketLm, Tensor, Crop], tuple[Tensor, Tensor]]


def main() -> None:
    """The command."""
    args = _arguments()
    torch.manual_seed(args.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    training = Training(args)
    training.run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=Path, required=True, help="folder of tokens")
    parser.add_argument("--out", type=Path, required=True, help="folder of the weights")
    parser.add_argument("--seconds", type=float, default=600, help="in all, compiling included")
    parser.add_argument("--resume", type=Path, help="begin with the weights of this lm.pt")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--frames", type=int, default=768, help="of a crop")
    parser.add_argument("--lr", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--splice", type=float, default=0.5, help="chance to jump at a cut")
    parser.add_argument("--wrong-moshi", type=float, default=Wrong.moshi)
    parser.add_argument("--wrong-user", type=float, default=Wrong.user)
    parser.add_argument("--lost-words", type=float, default=Wrong.words)
    parser.add_argument("--no-compile", action="store_true", help="do without torch.compile")
    parser.add_argument("--smoke", action="store_true", help="a few steps of everything")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def losses(model: PocketLm, heard: Tensor, crop: Crop) -> tuple[Tensor, Tensor]:
    """What is minimised, and the figures of `NAMES`, [8].

    Args:
        heard: `crop.tokens` with wrong ones.
        crop: what is to be said. A dialogue is all from one first frame to the next, spliced or
            not.
    """
    said, into = crop.tokens, crop.into
    tokens, targets = inputs_of(heard, into, BEFORE), targets_of(said, into, BEFORE)
    mask = attention_mask((into == 0).cumsum(1)[:, BEFORE:])
    text, codes = targets[:, 0], targets[:, 1:]
    text_logits, logits, user_logits, intent_logits = model(tokens, mask, text, codes)
    each = F.cross_entropy(text_logits.float().flatten(0, 1), text.flatten(), reduction="none")
    words = (text.flatten() != PAD).float()
    weight = words + PAD_WEIGHT * (1 - words)
    text_loss = (each * weight).sum() / weight.sum()
    word_loss = (each * words).sum() / words.sum().clamp(min=1)
    by_code = _mean_by_row(logits, codes.transpose(0, 1).flatten(1))
    audio_loss = (SEMANTIC_WEIGHT * by_code[0] + by_code[1:].sum()) / (
        SEMANTIC_WEIGHT + CODEBOOKS - 1
    )
    user = said[:, 1 + CODEBOOKS, BEFORE:].flatten()[None]
    user_loss = _mean_by_row(user_logits.flatten(0, 1)[None], user)[0]
    intent_loss, right = _of_intents(intent_logits.flatten(0, 1), crop.intent.flatten())
    loss = text_loss + audio_loss
    audio = (by_code[0], by_code[1:].mean())
    parts = (loss, text_loss, word_loss, *audio, user_loss, intent_loss, right)
    total = loss + USER_WEIGHT * user_loss + INTENT_WEIGHT * intent_loss
    return total, torch.stack([part.detach() for part in parts])


def _of_intents(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross entropy of `logits` [N, classes] and the share that is right, of those with one."""
    each = F.cross_entropy(logits.float(), targets, ignore_index=NO_CLASS, reduction="none")
    right = (logits.argmax(-1) == targets).float()
    many = (targets != NO_CLASS).sum().clamp(min=1)
    return each.sum() / many, right.sum() / many


def _mean_by_row(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy [rows] of `logits` [rows, N, CARD]; targets of `CARD` do not count."""
    counts = targets != CARD
    each = F.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=CARD, reduction="none"
    )
    return each.view_as(counts).sum(1) / counts.sum(1).clamp(min=1)


def rate_at(progress: float) -> float:
    """The learning rate at `progress` from 0 to 1, as a share of the highest."""
    if progress < 0.03:
        return max(0.01, progress / 0.03)
    along = min(1.0, (progress - 0.03) / 0.97)
    return float(0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * along)))


@dataclass
class Clock:
    """How far the training is."""

    seconds: float
    began: float
    first_step: float = 0.0
    """When the first step was done: compiling does not count as progress."""

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    @property
    def progress(self) -> float:
        """0 at the first step, 1 at the end."""
        if not self.first_step:
            return 0.0
        here = time.monotonic() - self.first_step
        return here / max(1e-3, self.began + self.seconds - self.first_step)


class Training:
    """A run of the command."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.clock = Clock(20.0 if args.smoke else args.seconds, time.monotonic())
        self.model = PocketLm(dropout=args.dropout).to(args.device)
        if args.resume:
            fill(self.model, args.resume)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.paths: list[Path] = []
        self.kept_out_name = ""
        self.tokens = Tokens([], args.device)
        self.kept_out = Tokens([], args.device)
        self.wrong = Wrong(args.wrong_moshi, args.wrong_user, args.lost_words)
        self.best = float("inf")
        self.take_in()
        self.optimiser = self._optimiser()
        self.losses: Losses = losses
        self.steps = 0
        size = sum(p.numel() for p in self.model.parameters())
        print(f"train_lm: {size / 1e6:.1f} M parameters, context {CONTEXT}", flush=True)

    def _optimiser(self) -> torch.optim.Optimizer:
        params = list(self.model.named_parameters())
        decay = self.args.weight_decay
        groups = [
            {"params": [p for n, p in params if "norm" not in n], "weight_decay": decay},
            {"params": [p for n, p in params if "norm" in n], "weight_decay": 0.0},
        ]
        fused = self.args.device.startswith("cuda")
        return torch.optim.AdamW(groups, lr=self.args.lr, betas=(0.9, 0.95), fused=fused)

    def take_in(self) -> None:
        """Load the tokens that have come since the last time."""
        paths = sorted(self.args.tokens.glob("*.npz"))
        new = [path for path in paths if path not in self.paths]
        if self.paths and not new:
            return
        if paths and not self.paths:
            self.kept_out_name = _shard(paths[0])
        self.paths += new
        self.tokens.add([path for path in new if _shard(path) != self.kept_out_name])
        self.kept_out.add([path for path in new if _shard(path) == self.kept_out_name])
        if not self.tokens.total:
            raise SystemExit(f"{self.args.tokens}: tokens of two shards at least are needed")
        if min(self.tokens.total, self.kept_out.total) <= self.args.frames + BEFORE:
            raise SystemExit(f"{self.args.tokens}: less than {self.args.frames} frames in a part")
        hours = self.tokens.total / 12.5 / 3600
        about = f"{hours:.2f} h, {len(self.tokens.cuts)} cuts, {self.tokens.gigabytes:.2f} GB"
        print(
            f"train_lm: {len(self.paths)} files, {about}, without {self.kept_out_name}", flush=True
        )

    def run(self) -> None:
        """Train until the time is over, or a few steps."""
        reported, saved = self.clock.elapsed, self.clock.elapsed
        figures: list[Tensor] = []
        since = 0
        self._compile()
        while self.clock.elapsed < self.clock.seconds and not (
            self.args.smoke and self.steps >= 20
        ):
            figures.append(self.step())
            since += 1
            now = self.clock.elapsed
            if now - reported >= 10:
                self._tell(torch.stack(figures).mean(0), since, now - reported)
                reported, since, figures = self.clock.elapsed, 0, []
            if now - saved >= VALIDATE_EVERY_S:
                saved = now
                self.validate()
                self.save()
                self.take_in()
        if figures:
            self._tell(torch.stack(figures).mean(0), since, self.clock.elapsed - reported)
        self.save()
        self.validate()

    def _compile(self) -> None:
        """The first step: compiled if that works."""
        if not self.args.no_compile:
            self.losses = torch.compile(losses)
        try:
            self.step()
        except Exception as error:
            if self.args.no_compile:
                raise
            print(f"train_lm: compiling failed, going on without: {error!r:.300}", flush=True)
            self.losses = losses
            self.optimiser.zero_grad(set_to_none=True)
            self.step()
        self._wait()
        self.clock.first_step = time.monotonic()
        print(f"train_lm: first step after {self.clock.elapsed:.0f} s", flush=True)

    def _autocast(self) -> torch.autocast:
        """bfloat16 on a GPU; it is slow on a CPU."""
        kind = torch.device(self.args.device).type
        return torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda")

    def _wait(self) -> None:
        if self.args.device.startswith("cuda"):
            torch.cuda.synchronize()

    def step(self) -> Tensor:
        """One step of training; its figures."""
        args = self.args
        rate = args.lr * rate_at(self.clock.progress)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        device = args.device
        starts = torch.randint(self.tokens.total - args.frames, (args.batch,), device=device)
        crop = self.tokens.crops(starts, args.frames, args.splice)
        heard = self.tokens.wrong(crop.tokens, self.wrong)
        self.model.train()
        with self._autocast():
            loss, figures = self.losses(self.model, heard, crop)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        decay = min(DECAY, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            pair = list(self.average.parameters()), list(self.model.parameters())
            torch._foreach_lerp_(*pair, 1 - decay)
        self.steps += 1
        return figures

    def _tell(self, figures: Tensor, steps: int, seconds: float) -> None:
        rate = steps * self.args.batch * self.args.frames / seconds
        told = ", ".join(f"{n} {v:.3f}" for n, v in zip(NAMES, figures.tolist(), strict=True))
        now = f"{self.clock.elapsed:.0f} s, step {self.steps}, {self.clock.progress:.0%}"
        print(f"train_lm: {now}: {told}; {rate / 1e6:.3f} M frames/s", flush=True)

    @torch.no_grad()
    def validate(self) -> None:
        """Print the figures of the averaged weights on the shard that is kept out; write
        `lm-best.pt` if they are the best so far."""
        frames, device = self.args.frames, self.args.device
        many = KEPT_OUT_CROPS if device.startswith("cuda") else 4
        last = self.kept_out.total - frames
        parts = torch.linspace(0, last, many, device=device).long().split(KEPT_OUT_BATCH)
        total = torch.zeros(len(NAMES), device=device)
        for part in parts:
            crop = self.kept_out.crops(part, frames)
            with self._autocast():
                total += losses(self.average, crop.tokens, crop)[1] / len(parts)
        figures = dict(zip(NAMES, total.tolist(), strict=True))
        told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        score = figures["word"] + figures["intent"]
        mark = ", the best" if score < self.best else ""
        print(f"train_lm: kept out, step {self.steps}: {told}{mark}", flush=True)
        if mark:
            self.best = score
            self.save("lm-best.pt")

    def save(self, name: str = "lm.pt") -> None:
        """Write the averaged weights, whole or not at all."""
        self.args.out.mkdir(parents=True, exist_ok=True)
        path = self.args.out / name
        weights = {name: value.half().cpu() for name, value in self.average.state_dict().items()}
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        torch.save({"model": weights, "steps": self.steps}, unfinished)
        os.replace(unfinished, path)


def _shard(path: Path) -> str:
    """Of which shard these tokens are."""
    return path.name.split(".")[0]


def fill(model: PocketLm, path: Path) -> None:
    """Give the model the weights of an `lm.pt`. The heads for training may be missing or of
    another size: they stay as they are."""
    weights = torch.load(path, map_location="cpu", weights_only=True)["model"]
    have = {f"{head}.weight": model.get_submodule(head).weight.shape for head in HEADS}
    for name, shape in have.items():
        if name not in weights or weights[name].shape != shape:
            weights[name] = model.state_dict()[name]
            print(f"{path}: {name} is missing or of another size, it stays new", flush=True)
    model.load_state_dict({name: value.float() for name, value in weights.items()})


if __name__ == "__main__":
    main()
