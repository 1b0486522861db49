"""What a recogniser hears in Moshi's sound, against what Moshi says that it says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import speakers
import torch
from eval_turns import RATE, Talk, active, runs
from eval_words import Errors, normal
from recogniser import RATE as LISTENING_RATE
from recogniser import Listener
from stoi import resample

from moshi_tui.codec import Codec

FRAME = 1_920
PAUSE_S = 0.5
"""Silence at which the sound is cut into stretches."""
MARGIN_S = 0.15


class Ear:
    """A recogniser for sound at 24 kHz; one thread."""

    def __init__(self, path: Path, words: Collection[str]) -> None:
        torch.set_num_threads(1)
        self._listener = Listener(path, words)

    def words(self, sound: np.ndarray) -> list[str]:
        """The words in [n] float32 at `RATE`, its silence left out."""
        heard: list[str] = []
        for start, end in runs(active(sound), PAUSE_S):
            first = max(0, round((start - MARGIN_S) * RATE))
            part = sound[first : round((end + MARGIN_S) * RATE)]
            part = resample(part, len(part) * LISTENING_RATE // RATE)
            heard += self._listener.words(torch.from_numpy(part).float())
        return heard

    def judge(self, talk: Talk) -> Errors:
        """Moshi's sound in a talk against its inner monologue; words whose sound is to begin after
        the end of the talk are left out."""
        length = len(talk.moshi) / RATE
        said = normal(" ".join(word for word, at in talk.words if at < length))
        return Errors.between(said, self.words(talk.moshi))


def control(ear: Ear, texts: Sequence[str], codecs: tuple[Codec, Codec] | None) -> Errors:
    """The same of flite's own sound; through the codec (an encoder, a decoder), if given."""
    total = Errors()
    for text in texts:
        sound = speech(text)
        if codecs is not None:
            sound = through(sound, *codecs)
        total += Errors.between(normal(text), ear.words(sound))
    return total


def speech(text: str) -> np.ndarray:
    """Moshi's voice from flite, float32 at `RATE`, half a second of silence around it, whole
    frames."""
    said = speakers.moshi(text).samples / 32768
    sound = np.pad(resample(said, len(said) * 3 // 2), RATE // 2)
    return np.pad(sound, (0, -len(sound) % FRAME)).astype(np.float32)


def through(sound: np.ndarray, encoder: Codec, decoder: Codec) -> np.ndarray:
    """Encoded and decoded."""
    encoder.reset()
    decoder.reset()
    return decoder.decode(encoder.encode(sound))
