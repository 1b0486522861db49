"""The tokens of many dialogues in the device's memory, and crops of them to train on.

Against learning dialogues by heart, a crop is put together of pieces of different ones: at a cut
(a silent frame before a turn of the user's that hangs on nothing before) it may go on at the cut
of another dialogue. Names: B crops of T frames, R pieces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from lm import MAX_DELAY, STREAMS
from shapes import CODEBOOKS, EPAD, PAD, TEXT_CARD
from torch import Tensor

BEFORE = MAX_DELAY + 1
"""Frames that a crop holds before its first step."""
JUMPS = 12
"""At most in a crop."""
RUN = 4
"""Frames of a run of wrong codes; half of them come in runs."""
FAR = 1 << 40
"""A frame behind all."""


@dataclass(frozen=True)
class Wrong:
    """Shares of what is heard that are drawn at random, and of word tokens that turn into PAD."""

    moshi: float = 0.06
    user: float = 0.05
    words: float = 0.03


@dataclass(frozen=True)
class Crop:
    """Tokens [B, streams, BEFORE + T] int64; how many frames of its dialogue lie before each,
    [B, BEFORE + T]; the class of what the user has just said or -1, [B, T]."""

    tokens: Tensor
    into: Tensor
    intent: Tensor


class Tokens:
    """The tokens of many dialogues, one after the other."""

    def __init__(self, paths: list[Path], device: str) -> None:
        self.streams = torch.zeros(STREAMS, 0, dtype=torch.int16, device=device)
        """[streams, total]."""
        self.intent = torch.zeros(0, dtype=torch.int16, device=device)
        self.into = torch.zeros(0, dtype=torch.int32, device=device)
        """Frames of the same dialogue before each."""
        self.cuts = torch.zeros(0, dtype=torch.int64, device=device)
        """Frames at which a crop may leave a dialogue, or come in, in order."""
        self._left = self.cuts
        """The cuts, and one behind all."""
        self._usable: dict[int, int] = {}
        self.add(paths)

    @property
    def total(self) -> int:
        """Frames."""
        return self.streams.shape[1]

    @property
    def gigabytes(self) -> float:
        """In the device's memory."""
        held = (self.streams, self.intent, self.into, self.cuts)
        return sum(each.nbytes for each in held) / 1e9

    def add(self, paths: list[Path]) -> None:
        """Take in more files of tokens."""
        loaded = [_load(path) for path in paths]
        if not loaded:
            return
        sizes = [arrays["intent"].size for arrays in loaded]
        at = self.total + np.cumsum([0, *sizes[:-1]])
        cuts = [arrays["cuts"] + start for arrays, start in zip(loaded, at, strict=True)]
        self.cuts = _longer(self.cuts, cuts)
        self._left = _longer(self.cuts, [np.array([FAR])])
        self._usable = {}
        self.streams = _longer(self.streams, [arrays["streams"] for arrays in loaded])
        self.intent = _longer(self.intent, [arrays["intent"] for arrays in loaded])
        self.into = _longer(self.into, [arrays["into"] for arrays in loaded])

    def crops(self, starts: Tensor, frames: int, splice: float = 0.0) -> Crop:
        """Crops that begin with step `starts` [B], spliced with that probability at each cut."""
        where = self._where(starts - BEFORE, BEFORE + frames, splice).clamp(min=0)
        return Crop(
            self.streams[:, where].transpose(0, 1).long(),
            self.into[where].long(),
            self.intent[where[:, BEFORE:]].long(),
        )

    def _where(self, starts: Tensor, length: int, splice: float) -> Tensor:
        """The frames that crops from `starts` [B] hold, [B, length]."""
        along = torch.arange(length, device=starts.device).repeat(len(starts), 1)
        usable = self._coming_in(length)
        if not splice or not usable:
            return starts[:, None] + along
        shape = len(starts), JUMPS
        into = torch.randint(usable, shape, device=starts.device)
        first = torch.searchsorted(self.cuts, starts, right=True) - 1
        passed = _tries((len(starts), JUMPS + 1), splice, starts.device)
        out = torch.cat((first[:, None], into), 1) + passed
        begin = torch.cat((starts[:, None], self.cuts[into]), 1)
        size = self._left[out.clamp(max=len(self.cuts))] - begin
        until = size.cumsum(1)
        piece = torch.searchsorted(until, along, right=True).clamp(max=JUMPS)
        return along + (begin - until + size).gather(1, piece)

    def _coming_in(self, length: int) -> int:
        """How many cuts, the first ones, have that many frames after them."""
        if length not in self._usable:
            self._usable[length] = int((self.cuts < self.total - length).sum())
        return self._usable[length]

    def wrong(self, tokens: Tensor, shares: Wrong) -> Tensor:
        """`tokens` [B, streams, T] with some audio codes replaced by draws from all that the same
        codebook says anywhere, and some word tokens by PAD."""
        drawn = torch.randint(self.total, tokens.shape, device=tokens.device)
        drawn = self.streams.gather(1, drawn.transpose(0, 1).flatten(1)).view(
            STREAMS, len(tokens), -1
        )
        share = torch.full((STREAMS, 1), shares.moshi / 2, device=tokens.device)
        share[0], share[1 + CODEBOOKS :] = 0.0, shares.user / 2
        alone = torch.rand(tokens.shape, device=tokens.device) < share
        begins = torch.rand(tokens.shape, device=tokens.device) < share / RUN
        in_run = F.max_pool1d(F.pad(begins.float(), (RUN - 1, 0)), RUN, 1) > 0
        heard = torch.where(alone | in_run, drawn.transpose(0, 1).long(), tokens)
        text = tokens[:, 0]
        word = (text != PAD) & (text != EPAD) & (text < TEXT_CARD)
        lost = word & (torch.rand(text.shape, device=text.device) < shares.words)
        heard[:, 0] = text.masked_fill(lost, PAD)
        return heard


def _tries(shape: tuple[int, ...], chance: float, device: torch.device) -> Tensor:
    """Draws of how many tries it takes until one of that chance succeeds, from 1."""
    if chance >= 1:
        return torch.ones(shape, dtype=torch.int64, device=device)
    drawn = torch.rand(shape, device=device).clamp(min=1e-9)
    return 1 + (drawn.log() / math.log(1 - chance)).floor().long()


def _longer(before: Tensor, more: list[npt.NDArray[np.generic]]) -> Tensor:
    added = torch.from_numpy(np.concatenate(more, -1)).to(before.device)
    return torch.cat((before, added.to(before.dtype)), -1)


def _load(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    with np.load(path) as file:
        if not {"intent", "cuts"} <= set(file.files):
            raise SystemExit(f"{path}: no intents and cuts, of an older tokenise.py")
        rows = [file["text"][None], file["moshi"], file["user"]]
        starts, intent, cuts = file["starts"], file["intent"], file["cuts"]
    streams = np.concatenate(rows).astype(np.int16)
    frames = np.arange(streams.shape[1])
    into = frames - starts[np.searchsorted(starts, frames, side="right") - 1]
    return {
        "streams": streams,
        "intent": intent.astype(np.int16),
        "into": into.astype(np.int32),
        "cuts": cuts.astype(np.int64),
    }
