"""`pocket`: a streaming Mimi of any size, in NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from moshi_tui.codec import seanet
from moshi_tui.codec.base import Codes, Pcm
from moshi_tui.codec.checks import clean_codes, clean_pcm
from moshi_tui.codec.layers import Conv, Layer, Rows, Upsample
from moshi_tui.codec.layout import MimiShape, Tensors, read_shape, read_tensors
from moshi_tui.codec.quantizer import SplitQuantizer
from moshi_tui.codec.transformer import Transformer
from moshi_tui.frames import FRAME_SAMPLES

BLOCK = 16
"""Frames that go through the layers at once; longer calls are cut. It bounds every buffer."""


class Pocket:
    """A Mimi whose sizes are its checkpoint's. A `Codec`: one direction of one stream, one thread.

    The frames of a call share its matrix products: several at once cost less than one by one, and
    give the same codes and, but for float32 rounding, the same sound. The buffers of a direction
    are made in its first step (under a millisecond); after that memory is flat for ever.

    Args:
        shape: the sizes of the checkpoint.
        tensors: what `shape.tensors()` names, float32.
        n_q: codebooks to use, 1 to `shape.codebooks`.
    """

    name = "pocket"

    def __init__(self, shape: MimiShape, tensors: Tensors, n_q: int) -> None:
        most = BLOCK * shape.stride
        down = tensors["downsample.conv.conv.conv.weight"]
        self._n_q = n_q
        self._cardinality = shape.codebook_size
        self._quantizer = SplitQuantizer(tensors, n_q)
        self._encoder: list[Layer] = [
            *seanet.encoder(tensors, shape),
            Transformer(tensors, shape, "encoder_transformer", most),
            Conv(down, None, stride=shape.stride, replicate=True),
        ]
        self._decoder: list[Layer] = [
            Upsample(tensors["upsample.convtr.convtr.convtr.weight"]),
            Transformer(tensors, shape, "decoder_transformer", most),
            *seanet.decoder(tensors, shape),
        ]

    @classmethod
    def open(cls, path: Path, n_q: int) -> Pocket:
        """The codec in the safetensors file `path`. MoshiTuiError if it is none."""
        shape = read_shape(path)
        return cls(shape, read_tensors(path, shape), n_q)

    @property
    def n_q(self) -> int:
        """Codebooks in use."""
        return self._n_q

    @property
    def cardinality(self) -> int:
        """Codes of one codebook."""
        return self._cardinality

    def encode(self, pcm: Pcm) -> Codes:
        """`pcm` [T * 1920] float32 -> codes [n_q, T] uint32."""
        blocks = [self._quantizer.encode(x) for x in self._latents(clean_pcm(pcm))]
        return np.concatenate(blocks, axis=1)

    def latents(self, pcm: Pcm) -> Rows:
        """`encode` up to the quantiser: `pcm` [T * 1920] -> [T, dim] float32."""
        return np.concatenate(self._latents(clean_pcm(pcm)))

    def decode(self, codes: Codes) -> Pcm:
        """`codes` [n_q, T] -> sound [T * 1920] float32."""
        codes = clean_codes(codes, self._n_q, self._cardinality)
        frames = codes.shape[1]
        pcm = np.empty(frames * FRAME_SAMPLES, np.float32)
        for start in range(0, frames, BLOCK):
            sound = _run(self._decoder, self._quantizer.decode(codes[:, start : start + BLOCK]))
            pcm[start * FRAME_SAMPLES :][: len(sound)] = sound[:, 0]
        return pcm

    def reset(self) -> None:
        """Forget the stream; gives the state of a fresh instance."""
        for layer in (*self._encoder, *self._decoder):
            layer.reset()

    def _latents(self, pcm: Pcm) -> list[Rows]:
        size = BLOCK * FRAME_SAMPLES
        starts = range(0, len(pcm), size)
        return [_run(self._encoder, pcm[at : at + size, None]).copy() for at in starts]


def _run(layers: list[Layer], x: Rows) -> Rows:
    for layer in layers:
        x = layer.step(x)
    return x
