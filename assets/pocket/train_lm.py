"""Train the language model on tokens, by the clock.

    python assets/pocket/train_lm.py --tokens T --out W --seconds 600

writes `W/lm.pt`: the moving average of the weights as float16, every minute and at the end. Shards
that appear in `T` meanwhile are taken in; the first one by name is kept out for validation.
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
from lm import CONTEXT, MAX_DELAY, STREAMS, PocketLm, attention_mask, inputs_of, targets_of
from shapes import CARD, CODEBOOKS, PAD
from torch import Tensor

BEFORE = MAX_DELAY + 1
"""Frames that a crop holds before its first step."""
PAD_WEIGHT = 0.4
SEMANTIC_WEIGHT = 3.0
USER_WEIGHT = 0.2
WRONG_MOSHI, WRONG_USER = 0.06, 0.03
"""Shares of the codes heard that are drawn at random."""
RUN = 4
"""Frames of a run of wrong codes; half of them come in runs."""
DECAY = 0.999
NAMES = ("loss", "text", "word", "code 0", "codes 1-7", "user")
Losses = Callable[[PocketLm, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


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
    parser.add_argument("--dropout", type=float, default=0.05)
    parser.add_argument("--no-compile", action="store_true", help="do without torch.compile")
    parser.add_argument("--smoke", action="store_true", help="a few steps of everything")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


class Tokens:
    """The tokens of many dialogues, one after the other, in the device's memory."""

    def __init__(self, paths: list[Path], device: str) -> None:
        streams, into = [], []
        for path in paths:
            with np.load(path) as file:
                rows = [file["text"][None], file["moshi"], file["user"]]
                streams.append(np.concatenate(rows).astype(np.int16))
                starts = file["starts"]
            frames = np.arange(streams[-1].shape[1])
            into.append(frames - starts[np.searchsorted(starts, frames, side="right") - 1])
        self.streams = torch.from_numpy(np.concatenate(streams, 1)).to(device)
        """[streams, total] int16."""
        self.into = torch.from_numpy(np.concatenate(into).astype(np.int32)).to(device)
        """[total]: frames of the same dialogue before each."""

    @property
    def total(self) -> int:
        """Frames."""
        return self.streams.shape[1]

    def crops(self, starts: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """Crops that begin with step `starts` [B]: tokens [B, streams, BEFORE + frames] int64, and
        how many frames of their dialogue lie before them [B, BEFORE + frames]."""
        where = starts[:, None] + torch.arange(-BEFORE, frames, device=starts.device)
        where = where.clamp(min=0)
        return self.streams[:, where].transpose(0, 1).long(), self.into[where].long()

    def wrong(self, tokens: Tensor) -> Tensor:
        """`tokens` [B, streams, T] with some audio codes replaced by draws from all that the same
        codebook says anywhere."""
        drawn = torch.randint(self.total, tokens.shape, device=tokens.device)
        drawn = self.streams.gather(1, drawn.transpose(0, 1).flatten(1)).view(
            STREAMS, len(tokens), -1
        )
        share = torch.full((STREAMS, 1), WRONG_MOSHI / 2, device=tokens.device)
        share[0], share[1 + CODEBOOKS :] = 0.0, WRONG_USER / 2
        alone = torch.rand(tokens.shape, device=tokens.device) < share
        begins = torch.rand(tokens.shape, device=tokens.device) < share / RUN
        in_run = F.max_pool1d(F.pad(begins.float(), (RUN - 1, 0)), RUN, 1) > 0
        return torch.where(alone | in_run, drawn.transpose(0, 1).long(), tokens)


def losses(model: PocketLm, heard: Tensor, said: Tensor, into: Tensor) -> tuple[Tensor, Tensor]:
    """What is minimised, and the figures of `NAMES`, [6].

    Args:
        heard, said: tokens [B, streams, BEFORE + T], with and without wrong ones.
        into: [B, BEFORE + T].
    """
    tokens, targets = inputs_of(heard, into, BEFORE), targets_of(said, into, BEFORE)
    place = torch.arange(into.shape[1], device=into.device) - into
    mask = attention_mask(place[:, BEFORE:])
    text, codes = targets[:, 0], targets[:, 1:]
    text_logits, logits, user_logits = model(tokens, mask, text, codes)
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
    loss = text_loss + audio_loss
    parts = (loss, text_loss, word_loss, by_code[0], by_code[1:].mean(), user_loss)
    return loss + USER_WEIGHT * user_loss, torch.stack([part.detach() for part in parts])


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
            self.model.load_state_dict(load_weights(args.resume))
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.paths: list[Path] = []
        self.kept_out_name = ""
        self.take_in()
        self.optimiser = self._optimiser()
        self.losses: Losses = losses
        self.steps = 0
        size = sum(p.numel() for p in self.model.parameters())
        print(f"train_lm: {size / 1e6:.1f} M parameters, context {CONTEXT}", flush=True)

    def _optimiser(self) -> torch.optim.Optimizer:
        params = list(self.model.named_parameters())
        groups = [
            {"params": [p for n, p in params if "norm" not in n], "weight_decay": 0.05},
            {"params": [p for n, p in params if "norm" in n], "weight_decay": 0.0},
        ]
        fused = self.args.device.startswith("cuda")
        return torch.optim.AdamW(groups, lr=self.args.lr, betas=(0.9, 0.95), fused=fused)

    def take_in(self) -> None:
        """Load the tokens if there are more than at the last time."""
        paths = sorted(self.args.tokens.glob("*.npz"))
        if paths == self.paths:
            return
        if paths and not self.paths:
            self.kept_out_name = _shard(paths[0])
        train = [path for path in paths if _shard(path) != self.kept_out_name]
        if not train:
            raise SystemExit(f"{self.args.tokens}: tokens of two shards at least are needed")
        self.paths = paths
        self.tokens = Tokens(train, self.args.device)
        self.kept_out = Tokens([p for p in paths if p not in train], self.args.device)
        if min(self.tokens.total, self.kept_out.total) <= self.args.frames:
            raise SystemExit(f"{self.args.tokens}: less than {self.args.frames} frames in a part")
        hours = self.tokens.total / 12.5 / 3600
        print(
            f"train_lm: {len(train)} files, {hours:.2f} h, without {self.kept_out_name}", flush=True
        )

    def run(self) -> None:
        """Train until the time is over, or a few steps."""
        reported, minute = self.clock.elapsed, self.clock.elapsed
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
            if now - minute >= 60:
                minute = now
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
        said, into = self.tokens.crops(starts, args.frames)
        heard = self.tokens.wrong(said)
        self.model.train()
        with self._autocast():
            loss, figures = self.losses(self.model, heard, said, into)
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
        """Print the figures of the averaged weights on the shard that is kept out."""
        frames, batch = self.args.frames, min(16, self.args.batch)
        last = self.kept_out.total - frames
        starts = torch.linspace(0, last, 2 * batch, device=self.args.device).long()
        total = torch.zeros(len(NAMES), device=self.args.device)
        for part in starts.split(batch):
            said, into = self.kept_out.crops(part, frames)
            with self._autocast():
                total += losses(self.average, said, said, into)[1] / 2
        told = ", ".join(f"{n} {v:.3f}" for n, v in zip(NAMES, total.tolist(), strict=True))
        print(f"train_lm: kept out, step {self.steps}: {told}", flush=True)

    def save(self) -> None:
        """Write `lm.pt`, whole or not at all."""
        self.args.out.mkdir(parents=True, exist_ok=True)
        path = self.args.out / "lm.pt"
        weights = {name: value.half().cpu() for name, value in self.average.state_dict().items()}
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        torch.save({"model": weights, "steps": self.steps}, unfinished)
        os.replace(unfinished, path)


def _shard(path: Path) -> str:
    """Of which shard these tokens are."""
    return path.name.split(".")[0]


def load_weights(path: Path) -> dict[str, Tensor]:
    """The weights in an `lm.pt`, as float32."""
    weights = torch.load(path, map_location="cpu", weights_only=True)["model"]
    return {name: value.float() for name, value in weights.items()}


if __name__ == "__main__":
    main()
