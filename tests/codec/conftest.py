"""Random checkpoints, each written once a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moshi_tui.codec.base import Codes, Pcm
from moshi_tui.codec.layout import STANDARD
from moshi_tui.codec.pocket import Pocket
from moshi_tui.codec.speechlike import speechlike
from moshi_tui.frames import FRAME_SAMPLES
from tests.codec.mimi import POCKET, write_mimi
from tests.codec.shapes import FRAMES, STANDARD_FRAMES, TINY


@pytest.fixture(scope="session")
def standard_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published sizes, but for the number of codebooks, and noise in every weight."""
    path = tmp_path_factory.mktemp("standard") / "mimi.safetensors"
    write_mimi(path, replace(STANDARD, codebooks=8), seed=1)
    return path


@pytest.fixture(scope="session")
def pocket_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pocket") / "mimi.safetensors"
    write_mimi(path, POCKET, seed=1)
    return path


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "mimi.safetensors"
    write_mimi(path, TINY, seed=1)
    return path


@pytest.fixture(scope="session")
def speech() -> Pcm:
    return speechlike(FRAMES, seed=7)


@pytest.fixture(scope="session")
def standard_pocket(standard_file: Path) -> Pocket:
    """The full-size checkpoint in NumPy; reset it before use."""
    return Pocket.open(standard_file, 8)


@pytest.fixture(scope="session")
def standard_codes(standard_pocket: Pocket, speech: Pcm) -> Codes:
    """What NumPy makes of the beginning of `speech`."""
    standard_pocket.reset()
    return standard_pocket.encode(speech[: STANDARD_FRAMES * FRAME_SAMPLES])


@pytest.fixture(scope="session")
def standard_sound(standard_pocket: Pocket, standard_codes: Codes) -> Pcm:
    """What NumPy makes of `standard_codes`."""
    standard_pocket.reset()
    return standard_pocket.decode(standard_codes)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)
