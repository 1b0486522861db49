"""`rustymimi`: Kyutai's Mimi in Rust, for the published sizes, made to last for hours."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from moshi_tui.codec.base import Codes, Pcm
from moshi_tui.codec.checks import clean_codes, clean_pcm
from moshi_tui.codec.layout import STANDARD
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES

_POSITIONS = 2
"""Of the transformers in a frame: they work at 25 Hz."""

_BATCH = 10
"""Frames of one call into Rust at most: half the time of a call is the same for any number."""


class Rusty:
    """A standard Mimi. A `Codec`: one direction of one stream, one thread.

    A rustymimi `Tokenizer` grows by 66 KB a frame and fails for ever after `max_seq_len`
    positions. Its `reset()` frees the memory but not the positions, nor an encoder's down-sampler.
    So there are two, built up front, that take turns. One works; `overlap` frames before its turn
    ends the other, emptied, begins to run beside it on the same frames, and then takes over.

    What the newcomer has not heard it can't know. After 250 frames of overlap all codes, and the
    sound to 121 dB, were those of an instance that had heard everything, with the layer scales that
    Mimi is initialised with (0.01); with 0.1: all codes, 78 dB; with 0.3: 97 % of the codes, 52 dB.

    What it costs: 370 MB of weights for each of the two, and during the overlap a frame takes twice
    its time (8 % of all frames). A tokenizer whose positions are used up is replaced by a new one
    at its next turn; building one holds Python's global lock for 0.3 to 1 s, which starves audio
    callbacks. With the defaults this happens first after 2 hours, then about once an hour.

    Args:
        path: a checkpoint of the standard sizes (`layout.is_standard`); not checked here.
        n_q: codebooks to use.
        max_seq_len: positions of a tokenizer, 2 a frame. 100,000 take 50 MB, and 0.2 s to build.
        turn: frames from one change to the next: 3000 are 4 minutes, and 200 MB at the end of them.
        overlap: frames that both run before a change.
    """

    name = "rustymimi"

    def __init__(
        self,
        path: Path,
        n_q: int,
        *,
        max_seq_len: int = 100_000,
        turn: int = 3_000,
        overlap: int = 250,
    ) -> None:
        self._life = max_seq_len // _POSITIONS
        self._need = turn + overlap + 3 * _BATCH  # all three limits are met at the end of a block
        if not 0 < overlap <= turn or self._life < self._need:
            raise ValueError(f"{turn} + {overlap} frames do not fit {max_seq_len} positions")
        self._path = path
        self._n_q = n_q
        self._turn = turn
        self._overlap = overlap
        self._working = self._new()
        time.sleep(0.05)  # a constructor keeps the global lock: let a waiting screen have its turn
        self._resting = self._new()
        self._left = turn

    @property
    def n_q(self) -> int:
        """Codebooks in use."""
        return self._n_q

    @property
    def cardinality(self) -> int:
        """Codes of one codebook."""
        return STANDARD.codebook_size

    def encode(self, pcm: Pcm) -> Codes:
        """`pcm` [T * 1920] float32 -> codes [n_q, T] uint32."""
        pcm = clean_pcm(pcm)
        size = _BATCH * FRAME_SAMPLES
        blocks: list[Codes] = []
        for at in range(0, len(pcm), size):
            block = pcm[at : at + size]
            blocks.append(self._working.encode(block))
            if self._left <= self._overlap:
                self._newcomer().encode(block)
            self._advance(len(block) // FRAME_SAMPLES)
        return np.concatenate(blocks, axis=1)

    def decode(self, codes: Codes) -> Pcm:
        """`codes` [n_q, T] -> sound [T * 1920] float32."""
        codes = clean_codes(codes, self._n_q, self.cardinality)
        blocks: list[Pcm] = []
        for at in range(0, codes.shape[1], _BATCH):
            block = np.ascontiguousarray(codes[:, at : at + _BATCH])
            blocks.append(self._working.decode(block))
            if self._left <= self._overlap:
                self._newcomer().decode(block)
            self._advance(block.shape[1])
        return np.concatenate(blocks)

    def reset(self) -> None:
        """Forget the stream.

        Decoding, this is rustymimi's own reset (under 1 ms). Encoding, that would leave the end of
        the old stream in the down-sampler and spoil the first frame, so a tokenizer is built: 0.3
        to 1 s with Python's global lock held.
        """
        if self._working.encoded or self._life - self._working.lived < self._need:
            self._working = self._new()
        self._working.clear()
        self._resting.clear()
        self._left = self._turn

    def _newcomer(self) -> _Tokenizer:
        """The tokenizer that will take over; a new one if its positions would not last."""
        if not self._resting.held and self._life - self._resting.lived < self._need:
            self._resting = self._new()
        return self._resting

    def _advance(self, frames: int) -> None:
        """Count `frames`, and change over once the turn and the overlap are both complete."""
        self._left -= frames
        if self._left <= 0 and self._resting.held >= self._overlap:
            self._working, self._resting = self._resting, self._working
            self._resting.clear()
            self._left = self._turn

    def _new(self) -> _Tokenizer:
        return _Tokenizer(self._path, self._n_q, self._life * _POSITIONS)


class _Tokenizer:
    """A rustymimi tokenizer that knows how many frames it has lived and how many it holds."""

    def __init__(self, path: Path, n_q: int, max_seq_len: int) -> None:
        import rustymimi  # native and heavy: not for those who only want --help

        try:
            self._inner: Any = rustymimi.Tokenizer(
                str(path), num_codebooks=n_q, max_seq_len=max_seq_len
            )
        except (ValueError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise MoshiTuiError(
                "Cannot load the Mimi checkpoint",
                f"{path.name}: {reason}",
                "Delete it and download it again.",
            ) from error
        self.lived = 0
        self.held = 0
        self.encoded = False

    def encode(self, pcm: Pcm) -> Codes:
        codes: Codes = self._inner.encode_step(pcm[None, None])[0]
        self.encoded = True
        self._count(codes.shape[1])
        return codes

    def decode(self, codes: Codes) -> Pcm:
        pcm: Pcm = self._inner.decode_step(codes[None])[0, 0]
        self._count(codes.shape[1])
        return pcm

    def clear(self) -> None:
        """Forget the stream and free what it holds; the positions that it has lived stay used."""
        self._inner.reset()
        self.held = 0

    def _count(self, frames: int) -> None:
        self.lived += frames
        self.held += frames
