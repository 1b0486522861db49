"""The random checkpoints of these tests do what they rely on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from moshi_tui.codec.base import Pcm
from moshi_tui.codec.pocket import Pocket
from moshi_tui.codec.speechlike import speechlike
from tests.codec.mimi import POCKET, write_mimi
from tests.codec.shapes import TINY


def test_the_seed_decides_every_byte(tiny_file: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.safetensors", tmp_path / "other.safetensors"
    write_mimi(again, TINY, seed=1)
    write_mimi(other, TINY, seed=2)
    assert again.read_bytes() == tiny_file.read_bytes()
    assert other.read_bytes() != tiny_file.read_bytes()


def test_the_file_has_the_published_names(pocket_file: Path) -> None:
    found = {name: tensor.shape for name, tensor in load_file(pocket_file).items()}
    assert found == POCKET.tensors()


def test_codes_tell_sounds_apart(pocket_file: Path, speech: Pcm) -> None:
    codes = Pocket.open(pocket_file, 8).encode(speech)
    assert min(len(np.unique(row)) for row in codes) > 40  # of 60 frames


@pytest.mark.parametrize("kind", ["random", "speech", "one code for ever"])
def test_any_codes_are_audible_and_never_clip(
    kind: str, pocket_file: Path, speech: Pcm, rng: np.random.Generator
) -> None:
    codec = Pocket.open(pocket_file, 8)
    codes = {
        "random": rng.integers(0, 2048, (8, 120), np.uint32),
        "speech": codec.encode(speech),
        "one code for ever": np.full((8, 60), 11, np.uint32),
    }[kind]
    sound = codec.decode(codes)[4 * 1920 :]
    level = 20 * np.log10(np.sqrt(np.mean(sound**2)))
    assert np.abs(sound).max() < 10 ** (-3 / 20)
    assert -24 < level < -20 if kind == "random" else level > -40
    assert abs(sound.mean()) < 0.02


def test_speechlike_sound_is_loud_and_quiet() -> None:
    pcm = speechlike(25, seed=1)
    assert pcm.shape == (25 * 1920,)
    assert pcm.dtype == np.float32
    loud = np.sqrt(np.mean(pcm.reshape(-1, 480) ** 2, axis=1))
    assert np.percentile(loud, 90) > 10 * np.percentile(loud, 5)
    assert np.abs(pcm).max() <= 1
