"""Talks with the model, frame by frame, through moshi_tui's own runtime.

The frame fed at step n was captured before what the model says at step n is heard: Moshi's n-th
frame plays while the user's frame n + 1 is captured. No other latency (sound card, playout) is
added.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from eval_turns import FRAME_S, RATE, Talk, Turn

from moshi_tui.config import CheckpointOptions, SamplingOptions, Settings
from moshi_tui.model import Generator
from moshi_tui.session.loading import Parts, load_parts

FRAME = 1_920


class Speaker(Protocol):
    """Who talks with Moshi."""

    turns: list[Turn]

    def frame(self, heard: np.ndarray) -> np.ndarray:
        """The next frame, having heard Moshi's."""
        ...


@dataclass
class Times:
    """Milliseconds of each frame."""

    encode: list[float] = field(default_factory=list)
    step: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)


class Runtime:
    """A loaded checkpoint: codec, model, tokenizer and sampling as the program has them."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(
            checkpoint=CheckpointOptions(model_dir=folder), sampling=SamplingOptions(seed=0)
        )
        self.parts: Parts = load_parts(settings, lambda _: None, lambda: False)

    def talk(self, user: Speaker, seconds: float, seed: int, times: Times | None = None) -> Talk:
        """One talk from its start."""
        parts = self.parts
        generator = self._generator(seed)
        parts.encoder.reset()
        parts.decoder.reset()
        parts.text.reset()
        frames = round(seconds / FRAME_S)
        said = np.zeros((frames + 2, FRAME), np.float32)
        heard = np.zeros((frames, FRAME), np.float32)
        pieces: list[tuple[str, int]] = []
        for n in range(frames):
            heard[n] = user.frame(said[n - 1] if n else said[n])
            marks = [time.perf_counter()]
            codes = parts.encoder.encode(heard[n])[:, 0]
            marks.append(time.perf_counter())
            step = generator.step(codes)
            marks.append(time.perf_counter())
            if step.audio_codes is not None:
                said[n + 1] = parts.decoder.decode(step.audio_codes[:, None])
            marks.append(time.perf_counter())
            if text := parts.text.push(step.text_token):
                pieces.append((text, n))
            if times is not None:
                for name, ms in zip(("encode", "step", "decode"), np.diff(marks), strict=True):
                    getattr(times, name).append(1000 * float(ms))
        delay = generator.config.max_delay
        words = [(word, (n + 1 + delay) * FRAME_S) for word, n in _words(pieces)]
        return Talk(heard.reshape(-1), said[:frames].reshape(-1), user.turns, words)

    def _generator(self, seed: int) -> Generator:
        """As the program makes it, with a seed of its own."""
        sampling = self.parts.sampling
        return Generator(
            self.parts.generator.model,
            text_temperature=sampling["text_temperature"],
            text_top_k=int(sampling["text_top_k"]),
            audio_temperature=sampling["audio_temperature"],
            audio_top_k=int(sampling["audio_top_k"]),
            seed=seed,
            runner=self.parts.generator.runner.name,
        )


def _words(pieces: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Pieces of text to words, each with the step at which it began."""
    words: list[tuple[str, int]] = []
    joins = False
    for text, n in pieces:
        for i, part in enumerate(text.split(" ")):
            if i == 0 and joins and part:
                words[-1] = (words[-1][0] + part, words[-1][1])
            elif part:
                words.append((part, n))
        joins = bool(words) and not text.endswith(" ")
    return words


class Silence:
    """A user that says nothing."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def frame(self, heard: np.ndarray) -> np.ndarray:
        """Silence."""
        return np.zeros_like(heard)


def record(talk: Talk, path: Path) -> None:
    """As a stereo file, the user left: `RATE`, 16 bits."""
    import soundfile

    soundfile.write(path, np.stack((talk.user, talk.moshi), 1), RATE, subtype="PCM_16")
