"""The codec of a shape, to be timed: no download is needed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from moshi_tui.codec.base import Codec
from moshi_tui.codec.pocket import Pocket
from moshi_tui.codec.random_mimi import write_random_mimi
from moshi_tui.demo.checkpoint import CODEC, demo_file
from moshi_tui.model.config import LmConfig

SHORT = {"max_seq_len": 4_000, "turn": 1_000, "overlap": 100}
"""Of rustymimi: less to build than for a talk of hours."""


@dataclass(frozen=True)
class Codecs:
    """Two directions, as in a talk."""

    encoder: Codec
    """Gives the codebooks that the model hears."""
    decoder: Codec
    """Takes those that it speaks."""


def open_codecs(shape: str, config: LmConfig) -> Codecs:
    """The demo's own for "demo"; for the others rustymimi with the published sizes and random
    weights.

    Raises MoshiTuiError: no space for the weights, or the demo's are damaged; ImportError:
    rustymimi is not installed.
    """
    if shape == "demo":
        path = demo_file(CODEC)
        return Codecs(Pocket.open(path, config.n_user), Pocket.open(path, config.dep_q))
    from moshi_tui.codec.rusty import Rusty

    with tempfile.TemporaryDirectory(prefix="moshi-tui-bench-") as folder:
        path = write_random_mimi(Path(folder))
        return Codecs(Rusty(path, config.n_user, **SHORT), Rusty(path, config.dep_q, **SHORT))
