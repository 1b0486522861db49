"""Train the pocket codec: first for the spectrum alone, then against discriminators too.

    python assets/pocket/train_codec.py --data D --out W --seconds 480

Against discriminators only the decoder is trained: the codes stay, so tokens can be made and the
language model trained meanwhile. Of the decoder a running average is kept. Each half by itself:

    python assets/pocket/train_codec.py --data D --out W --seconds 330 --plain 1
    python assets/pocket/train_codec.py --data D --out G --seconds 300 --resume W/codec.pt \\
        --begin 0.5 --plain 0.5
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import shapes
import torch
import torch.nn.functional as F  # noqa: N812
from augment import augment
from codec import Mimi, export
from codec_report import Meter, validate
from discriminator import Discriminators, discriminator_loss, generator_losses
from losses import SpectralLoss, StoiLoss, weighted
from optimise import GradientLimit, adam
from quantiser import keep_mask
from speech_data import MOSHI, USER, Shards
from torch import Tensor, nn

_STOI_FROM = 0.4
_RAMP = 0.05
"""Share of the time in which a loss grows to its weight."""
_LEAST_RATE = 0.03
"""Of the first learning rate, at the end."""
_WARM = 0.01
_AVERAGE = 0.999
_USER_WEIGHT = 0.15
_DROPOUT = 0.25
_HELD_OUT = "d0000"
"""The shard that is not trained on where there is no folder of the split test."""
_PARTS = 4
"""Phones that one frame's semantic code tells."""

WEIGHTS = {
    "mel": 1.0,
    "magnitude": 0.3,
    "stoi": 1.5,
    "phones": 0.3,
    "fooled": 0.06,
    "features": 0.12,
}


