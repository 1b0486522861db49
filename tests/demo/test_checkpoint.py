import hashlib
import json
import os
import shutil
import time

import numpy as np
import pytest

from moshi_tui import paths
from moshi_tui.checkpoint import resolve
from moshi_tui.codec import load as load_codec
from moshi_tui.config import CheckpointOptions
from moshi_tui.demo import checkpoint
from moshi_tui.demo.checkpoint import demo_folder
from moshi_tui.errors import MoshiTuiError
from moshi_tui.model import Generator, load
from moshi_tui.model.tokenizer import TextTokenizer


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_made_once_and_the_same_every_time(tmp_path, monkeypatch):
    first = demo_folder()
    assert first == demo_folder()
    assert first.parent == paths.cache_dir()
    assert not list(first.parent.glob("*.part"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "cache_dir", lambda: tmp_path / "another")
    assert digests(demo_folder()) == digests(first)


def test_goes_through_the_same_door_as_any_folder():
    files = resolve(CheckpointOptions(model_dir=demo_folder()))
    config = json.loads(files.config.read_text())
    model = load(files)
    assert model.config.n_user == model.config.dep_q == 8
    assert TextTokenizer(files.tokenizer).vocab_size == config["text_card"]
    codec = load_codec(files.mimi, 8)
    assert codec.cardinality == config["card"] == 2048
    assert codec.name == "pocket"


def test_it_speaks_words_and_pauses():
    files = resolve(CheckpointOptions(model_dir=demo_folder()))
    generator = Generator(load(files), seed=1)
    vocabulary = TextTokenizer(files.tokenizer)
    rng = np.random.default_rng(0)
    tokens = [generator.step(rng.integers(0, 2048, 8)).text_token for _ in range(150)]
    spoken = [token for token in tokens if token != 3]
    assert 0.05 < len(spoken) / len(tokens) < 0.9
    words = [vocabulary.piece(token) for token in spoken]
    assert sum(word.startswith("▁") for word in words) > 0.8 * len(words)
    assert len(set(words)) > 5


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Another cache, in which the weights are not computed again but copied."""

    def copied(name):
        return lambda path, *_: shutil.copyfile(whole / checkpoint.NAMES[name], path)

    whole = demo_folder()
    monkeypatch.setattr(checkpoint, "write_lm", copied("moshi_name"))
    monkeypatch.setattr(checkpoint, "write_mimi", copied("mimi_name"))
    monkeypatch.setattr(checkpoint.paths, "cache_dir", lambda: tmp_path)


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", checkpoint.SIZES])
def test_a_damaged_cache_is_made_again(name):
    whole = digests(demo_folder())
    path = demo_folder() / name
    path.write_bytes(path.read_bytes()[:5])
    assert digests(demo_folder()) == whole
    path.unlink()
    assert digests(demo_folder()) == whole


@pytest.mark.usefixtures("own_cache")
def test_what_broken_off_runs_left_is_removed(tmp_path):
    for name, age in (("demo-old.part", 3600), ("demo-new.part", 1)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    demo_folder()
    assert not (tmp_path / "demo-old.part").exists()
    assert (tmp_path / "demo-new.part").exists()


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(checkpoint.paths, "cache_dir", lambda: tmp_path / "file" / "cache")
    with pytest.raises(MoshiTuiError, match="demo checkpoint"):
        demo_folder()
