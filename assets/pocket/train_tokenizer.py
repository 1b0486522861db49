"""Learn the text vocabulary from what Moshi says in the dialogues.

    python assets/pocket/train_tokenizer.py --data D --out W

writes `W/tokenizer_spm_pocket.model`: 800 pieces with the special ids of Kyutai's vocabularies. Two
kinds are tried, and the one that takes fewer pieces a word is kept.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import sentencepiece
from shapes import EPAD, LM_CONFIG, PAD, TEXT_CARD
from text_tokens import dialogues, shards

KINDS = ("bpe", "unigram")
MAX_SENTENCES = 40_000
"""From how many turns to learn at most: more change little and take longer."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of dialogue shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of the weights")
    parser.add_argument(
        "--shards", type=int, default=4, help="learn from this many; waits for them"
    )
    parser.add_argument("--wait", type=float, default=120, help="seconds to wait for the shards")
    args = parser.parse_args()
    texts = list(sentences(wait_for(args.data, args.shards, args.wait)))[:MAX_SENTENCES]
    if not texts:
        raise SystemExit(f"{args.data}: Moshi says nothing in these shards")
    tried = {kind: train(texts, kind) for kind in KINDS}
    models = {kind: model for kind, model in tried.items() if model}
    if not models:
        raise SystemExit(f"{len(texts)} turns are too few for {TEXT_CARD} pieces")
    costs = {kind: pieces_a_word(model, texts) for kind, model in models.items()}
    best = min(costs, key=lambda kind: costs[kind])
    path = args.out / str(LM_CONFIG["tokenizer_name"])
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    unfinished.write_bytes(models[best])
    os.replace(unfinished, path)
    said = ", ".join(f"{kind} {cost:.3f}" for kind, cost in costs.items())
    print(f"tokenizer: {len(texts)} turns, pieces a word: {said}; {best} -> {path}", flush=True)


def wait_for(folder: Path, many: int, seconds: float) -> list[Path]:
    """The first `many` shards, or those that there are once `seconds` are over."""
    end = time.monotonic() + seconds
    while len(found := shards(folder)) < many and time.monotonic() < end:
        time.sleep(0.5)
    if not found:
        raise SystemExit(f"{folder}: no dialogue shards within {seconds:.0f} s")
    return found[:many]


def sentences(paths: list[Path]) -> Iterator[str]:
    """What Moshi says, a turn at a time, also where it is cut short."""
    for path in paths:
        for dialogue in dialogues(path):
            for turn in dialogue["turns"]:
                if turn["who"] == "moshi" and turn.get("text"):
                    yield turn["text"]


def train(texts: list[str], kind: str) -> bytes | None:
    """A sentencepiece model of `kind`, learnt from `texts`; None: it finds too few pieces."""
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            vocab_size=TEXT_CARD,
            model_type=kind,
            unk_id=EPAD,
            bos_id=1,
            eos_id=2,
            pad_id=PAD,
            byte_fallback=True,
            normalization_rule_name="identity",
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        print(f"tokenizer: {kind}: {error}", flush=True)
        return None
    return model.getvalue()


def pieces_a_word(model: bytes, texts: list[str]) -> float:
    """How many pieces a word of `texts` takes."""
    vocabulary = sentencepiece.SentencePieceProcessor()
    vocabulary.LoadFromSerializedProto(model)
    pieces = sum(len(vocabulary.encode(text)) for text in texts)
    return pieces / max(1, sum(len(text.split()) for text in texts))


if __name__ == "__main__":
    main()
