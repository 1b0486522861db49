"""Talk with the model in batches: it hears what users said in dialogues, and answers freely.

    python assets/pocket/generate.py --weights W/lm.pt --tokens T --data D \\
        --tokenizer W/tokenizer_spm_pocket.model --out O

The timing is that of `moshi_tui.model.generate.Generator`. Prints turn-taking figures and three
dialogues side by side; with `--codec` it writes some as stereo sound, Moshi left, the user right.
"""

from __future__ import annotations

import argparse
import time
import wave
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sentencepiece
import torch
import torch.nn.functional as F  # noqa: N812
from lm import CONTEXT, DELAYS, INITIAL, MAX_DELAY, STREAMS, PocketLm, rotations
from shapes import CODEBOOKS, FRAME_RATE, RATE, TEXT_CARD
from text_tokens import SILENT, dialogues
from torch import Tensor
from train_lm import fill

Codes = npt.NDArray[np.int64]
GAP = 12
"""Frames without text after which a word is a start."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; a temperature of 0 takes the likeliest."""

    text_temperature: float = 0.7
    text_top_k: int = 25
    audio_temperature: float = 0.8
    audio_top_k: int = 250


def draw(logits: Tensor, temperature: float, top_k: int, rng: torch.Generator) -> Tensor:
    """Tokens [B] from `logits` [B, vocabulary], of the `top_k` largest."""
    if not temperature:
        return logits.argmax(-1)
    logits = logits.float()
    least = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
    logits = logits.masked_fill(logits < least, float("-inf"))
    noise = torch.rand(logits.shape, device=logits.device, generator=rng).clamp(1e-20, 1 - 1e-7)
    return (logits - temperature * noise.log().neg().log()).argmax(-1)


class Stepper:
    """The model one step at a time, with what `batch` streams remember."""

    def __init__(self, model: PocketLm, batch: int, device: torch.device) -> None:
        sizes = model.sizes
        self.model = model
        shape = (sizes.layers, 2, batch, sizes.heads, CONTEXT, model.head_dim)
        self._memory = torch.zeros(shape, device=device)
        self._step = 0

    def __call__(self, tokens: Tensor) -> Tensor:
        """What the temporal transformer says of `tokens` [B, streams]: [B, D]."""
        model, slot = self.model, self._step % CONTEXT
        seen = min(self._step + 1, CONTEXT)
        position = torch.tensor([self._step], device=tokens.device)
        rotation = rotations(position, model.head_dim, model.sizes.period)
        x = model.embed(tokens[:, :, None])
        for layer, memory in zip(model.layers, self._memory, strict=True):
            query, key, value = layer.qkv(x, rotation)
            memory[0, :, :, slot], memory[1, :, :, slot] = key[:, :, 0], value[:, :, 0]
            keys, values = memory[:, :, :, :seen]
            x = layer.finish(x, F.scaled_dot_product_attention(query, keys, values))
        self._step += 1
        return model.out_norm(x)[:, 0]


