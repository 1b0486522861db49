"""The codec: sound to codes and back. `load` picks the implementation by what the file holds."""

from __future__ import annotations

from pathlib import Path

from moshi_tui.codec.base import Codec, Codes, Pcm
from moshi_tui.codec.layout import is_standard, read_shape
from moshi_tui.errors import MoshiTuiError

__all__ = ["Codec", "Codes", "Pcm", "describe", "load"]


def load(path: Path, n_q: int) -> Codec:
    """A codec of the first `n_q` codebooks of the Mimi in the safetensors file `path`.

    rustymimi for the published sizes (0.6 to 2 s, Python's global lock held), NumPy for all others.

    Raises:
        MoshiTuiError: the file can't be read, is truncated, is no Mimi, or has fewer codebooks.
    """
    shape = read_shape(path)
    if not 1 <= n_q <= shape.codebooks:
        raise MoshiTuiError(
            "Codec and model do not match",
            f"the model wants {n_q} codebooks, {path.name} has {shape.codebooks}",
            "Give the Mimi file that belongs to the model with --mimi-weight.",
        )
    if is_standard(shape):
        from moshi_tui.codec.rusty import Rusty

        return Rusty(path, n_q)
    from moshi_tui.codec.pocket import Pocket

    return Pocket.open(path, n_q)


def describe(path: Path) -> str:
    """What `load` would run for `path`: "rustymimi" or "pocket". Reads the file's header only.

    Raises:
        MoshiTuiError: as `load`.
    """
    return "rustymimi" if is_standard(read_shape(path)) else "pocket"
