"""Recorded speech for both sides of a simulated talk, and the truth about where it is speech.

A recording of six utterances is cut at its pauses; each side says them in an
order and with gaps of its own, so that both talk 40 % of the time and sometimes at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moshi_tui.audio.files import read_audio
from moshi_tui.audio.ring import Pcm
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE

BLOCK = 240
"""Samples of one entry of a speech mask: 10 ms."""
BLOCK_MS = 10.0
TALKING = 0.4
"""Part of the time that each side speaks."""
USER_NOISE_DB = -62.0
"""A quiet room, dBFS."""
MOSHI_NOISE_DB = -75.0
"""What a codec makes of silence, dBFS."""

_SPEECH = Path(__file__).with_name("speech.ogg")
_BELOW_LOUDNESS_DB = 30.0
"""A block further below the loudness of the speech than this is none (weak consonants are 20 to
25 dB below, breath and reverberation 40)."""
_CLOSED_GAP = 10
"""Blocks: shorter gaps are the closures of plosives, and belong to the word."""
_PAUSE = 40
"""Blocks: longer gaps divide utterances."""
_MARGIN = 8
"""Blocks kept around an utterance, so that it is not cut hard."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Track:
    """One side of a talk."""

    pcm: Pcm
    """[n] float32, 24 kHz."""
    speech: Mask
    """[n / 240]: is this block speech? Taken from the clean recording, not from a detector."""

    def frame(self, number: int) -> Pcm:
        """Frame [1920] of that number; frames beyond the end are silent."""
        pcm = self.pcm[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES]
        return pcm if len(pcm) == FRAME_SAMPLES else np.zeros(FRAME_SAMPLES, np.float32)

    @property
    def frame_speech_ms(self) -> npt.NDArray[np.float64]:
        """[frames]: milliseconds of speech in each frame."""
        per_frame = FRAME_SAMPLES // BLOCK
        whole = len(self.speech) // per_frame * per_frame
        blocks = np.count_nonzero(self.speech[:whole].reshape(-1, per_frame), axis=1)
        return np.asarray(blocks * BLOCK_MS, np.float64)


@dataclass(frozen=True)
class Talk:
    """Both sides, equally long."""

    user: Track
    moshi: Track

    def window(self, start_s: float, seconds: float) -> Talk:
        """The part from `start_s` (moved to a whole frame) on."""
        first = round(start_s * SAMPLE_RATE / FRAME_SAMPLES) * FRAME_SAMPLES
        last = first + round(seconds * SAMPLE_RATE / FRAME_SAMPLES) * FRAME_SAMPLES
        return Talk(_part(self.user, first, last), _part(self.moshi, first, last))


def make_talk(seconds: float, seed: int) -> Talk:
    """A talk of so many seconds (whole frames); the same seed gives the same one."""
    rng = np.random.default_rng(seed)
    blocks = round(seconds * SAMPLE_RATE / FRAME_SAMPLES) * (FRAME_SAMPLES // BLOCK)
    utterances = _utterances()
    return Talk(
        _side(utterances, blocks, USER_NOISE_DB, rng),
        _side(utterances, blocks, MOSHI_NOISE_DB, rng),
    )


def speech_mask(pcm: Pcm) -> Mask:
    """Where a clean recording [n] is speech: [n // 240]."""
    blocks = pcm[: len(pcm) // BLOCK * BLOCK].reshape(-1, BLOCK)
    power = np.mean(np.square(blocks, dtype=np.float64), axis=1)
    loudness = power[power > power.max() / 1000].mean()
    mask = np.asarray(power > loudness / 10 ** (_BELOW_LOUDNESS_DB / 10), np.bool_)
    for start, stop in _runs(~mask):
        if stop - start < _CLOSED_GAP and start > 0 and stop < len(mask):
            mask[start:stop] = True
    return mask


def _utterances() -> list[Track]:
    pcm = read_audio(_SPEECH)
    mask = speech_mask(pcm)
    utterances, begin = [], None
    pauses = [run for run in _runs(~mask) if run[1] - run[0] >= _PAUSE or run[1] == len(mask)]
    for start, stop in pauses:
        if begin is not None and start > begin:
            first, last = max(0, begin - _MARGIN), min(len(mask), start + _MARGIN)
            utterances.append(Track(pcm[first * BLOCK : last * BLOCK], mask[first:last]))
        begin = stop
    return utterances


def _side(utterances: list[Track], blocks: int, noise_db: float, rng: np.random.Generator) -> Track:
    """Utterances at random, with gaps that fill the time up, over faint noise."""
    chosen = _choose(utterances, TALKING * blocks, rng)
    gaps = 0.15 + rng.exponential(1.0, len(chosen) + 1)
    silence = blocks - sum(len(each.speech) for each in chosen)
    ends = np.floor(np.cumsum(gaps) / gaps.sum() * silence).astype(int)
    noise = 10 ** (noise_db / 20)
    pcm = rng.standard_normal(blocks * BLOCK, np.float32) * np.float32(noise)
    mask = np.zeros(blocks, np.bool_)
    spoken = 0
    for each, gap_end in zip(chosen, ends[:-1], strict=True):
        at = int(gap_end) + spoken
        pcm[at * BLOCK : at * BLOCK + len(each.pcm)] += each.pcm
        mask[at : at + len(each.speech)] = each.speech
        spoken += len(each.speech)
    return Track(pcm, mask)


def _choose(utterances: list[Track], wanted: float, rng: np.random.Generator) -> list[Track]:
    """Whole rounds in random order, until there are about `wanted` blocks of speech."""
    chosen: list[Track] = []
    total = 0
    while True:
        for index in rng.permutation(len(utterances)):
            more = int(utterances[index].speech.sum())
            if total + more / 2 > wanted:
                return chosen
            chosen.append(utterances[index])
            total += more


def _part(track: Track, first: int, last: int) -> Track:
    return Track(track.pcm[first:last], track.speech[first // BLOCK : last // BLOCK])


def _runs(mask: Mask) -> list[tuple[int, int]]:
    """(start, stop) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