@torch.inference_mode()
def generate(
    model: PocketLm, user: Tensor, sampling: Sampling, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """What Moshi says to `user` [B, USER_CODEBOOKS, T] int: text [B, T] and codes
    [B, CODEBOOKS, T]."""
    batch, _, frames = user.shape
    device, before = user.device, MAX_DELAY + 1
    rng = torch.Generator(device).manual_seed(seed)
    stepper = Stepper(model, batch, device)
    initial = torch.tensor(INITIAL, device=device)[None, :, None]
    talk = initial.repeat(batch, 1, before + frames + MAX_DELAY)
    talk[:, 1 + CODEBOOKS :, before : before + frames] = user
    talk[:, 1 + CODEBOOKS :, before + frames :] = user[:, :, -1:]
    streams, delays = torch.arange(STREAMS, device=device), torch.tensor(DELAYS, device=device)
    for step in range(frames + MAX_DELAY):
        temporal = stepper(talk[:, streams, before + step - 1 - delays])
        text_logits = model.text_linear(temporal)
        token = draw(text_logits, sampling.text_temperature, sampling.text_top_k, rng)
        talk[:, 0, before + step] = token
        for k, code in enumerate(_frame(model, temporal, token, sampling, rng)):
            if step >= DELAYS[1 + k]:
                talk[:, 1 + k, before + step - DELAYS[1 + k]] = code
    said = talk[:, : 1 + CODEBOOKS, before : before + frames]
    return said[:, 0], said[:, 1:]


def _frame(
    model: PocketLm, temporal: Tensor, text: Tensor, sampling: Sampling, rng: torch.Generator
) -> list[Tensor]:
    """One sweep of the depth transformer: `CODEBOOKS` times [B]."""
    before = torch.zeros(CODEBOOKS, len(text), dtype=torch.long, device=text.device)
    before[0] = text
    codes = []
    for k in range(CODEBOOKS):
        logits = model.depth(temporal, before)[k]
        codes.append(draw(logits, sampling.audio_temperature, sampling.audio_top_k, rng))
        if k + 1 < CODEBOOKS:
            before[k + 1] = codes[-1]
    return codes


@dataclass
class Dialogue:
    """A user's side, and what Moshi answers."""

    shard: str
    start: int
    """In samples of the shard."""
    turns: list[dict[str, Any]]
    user: Codes
    """[USER_CODEBOOKS, T]."""
    text: npt.NDArray[np.int64]
    codes: Codes


def load(tokens: Path, data: Path, many: int) -> list[Dialogue]:
    """The first `many` dialogues of the shards in `tokens`, with their turns from `data`."""
    found: list[Dialogue] = []
    none = np.zeros(0, np.int64)
    for path in sorted(tokens.glob("*.0.npz")):
        name = path.name.split(".")[0]
        with np.load(path) as file:
            user, starts = file["user"].astype(np.int64), file["starts"].tolist()
        ends = [*starts[1:], user.shape[1]]
        described = dialogues(data / f"{name}.json")
        for about, start, end in zip(described, starts, ends, strict=True):
            part = user[:, start:end]
            found.append(Dialogue(name, about["start"], about["turns"], part, none, none))
    if not found:
        raise SystemExit(f"{tokens}: no tokens of a first pass (*.0.npz)")
    return found[:many]


def answer(model: PocketLm, talks: list[Dialogue], sampling: Sampling, seed: int) -> None:
    """Fill in what Moshi says, all at once; a shorter user repeats its last frame."""
    longest = max(talk.user.shape[1] for talk in talks)
    padded = [
        np.pad(talk.user, ((0, 0), (0, longest - talk.user.shape[1])), "edge") for talk in talks
    ]
    device = next(model.parameters()).device
    text, codes = generate(model, torch.from_numpy(np.stack(padded)).to(device), sampling, seed)
    for row, talk in enumerate(talks):
        size = talk.user.shape[1]
        talk.text = text[row, :size].cpu().numpy()
        talk.codes = codes[row, :, :size].cpu().numpy()


def figures(talks: list[Dialogue]) -> dict[str, tuple[int, int]]:
    """Of each measure of turn taking: how often it was right, and of how many."""
    answered, calm, stopped = [], [], []
    for talk in talks:
        word = ~np.isin(talk.text, SILENT)
        times = np.flatnonzero(word) / FRAME_RATE
        speech = [(t["start"], t["end"]) for t in talk.turns if _is_speech(t)]
        for number, (start, end) in enumerate(speech):
            following = speech[number + 1][0] if number + 1 < len(speech) else float("inf")
            if following > end + 1.5 and end + 1.5 < len(word) / FRAME_RATE:
                answered.append(_any(times, end - 0.1, end + 1.5))
            if _any(times, start - 0.5, start) and end > start + 1:
                stopped.append(not _any(times, start + 0.6, min(end, start + 1.6)))
        for at in _starts(word):
            calm.append(not any(a + 0.2 < at < b - 0.1 for a, b in speech))
    names = ("answers within 1.5 s", "starts in silence", "stops within 0.6 s")
    lists = (answered, calm, stopped)
    return {n: (sum(each), len(each)) for n, each in zip(names, lists, strict=True)}


def _is_speech(turn: dict[str, Any]) -> bool:
    return bool(turn["who"] == "user" and turn["kind"] == "speech")


def _any(times: npt.NDArray[np.float64], start: float, end: float) -> bool:
    return bool(((times >= start) & (times < end)).any())


def _starts(word: npt.NDArray[np.bool_]) -> list[float]:
    """Seconds at which text begins after `GAP` frames without."""
    at = np.flatnonzero(word)
    first = np.diff(at, prepend=-GAP - 1) > GAP
    return [float(frame) / FRAME_RATE for frame in at[first]]


def story(talk: Dialogue, vocabulary: sentencepiece.SentencePieceProcessor) -> str:
    """The dialogue as lines in order of time."""
    lines = [(t["start"], f"  user: {t['text'] or t['kind']}") for t in _users(talk)]
    word = ~np.isin(talk.text, SILENT)
    starts = [round(at * FRAME_RATE) for at in _starts(word)]
    for start, end in pairwise([*starts, len(word)]):
        said = talk.text[start:end]
        text = vocabulary.decode(said[~np.isin(said, SILENT)].tolist())
        lines.append((start / FRAME_RATE, f" moshi:                {text}"))
    return "\n".join(f"{at:6.1f}{line}" for at, line in sorted(lines))


def _users(talk: Dialogue) -> list[dict[str, Any]]:
    return [turn for turn in talk.turns if turn["who"] == "user"]


def write_sound(talk: Dialogue, path: Path, args: argparse.Namespace) -> None:
    """Moshi through the codec on the left, the user as recorded on the right."""
    from codec import load_exported
    from speech_data import to_24k

    codec = load_exported(args.codec, args.device)
    moshi = codec.decode(torch.from_numpy(talk.codes)[None].to(args.device))[0].cpu().numpy()
    samples = len(moshi) * 2 // 3
    recorded = np.load(args.data / f"{talk.shard}.npy", mmap_mode="r")[1, talk.start :][:samples]
    user = to_24k(torch.from_numpy(np.array(recorded))[None])[0].numpy()
    stereo = np.stack((moshi, user), 1).clip(-1, 1) * 32767
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(stereo.astype("<i2").tobytes())


def main() -> None:
    """The command."""
    args = _arguments()
    torch.manual_seed(args.seed)
    vocabulary = sentencepiece.SentencePieceProcessor(model_file=str(args.tokenizer))
    if vocabulary.vocab_size() != TEXT_CARD:
        raise SystemExit(f"{args.tokenizer}: {vocabulary.vocab_size()} pieces, not {TEXT_CARD}")
    model = PocketLm()
    fill(model, args.weights)
    model = model.to(args.device).eval()
    talks = load(args.tokens, args.data, args.dialogues)
    began = time.monotonic()
    sampling = Sampling(args.temp_text, args.top_k_text, args.temp, args.top_k)
    answer(model, talks, sampling, args.seed)
    hours = sum(talk.user.shape[1] for talk in talks) / FRAME_RATE / 3600
    took = time.monotonic() - began
    print(f"generate: {len(talks)} dialogues, {hours:.2f} h in {took:.0f} s", flush=True)
    for name, (right, of) in figures(talks).items():
        print(f"generate: {name}: {right} of {of} = {right / max(1, of):.1%}", flush=True)
    for talk in talks[:3]:
        print(f"--- {talk.shard} at {talk.start}\n{story(talk, vocabulary)}", flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    for number, talk in enumerate(talks[: args.sounds] if args.codec else []):
        write_sound(talk, args.out / f"talk{number}.wav", args)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="lm.pt")
    parser.add_argument("--tokens", type=Path, required=True, help="tokens of held-out shards")
    parser.add_argument("--data", type=Path, required=True, help="those shards")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for sound")
    parser.add_argument("--codec", type=Path, help="mimi-pocket.safetensors, for sound")
    parser.add_argument("--sounds", type=int, default=4, help="of how many dialogues")
    parser.add_argument("--dialogues", type=int, default=200)
    parser.add_argument("--temp-text", type=float, default=0.7)
    parser.add_argument("--top-k-text", type=int, default=25)
    parser.add_argument("--temp", type=float, default=0.8)
    parser.add_argument("--top-k", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
