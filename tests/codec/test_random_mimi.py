"""The random checkpoints of `demo.mimi` do what the demo and these tests rely on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from moshi_tui.codec.base import Pcm
from moshi_tui.codec.pocket import Pocket
from moshi_tui.demo.mimi import POCKET, speechlike, write_mimi
from tests.codec.shapes import TINY


def test_the_seed_decides_every_byte(tiny_file: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "new" / "again.safetensors", tmp_path / "other.safetensors"
    write_mimi(again, TINY, seed=1, tonal=False)
    write_mimi(other, TINY, seed=2, tonal=False)
    assert again.read_bytes() == tiny_file.read_bytes()
    assert other.read_bytes() != tiny_file.read_bytes()
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["again.safetensors"]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(tensors: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr("moshi_tui.demo.mimi.save_file", disk_full)
    with pytest.raises(OSError, match="No space"):
        write_mimi(tmp_path / "mimi.safetensors", TINY, seed=1)
    assert list(tmp_path.iterdir()) == []


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


def test_the_demo_plays_notes(pocket_file: Path, rng: np.random.Generator) -> None:
    """Most of the power stands within 4 Hz of multiples of 25 Hz, a third of the spectrum."""
    codes = rng.integers(0, 2048, (8, 125), np.uint32)
    sound = Pocket.open(pocket_file, 8).decode(codes)
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    from_note = np.abs((np.fft.rfftfreq(len(sound), 1 / 24_000) + 12.5) % 25 - 12.5)
    assert power[from_note < 4].sum() > 0.8 * power.sum()


def test_speechlike_sound_is_loud_and_quiet() -> None:
    pcm = speechlike(25, seed=1)
    assert pcm.shape == (25 * 1920,)
    assert pcm.dtype == np.float32
    loud = np.sqrt(np.mean(pcm.reshape(-1, 480) ** 2, axis=1))
    assert np.percentile(loud, 90) > 10 * np.percentile(loud, 5)
    assert np.abs(pcm).max() <= 1
