"""Dialogue shards to tokens: what both sides say as codes, and Moshi's words as text tokens.

    python assets/pocket/tokenise.py --data D --codec W/mimi-pocket.safetensors \\
        --tokenizer W/tokenizer_spm_pocket.model --out T

For shard `d0000` and each pass `p` it writes `T/d0000.p.npz`: `moshi` int16 [8, T], `user` int16
[4, T], `text` int16 [T], `intent` int16 [T] (`intents`), all dialogues one after the other without
gaps, `starts` int64 [n], the frame in which each begins, and `cuts` int64 [m], the frames at which
training may go on in another dialogue. The passes differ in what the user's channel goes through
(`augment`); Moshi's codes come from its clean channel. Every dialogue is encoded from its start, as
a talk is. `--consume` deletes the sound of a shard that is done; its json stays.
"""

from __future__ import annotations

import argparse
import os
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece
import torch
from augment import augment
from codec import Mimi, load_exported
from intents import Turn, cut_frames, intent_stream
from shapes import SPEECH_FRAME, USER_CODEBOOKS
from speech_data import to_24k
from text_tokens import Encode, cached, dialogues, shards, text_stream
from torch import Tensor

Int16 = npt.NDArray[np.int16]
READ_AHEAD = 3
"""Shards that are read while one is encoded (80 MB each)."""


