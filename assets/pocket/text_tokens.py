"""Words to the text stream of the inner monologue: one token a frame.

Source: Moshi paper, section 3.4.4: a word's pieces begin in the frame in which the word sounds,
padding (PAD) fills the rest, and one EPAD announces a word after padding.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from shapes import EPAD, FRAME_RATE, PAD

Encode = Callable[[str], Sequence[int]]
"""Of a word: its pieces, the first with the space before it."""

SILENT = (EPAD, PAD)


def text_stream(
    words: Iterable[tuple[str, float, float]], frames: int, encode: Encode
) -> npt.NDArray[np.int16]:
    """The text token of each frame, [frames].

    Args:
        words: each with its start and end in seconds, in any order.
        encode: see `Encode`.

    A word that would begin within the one before it begins after it; one that would not end within
    the stream is left out.
    """
    stream = np.full(frames, PAD, np.int16)
    free = 0
    for word, start, _ in sorted(words, key=lambda each: each[1]):
        pieces = encode(word)
        first = max(free, math.floor(start * FRAME_RATE + 1e-6))
        if not pieces or first + len(pieces) > frames:
            continue
        stream[first : first + len(pieces)] = pieces
        free = first + len(pieces)
        if first and stream[first - 1] == PAD:
            stream[first - 1] = EPAD
    return stream


def cached(encode: Encode) -> Encode:
    """The same, but every word is encoded only once."""
    known: dict[str, Sequence[int]] = {}

    def look_up(word: str) -> Sequence[int]:
        if word not in known:
            known[word] = tuple(encode(word))
        return known[word]

    return look_up


def shards(folder: Path) -> list[Path]:
    """The dialogue shards that are complete, by their json."""
    return sorted(path for path in folder.glob("d*.json") if path.with_suffix(".npy").is_file())


def dialogues(shard: Path) -> list[dict[str, Any]]:
    """What the shard's json says of its dialogues, in the order in which they lie."""
    found: list[dict[str, Any]] = json.loads(shard.read_text())["dialogues"]
    return sorted(found, key=lambda each: int(each["start"]))
