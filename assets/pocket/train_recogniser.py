"""Train the recogniser on Moshi's side of the dialogues: `recogniser.pt`, for the evaluation only.

python assets/pocket/train_recogniser.py --data D --codec W/mimi-pocket.safetensors --out W
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import recogniser
import torch
from eval_words import distance, normal
from recogniser import HOP, RATE, Listener, Recogniser, classes
from torch import Tensor

LONGEST_S = 10.0
PAUSE_S = 0.6
"""A pause of this length ends a segment."""
MARGIN_S = 0.3
"""Of the silence before and after a segment, at most this is kept."""
HELD_OUT = 20
"""One segment in so many is not trained on."""
CODEC_RATE = 24_000
PEAK_RATE = 1.5e-3

PIECE = 320 * 1_280
"""Samples that go through the codec as one (26 s), of which `PIECES` at once."""
PIECES = 16
CODEC_PART = 0.2
"""Of the time, for what is done before the training."""
CHECKED = 100


@dataclass(frozen=True)
class Segment:
    """A stretch of Moshi's speech: samples `start` to `end` of all sound, and its words."""

    start: int
    end: int
    text: str


def main() -> None:
    """Train, save, and say how many held-out words are recognised."""
    arguments = _arguments()
    torch.manual_seed(arguments.seed)
    device = torch.device(arguments.device)
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    sound, segments = load(arguments.data, arguments.hours * 3600)
    sound = sound.to(device)
    held, trained = segments[::HELD_OUT], [s for i, s in enumerate(segments) if i % HELD_OUT]
    coded = sound[:0]
    if arguments.codec:
        coded = through(sound, arguments.codec, arguments.seconds * CODEC_PART)
    words = {word for segment in segments for word in normal(segment.text)}
    print(
        f"{len(trained)} segments, {len(sound) / RATE / 3600:.2f} h, {len(words)} words", flush=True
    )
    model = train(sound, coded, trained, arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "recogniser.pt"
    recogniser.save(model, words, path)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", flush=True)
    listener = Listener(path)
    print(f"held out, clean: {check(listener, sound, held):.1%} of the words", flush=True)
    if len(coded):
        print(f"held out, codec: {check(listener, coded, held):.1%} of the words", flush=True)


def load(folder: Path, seconds: float) -> tuple[Tensor, list[Segment]]:
    """Moshi's sound in the shards, int16 [n], up to so many seconds, and its segments in order."""
    sounds: list[np.ndarray] = []
    segments: list[Segment] = []
    total = 0
    for path in sorted(folder.glob("*.json")):
        if total >= seconds * RATE:
            break
        row = np.load(path.with_suffix(".npy"), mmap_mode="r")[0]
        for dialogue in json.loads(path.read_text())["dialogues"]:
            segments += _segments(dialogue, total + dialogue["start"])
        sounds.append(np.array(row))
        total += len(row)
    if not segments:
        raise SystemExit(f"{folder}: no shards with words of Moshi's (run make_dialogues.py)")
    return torch.from_numpy(np.concatenate(sounds)), segments


def _segments(dialogue: dict, offset: int) -> Iterator[Segment]:
    """Runs of words without a long pause; what was cut off is not in them."""
    words = dialogue["words"]
    cuts = [t["end"] for t in dialogue["turns"] if t["who"] == "moshi" and t["cut"]]
    run: list[list] = []
    for i, word in enumerate(words):
        run.append(word)
        following = words[i + 1][1] if i + 1 < len(words) else math.inf
        too_long = following - run[0][1] > LONGEST_S - 2
        if following - word[2] < PAUSE_S and not too_long:
            continue
        before = words[i - len(run)][2] if i >= len(run) else 0.0
        start = max(run[0][1] - MARGIN_S, (run[0][1] + before) / 2, 0.0)
        end = min(word[2] + MARGIN_S, (word[2] + following) / 2, dialogue["samples"] / RATE)
        if any(word[2] - 0.05 <= cut <= word[2] + PAUSE_S for cut in cuts):
            end = word[2]
        begin, finish = round(start * RATE), round(end * RATE)
        yield Segment(offset + begin, offset + finish, " ".join(w[0] for w in run))
        run = []


def train(
    sound: Tensor, coded: Tensor, segments: list[Segment], arguments: argparse.Namespace
) -> Recogniser:
    """CTC, AdamW; the clock drives the rate of learning."""
    model = Recogniser().to(sound.device)
    optimizer = torch.optim.AdamW(model.parameters(), PEAK_RATE, weight_decay=0.01)
    inside = [segment for segment in segments if segment.end <= len(coded)]
    plain = _batches(segments, arguments.batch, arguments.seed)
    other = _batches(inside, arguments.batch, arguments.seed) if inside else None
    start = spoken = time.monotonic()
    losses: list[float] = []
    for step in count():
        progress = (time.monotonic() - start) / arguments.seconds
        if progress >= 1 or step == arguments.steps:
            break
        optimizer.param_groups[0]["lr"] = PEAK_RATE * _schedule(progress)
        if other and step % 2:
            loss = _step(model, optimizer, coded, next(other))
        else:
            loss = _step(model, optimizer, sound, next(plain))
        losses.append(loss)
        if time.monotonic() - spoken > 10:
            spoken = time.monotonic()
            print(f"{spoken - start:.0f} s, step {step}: loss {np.mean(losses):.3f}", flush=True)
            losses.clear()
    return model


def _schedule(progress: float) -> float:
    """A short rise, then half a cosine."""
    return min(1, progress / 0.03 + 0.01) * 0.5 * (1 + math.cos(math.pi * progress))


def _batches(segments: list[Segment], size: int, seed: int) -> Iterator[list[Segment]]:
    """For ever: segments of about the same length, in random order."""
    rng = np.random.default_rng(seed)
    while True:
        jitter = rng.uniform(0.9, 1.1, len(segments))
        lengths = np.array([s.end - s.start for s in segments]) * jitter
        order = np.argsort(lengths)
        starts = np.arange(0, len(order), size)
        rng.shuffle(starts)
        for at in starts:
            yield [segments[i] for i in order[at : at + size]]


def _step(
    model: Recogniser, optimizer: torch.optim.Optimizer, sound: Tensor, batch: list[Segment]
) -> float:
    clips, sizes = gather(sound, batch)
    targets = [torch.tensor(classes(segment.text)) for segment in batch]
    model.train()
    mel = _change(model.features(_degrade(clips)))
    scores = model(mel)
    loss = torch.nn.functional.ctc_loss(
        scores.transpose(0, 1),
        torch.cat(targets).to(sound.device),
        (sizes // HOP // 2 + 1).clamp_max(scores.shape[1]),
        torch.tensor([len(target) for target in targets]),
        zero_infinity=True,
    )
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def gather(sound: Tensor, batch: list[Segment]) -> tuple[Tensor, Tensor]:
    """Float sound [batch, longest], silence after the shorter ones, and their lengths."""
    sizes = torch.tensor([segment.end - segment.start for segment in batch])
    clips = torch.zeros(len(batch), int(sizes.max()), device=sound.device)
    for row, segment in zip(clips, batch, strict=True):
        part = sound[segment.start : segment.end]
        row[: len(part)] = part.float() / 32768
    return clips, sizes


def _degrade(clips: Tensor) -> Tensor:
    """With mild noise of any level."""
    decibels = torch.empty(len(clips), 1, device=clips.device).uniform_(-75, -40)
    return clips + torch.randn_like(clips) * 10 ** (decibels / 20)


def _change(mel: Tensor) -> Tensor:
    """Another timbre (a smooth curve over the bands) and level, and one band and moment hidden."""
    batch, rows, bands = mel.shape
    points = torch.randn(batch, 1, 5, device=mel.device) * 0.2
    mel = mel + torch.nn.functional.interpolate(points, bands, mode="linear", align_corners=True)
    mel = mel + torch.randn(batch, 1, 1, device=mel.device) * 0.2
    band = int(torch.randint(bands - 10, ()))
    mel[:, :, band : band + 8] = -8
    moment = int(torch.randint(max(1, rows - 10), ()))
    mel[:, moment : moment + 6] = -8
    return mel


def through(sound: Tensor, path: Path, seconds: float) -> Tensor:
    """The first part of `sound` through the codec, as much as can be done in so many seconds."""
    import codec

    model = codec.load_exported(path).to(sound.device)
    block = PIECE * PIECES
    start = time.monotonic()
    done: list[Tensor] = []
    for at in range(0, len(sound) - block + 1, block):
        if time.monotonic() - start > seconds:
            break
        pieces = sound[at : at + block].reshape(PIECES, PIECE).float() / 32768
        heard = model.decode(model.encode(recogniser.resample(pieces, RATE, CODEC_RATE)))
        heard = recogniser.resample(heard.reshape(PIECES, -1), CODEC_RATE, RATE)
        done.append((heard.clamp(-1, 1) * 32767).to(torch.int16).reshape(-1).cpu())
    print(f"{len(done) * block / RATE / 3600:.2f} h through the codec", flush=True)
    return torch.cat([*done, torch.zeros(0, dtype=torch.int16)]).to(sound.device)


def check(listener: Listener, sound: Tensor, segments: list[Segment]) -> float:
    """1 - (word errors, insertions included) / words, of the segments that lie in `sound`."""
    wrong = total = 0
    for segment in [one for one in segments if one.end <= len(sound)][:CHECKED]:
        clips, _ = gather(sound, [segment])
        words = normal(segment.text)
        wrong += distance(words, listener.words(clips[0].detach().cpu()))
        total += len(words)
    return 1 - wrong / max(1, total)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the dialogues' shards")
    parser.add_argument("--codec", type=Path, help="mimi-pocket.safetensors, for every other batch")
    parser.add_argument("--out", type=Path, required=True, help="the folder for recogniser.pt")
    parser.add_argument("--seconds", type=float, default=75)
    parser.add_argument("--hours", type=float, default=6, help="of dialogue, at most")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=-1, help="end after so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--smoke", action="store_true", help="a few small steps, to see it run")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.steps, arguments.batch, arguments.hours = 2, 2, 0.15
    return arguments


if __name__ == "__main__":
    main()