def main() -> None:
    """The command."""
    args = _arguments()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    vocabulary = sentencepiece.SentencePieceProcessor(model_file=str(args.tokenizer))
    maker = Maker(load_exported(args.codec, args.device), cached(vocabulary.encode), args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    began = reported = time.monotonic()
    many, frames = 0, 0
    for loaded in read_all(args.data, args.follow, began + args.seconds):
        todo = [p for p in range(args.passes) if not _target(args.out, loaded.name, p).exists()]
        frames += sum(loaded.frames) if todo else 0
        for number, arrays in maker.make(loaded, todo):
            _save(_target(args.out, loaded.name, number), arrays)
        if args.consume:
            (args.data / f"{loaded.name}.npy").unlink()
        many += 1
        if time.monotonic() - reported > 10:
            reported = time.monotonic()
            _report(many, frames, reported - began)
    if not many:
        raise SystemExit(f"{args.data}: no dialogue shards")
    _report(many, frames, time.monotonic() - began)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of dialogue shards")
    parser.add_argument("--codec", type=Path, required=True, help="mimi-pocket.safetensors")
    parser.add_argument("--tokenizer", type=Path, required=True, help="sentencepiece model")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tokens")
    parser.add_argument("--passes", type=int, default=1, help="variants of the user's channel")
    parser.add_argument("--consume", action="store_true", help="delete the sound that is done")
    parser.add_argument("--follow", type=float, default=0, help="seconds to wait for a next shard")
    parser.add_argument("--seconds", type=float, default=3600, help="stop after this long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def _target(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name}.{number}.npz"


def _save(path: Path, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(unfinished, path)


def _report(many: int, frames: int, seconds: float) -> None:
    hours = frames / 12.5 / 3600
    print(f"tokenise: {seconds:.0f} s, {many} shards, {hours:.2f} h of dialogue", flush=True)


@dataclass(frozen=True)
class Loaded:
    """A shard in memory."""

    name: str
    sound: Int16
    """[2, N] at 16 kHz."""
    starts: list[int]
    """Of its dialogues, in samples."""
    frames: list[int]
    """Of its dialogues."""
    words: list[list[tuple[str, float, float]]]
    turns: list[list[Turn]]


def read(shard: Path) -> Loaded:
    """The shard whose json `shard` is."""
    found = dialogues(shard)
    sound = np.load(shard.with_suffix(".npy"))
    for each in found:
        if each["start"] + each["samples"] > sound.shape[1] or each["samples"] % SPEECH_FRAME:
            raise SystemExit(f"{shard}: a dialogue of {each['samples']} samples does not fit")
        if any(turn["who"] == "user" and "intent" not in turn for turn in each["turns"]):
            raise SystemExit(f"{shard}: turns without intent, of an older make_dialogues.py")
    return Loaded(
        shard.stem,
        sound,
        [int(each["start"]) for each in found],
        [int(each["samples"]) // SPEECH_FRAME for each in found],
        [[(str(w), float(a), float(b)) for w, a, b in each["words"]] for each in found],
        [each["turns"] for each in found],
    )


def read_all(folder: Path, follow: float, end: float) -> Iterator[Loaded]:
    """All shards, read ahead; new ones too until none came for `follow` seconds or the clock
    (`time.monotonic`) is past `end`."""
    seen: set[Path] = set()
    waiting: list[Future[Loaded]] = []
    news = time.monotonic()
    with ThreadPoolExecutor(READ_AHEAD) as pool:
        while True:
            new = [path for path in shards(folder) if path not in seen]
            now = time.monotonic()
            news = now if new else news
            if now > end or (not new and now - news >= follow):
                return
            if not new:
                time.sleep(0.2)
            seen.update(new)
            while (new or waiting) and time.monotonic() < end:
                while new and len(waiting) < READ_AHEAD:
                    waiting.append(pool.submit(read, new.pop(0)))
                yield waiting.pop(0).result()


class Maker:
    """Makes tokens of shards, on the device that `codec` is on."""

    def __init__(self, codec: Mimi, encode: Encode, seed: int) -> None:
        self._codec = codec
        self._encode = encode
        self._seed = seed
        self._device = next(codec.parameters()).device

    @torch.inference_mode()
    def make(
        self, shard: Loaded, passes: list[int]
    ) -> Iterator[tuple[int, dict[str, npt.NDArray[np.generic]]]]:
        """For each of `passes`: its number and the arrays of its file."""
        if not passes:
            return
        sound = self._padded(shard)
        moshi, user = to_24k(sound[:, 0]), to_24k(sound[:, 1])
        fixed = self._of_turns(shard) | {"moshi": _joined(self._codec.encode(moshi), shard.frames)}
        for number in passes:
            name = f"{shard.name} {number} {self._seed}"
            rng = torch.Generator(self._device).manual_seed(zlib.crc32(name.encode()))
            heard = self._codec.encode(augment(user, moshi, rng))[:, :USER_CODEBOOKS]
            yield number, fixed | {"user": _joined(heard, shard.frames)}

    def _padded(self, shard: Loaded) -> Tensor:
        """The dialogues as [n, 2, samples] int16, silence after the shorter ones."""
        longest = max(shard.frames) * SPEECH_FRAME
        sound = torch.from_numpy(shard.sound).to(self._device)
        padded = sound.new_zeros(len(shard.starts), 2, longest)
        for row, (start, frames) in enumerate(zip(shard.starts, shard.frames, strict=True)):
            size = frames * SPEECH_FRAME
            padded[row, :, :size] = sound[:, start : start + size]
        return padded

    def _of_turns(self, shard: Loaded) -> dict[str, npt.NDArray[np.generic]]:
        """The arrays that words and turns decide."""
        texts, intents, cuts = [], [], []
        starts = np.cumsum([0, *shard.frames[:-1]]).astype(np.int64)
        parts = zip(starts, shard.frames, shard.words, shard.turns, strict=True)
        for start, frames, words, turns in parts:
            texts.append(text_stream(words, frames, self._encode))
            intents.append(intent_stream(turns, frames))
            cuts += [int(start) + cut for cut in cut_frames(turns, texts[-1])]
        return {
            "text": np.concatenate(texts),
            "intent": np.concatenate(intents),
            "starts": starts,
            "cuts": np.array(cuts, np.int64),
        }


def _joined(codes: Tensor, frames: list[int]) -> Int16:
    """`codes` [n, books, T] with `frames` of each row that count -> [books, sum of frames]."""
    rows = codes.to(torch.int16).cpu().numpy()
    return np.concatenate([row[:, :size] for row, size in zip(rows, frames, strict=True)], axis=1)


if __name__ == "__main__":
    main()
