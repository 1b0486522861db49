"""What the turns of a dialogue say of its frames: the class of what the user said, and where the
dialogue may be cut."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from phrases import topic_slot
from phrases_moshi import REACTIONS, REPLIES
from phrases_words import SHARED
from shapes import FRAME_RATE, PAD

Turn = dict[str, Any]
"""As in a shard's json."""
SILENT_BEFORE = 3
"""Frames without a sound before a cut; the longest delay of a stream is shorter."""
NO_CLASS = -1


def _classes() -> list[str]:
    kinds = {"repeat", "said_yes", "said_no", *REPLIES}
    kinds |= {kind for kind in REACTIONS if kind.startswith("ask_")}
    topics = [
        f"{kind} {slot}:{word.lower()}"
        for kind in kinds
        if (slot := topic_slot(kind))
        for word in SHARED[slot]
    ]
    return sorted([*kinds, *topics])


CLASSES = _classes()
"""Intents, and intents with the word that Moshi may repeat ("day day:monday")."""
_NUMBERS = {name: number for number, name in enumerate(CLASSES)}


def class_of(intent: str, topic: str = "") -> int:
    """The number in `CLASSES`, or `NO_CLASS`."""
    return _NUMBERS.get(f"{intent} {topic}".strip(), NO_CLASS)


def intent_stream(turns: Sequence[Turn], frames: int) -> npt.NDArray[np.int16]:
    """The class of what the user has just said, [frames], from the first step that has heard its
    end to the one that says Moshi's first word; `NO_CLASS` elsewhere."""
    stream = np.full(frames, NO_CLASS, np.int16)
    answers = sorted(t["start"] for t in turns if t["who"] == "moshi" and t["kind"] == "speech")
    for turn in turns:
        if turn["who"] != "user" or not turn["intent"]:
            continue
        begin = next((start for start in answers if start >= turn["end"]), None)
        if begin is not None:
            steps = slice(_frame(turn["end"]) + 1, _frame(begin) + 1)
            stream[steps] = class_of(turn["intent"], turn["topic"])
    return stream


def cut_frames(turns: Iterable[Turn], text: npt.NDArray[np.int16]) -> list[int]:
    """The frames from which another dialogue may go on, and at which this one may be left.

    Args:
        turns: of the dialogue.
        text: its text stream, [T].

    Each is 1 to 3 frames before a turn of the user's that does not hang on what Moshi said, and
    nobody sounds in it and in the `SILENT_BEFORE` frames before.
    """
    turns = list(turns)
    sounds = text != PAD
    for turn in turns:
        sounds[_frame(turn["start"]) : _frame(turn["end"]) + 1] = True
    return sorted({cut for turn in turns if _is_free(turn) for cut in _cut(turn, sounds)})


def _is_free(turn: Turn) -> bool:
    return bool(turn["who"] == "user" and turn["kind"] == "speech" and not turn["follows"])


def _cut(turn: Turn, sounds: npt.NDArray[np.bool_]) -> Iterator[int]:
    start = _frame(turn["start"])
    for back in range(3):
        cut = start - 1 - (start + back) % 3
        if cut >= SILENT_BEFORE and not sounds[cut - SILENT_BEFORE : start].any():
            yield cut
            return


def _frame(seconds: float) -> int:
    return math.floor(seconds * FRAME_RATE + 1e-6)