class Trainer:
    """The networks, their optimisers, and one step."""

    def __init__(self, args: argparse.Namespace, device: torch.device) -> None:
        torch.manual_seed(args.seed)
        self.device, self.args = device, args
        self.mimi = Mimi().to(device)
        self.phones = nn.Linear(shapes.CODEC_DIM, _PARTS * len(shapes.PHONES)).to(device)
        self.discriminators = Discriminators().to(device, memory_format=torch.channels_last)
        self.spectral, self.stoi = SpectralLoss().to(device), StoiLoss().to(device)
        self.embed: Callable[[Tensor], Tensor] = self.mimi.embed
        self.sound: Callable[[Tensor], Tensor] = self.mimi.sound
        parameters = [*self.mimi.parameters(), *self.phones.parameters()]
        self.optimiser = adam(parameters, args.rate, device)
        self.against = adam(self.discriminators.parameters(), 3e-4, device)
        self.limit, self.limit_against = GradientLimit(device), GradientLimit(device)
        self.rng = torch.Generator(device).manual_seed(args.seed)
        self.average: dict[str, Tensor] = {}
        self.filled = False
        if args.resume:
            self._resume(args.resume)

    def _resume(self, path: Path) -> None:
        saved = torch.load(path, map_location=self.device, weights_only=True)
        self.mimi.load_state_dict(saved["mimi"])
        self.phones.load_state_dict(saved["phones"])
        self.discriminators.load_state_dict(saved["discriminators"])
        self.filled = True
        print(f"go on from {path}", flush=True)

    def mixed(self) -> AbstractContextManager[None]:
        """bfloat16 for matrix products and convolutions, on a GPU."""
        return torch.autocast(self.device.type, torch.bfloat16, self.device.type == "cuda")

    def compile(self) -> None:
        """Compile encoder and decoder on a batch of noise; if that fails, say so, do without."""
        start = time.monotonic()
        noise = torch.randn(2 * self.half, self.samples, device=self.device)
        try:
            self.embed = torch.compile(self.mimi.embed, dynamic=False)
            self.sound = torch.compile(self.mimi.sound, dynamic=False)
            with self.mixed():
                latents = self.embed(noise)
            quantised = self.mimi.quantizer(latents.float())
            with self.mixed():
                self.sound(quantised.latent).float().square().mean().backward()
        except (RuntimeError, OSError, ImportError, TypeError, AttributeError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            print(f"torch.compile failed, goes on without: {lines[0]}", flush=True)
            self.embed, self.sound = self.mimi.embed, self.mimi.sound
        self.mimi.zero_grad(set_to_none=True)
        print(f"compiled in {time.monotonic() - start:.0f} s", flush=True)

    @property
    def half(self) -> int:
        """Rows of each channel in a batch."""
        return self.args.batch // 2

    @property
    def samples(self) -> int:
        """Of a crop, at 24 kHz."""
        return round(self.args.crop * shapes.FRAME_RATE) * shapes.FRAME

    def batch(self, shards: Shards) -> tuple[Tensor, Tensor]:
        """What is heard [B, N]: Moshi's rows, then the user's; and their phones [B, hops]."""
        moshi, user = shards.crops(self.half, MOSHI), shards.crops(self.half, USER)
        heard = torch.cat((moshi.pcm, augment(user.pcm, user.other, self.rng)))
        return heard, torch.cat((moshi.phones, user.phones))

    @torch.no_grad()
    def fill(self, shards: Shards, batches: int = 32) -> None:
        """Start the codebooks from latents of some batches."""
        self.filled = True
        latents: list[Tensor] = []
        for _ in range(batches):
            heard, _ = self.batch(shards)
            with torch.no_grad(), self.mixed():
                latents.append(self.mimi.embed(heard).float().flatten(0, 1))
        self.mimi.quantizer.fill(torch.cat(latents))

    def step(self, shards: Shards, progress: float) -> dict[str, Tensor]:
        """One step at `progress` (0 to 1); its losses."""
        heard, phones = self.batch(shards)
        adversarial = progress >= self.args.plain
        around, keep = progress < self.args.around, None
        if not around and not self.filled:
            self.fill(shards)
        if not adversarial:
            books = shapes.CODEBOOKS - 1
            keep = keep_mask(len(heard), books, _DROPOUT, self.device)
        with self.mixed():
            latents = self.embed(heard)
        latents = latents.float().detach() if adversarial else latents.float()
        if around:
            latent, first = self.mimi.quantizer.around(latents)
            commitment = latents.new_zeros(shapes.CODEBOOKS)
        else:
            quantised = self.mimi.quantizer(latents, keep, follow=not adversarial)
            latent, first, commitment = quantised.latent, quantised.first, quantised.commitment
        with self.mixed():
            sound = self.sound(latent)
        sound = sound.float()
        losses = self._losses(sound, heard, progress)
        if not adversarial:
            losses |= self._code_losses(first, commitment, phones)
        if adversarial:
            losses |= self._against(sound[: self.half], heard[: self.half], progress)
        weights = WEIGHTS | {"commitment": self.args.commitment}
        total = sum(weights[name] * loss for name, loss in losses.items() if name in weights)
        _set_rate(self.optimiser, self.args.rate * _rate(progress))
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        if adversarial:
            self._freeze()
        losses["norm"] = self.limit(self.optimiser)
        self.optimiser.step()
        if adversarial:
            self._follow()
        return {name: loss.detach() for name, loss in losses.items()}

    def _losses(self, sound: Tensor, heard: Tensor, progress: float) -> dict[str, Tensor]:
        weights = torch.ones(len(heard), device=self.device)
        weights[self.half :] = _USER_WEIGHT
        mel, magnitude = self.spectral(sound, heard)
        out = {"mel": weighted(mel, weights), "magnitude": weighted(magnitude, weights)}
        out["mel moshi"] = mel[: self.half].mean()
        if progress >= _STOI_FROM:
            stoi = self.stoi(sound[: self.half], heard[: self.half]).mean()
            out["stoi"] = stoi * _grown(progress, _STOI_FROM)
        return out

    def _code_losses(self, first: Tensor, commitment: Tensor, phones: Tensor) -> dict[str, Tensor]:
        logits = self.phones(first).view(-1, len(shapes.PHONES))
        right = (logits.argmax(1) == phones.flatten()) & (phones.flatten() > 0)
        return {
            "commitment": commitment.sum(),
            "phones": F.cross_entropy(logits, phones.flatten()),
            "phones right": right.sum() / (phones > 0).sum().clamp(min=1),
        }

    def _against(self, sound: Tensor, real: Tensor, progress: float) -> dict[str, Tensor]:
        """One step of the discriminators on half of each crop; then what they say of the sound."""
        length = sound.shape[1] // 2 // shapes.FRAME * shapes.FRAME
        start = int(torch.randint(sound.shape[1] - length + 1, ()))
        sound, real = sound[:, start : start + length], real[:, start : start + length]
        with self.mixed():
            on_real, on_fake = self.discriminators(real), self.discriminators(sound.detach())
        loss = discriminator_loss(on_real, on_fake)
        after = (progress - self.args.plain) / (1 - self.args.plain)
        _set_rate(self.against, 3e-4 * _rate(after))
        self.against.zero_grad(set_to_none=True)
        loss.backward()
        self.limit_against(self.against)
        self.against.step()
        self.discriminators.requires_grad_(False)
        with self.mixed():
            with torch.no_grad():
                on_real = self.discriminators(real)
            on_fake = self.discriminators(sound)
        self.discriminators.requires_grad_(True)
        fooled, features = generator_losses(on_real, on_fake)
        grown = _grown(progress, self.args.plain)
        return {"fooled": fooled * grown, "features": features * grown, "discriminators": loss}

    def _freeze(self) -> None:
        """Leave the quantiser's way in as it is (the encoder has no gradient anyway)."""
        for part in (self.mimi.quantizer.rvq_first, self.mimi.quantizer.rvq_rest):
            part.input_proj.weight.grad = None

    @torch.no_grad()
    def _follow(self) -> None:
        """The running average of what is behind the codes."""
        live = {name: p for name, p in self.mimi.named_parameters() if _behind(name)}
        if not self.average:
            self.average = {name: p.detach().clone() for name, p in live.items()}
        torch._foreach_lerp_(list(self.average.values()), list(live.values()), 1 - _AVERAGE)

    def best(self) -> dict[str, Tensor]:
        """The state to be saved and judged: the average, where there is one."""
        return self.mimi.state_dict() | self.average

    def save(self, folder: Path) -> None:
        """`codec.pt` to go on from, and the codec as it is published."""
        state = {name: tensor.cpu() for name, tensor in self.best().items()}
        parts = {"phones": self.phones, "discriminators": self.discriminators}
        out = {"mimi": state} | {name: part.state_dict() for name, part in parts.items()}
        torch.save(out, folder / "codec.pt.part")
        (folder / "codec.pt.part").replace(folder / "codec.pt")
        export(state, folder / "mimi-pocket.part")
        (folder / "mimi-pocket.part").replace(folder / "mimi-pocket.safetensors")


def _rate(progress: float) -> float:
    """The learning rate over its highest: up in 1 % of the time, then down a cosine."""
    turn = torch.pi * min(1.0, max(0.0, progress))
    cosine = 0.5 * (1 + float(torch.cos(torch.tensor(turn))))
    return min(1.0, progress / _WARM + 0.02) * (_LEAST_RATE + (1 - _LEAST_RATE) * cosine)


def _grown(progress: float, since: float) -> float:
    return min(1.0, (progress - since) / _RAMP)


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _behind(name: str) -> bool:
    """Whether a parameter is on the decoder's side of the codes."""
    return name.startswith(("decoder.", "upsample.")) or ".output_proj." in name


def train(args: argparse.Namespace) -> None:
    """All of it."""
    device = torch.device(args.device)
    torch.backends.cudnn.benchmark = True
    args.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(args, device)
    apart = args.test is not None
    shards = Shards(
        args.data,
        device,
        crop_s=args.crop,
        max_hours=args.max_hours,
        pick=None if apart else lambda name: name != _HELD_OUT,
    )
    test = Shards(
        args.test or args.data,
        device,
        crop_s=4.0,
        max_hours=0.5,
        pick=None if apart else lambda name: name == _HELD_OUT,
    )
    if args.compile:
        trainer.compile()
    shards.wait(args.hours)
    meter, start = Meter(), time.monotonic()
    seen = saved = start
    for _ in itertools.count():
        now = time.monotonic()
        progress = (now - start) / args.seconds
        if progress >= 1:
            break
        meter.add(trainer.step(shards, args.begin + (1 - args.begin) * progress))
        if now - seen >= args.report:
            seen = now
            shards.refresh()
            print(f"{now - start:5.0f} s, {shards.hours:.1f} h | {meter.line()}", flush=True)
        if now - saved >= args.save:
            saved = now
            trainer.save(args.out)
            validate(trainer.best(), trainer.phones, test, device)
    trainer.save(args.out)
    validate(trainer.best(), trainer.phones, test, device)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cuda = torch.cuda.is_available()
    parser.add_argument("--data", type=Path, required=True, help="folder of shards")
    parser.add_argument("--test", type=Path, help="of the split test; default: d0000 of --data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=480.0)
    parser.add_argument("--batch", type=int, default=48, help="crops, half of them Moshi's")
    parser.add_argument("--crop", type=float, default=2.0, help="seconds")
    parser.add_argument(
        "--around",
        type=float,
        default=0.15,
        help="share of the time in which nothing is quantised: codebooks that follow an encoder "
        "which still learns its first things are always late, and it learns to say little",
    )
    parser.add_argument(
        "--plain", type=float, default=0.7, help="share of the time without discriminators"
    )
    parser.add_argument("--commitment", type=float, default=0.1, help="weight of that loss")
    parser.add_argument("--rate", type=float, default=5e-4, help="highest learning rate")
    parser.add_argument("--hours", type=float, default=0.3, help="wait for so much speech")
    parser.add_argument("--max-hours", type=float, default=20.0)
    parser.add_argument("--report", type=float, default=10.0, help="seconds between lines")
    parser.add_argument("--save", type=float, default=60.0, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", type=Path, help="a codec.pt")
    parser.add_argument("--begin", type=float, default=0.0, help="how far the schedule is at first")
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    parser.add_argument("--smoke", action="store_true", help="a few seconds of every stage")
    parser.add_argument("--device", default="cuda" if cuda else "cpu")
    args = parser.parse_args()
    if args.smoke:
        args.seconds, args.report, args.save = 12.0, 2.0, 6.0
    train(args)


if __name__ == "__main__":
    main()
