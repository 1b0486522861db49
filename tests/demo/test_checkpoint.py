"""What comes with the package for `--demo`: whole, or told."""

import json
import shutil

import numpy as np
import pytest

from moshi_tui.checkpoint import resolve
from moshi_tui.codec import load as load_codec
from moshi_tui.config import CheckpointOptions
from moshi_tui.demo import checkpoint
from moshi_tui.demo.checkpoint import CODEC, TOKENIZER, WEIGHTS, demo_config, demo_file, demo_folder
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES
from moshi_tui.model import Generator, load
from moshi_tui.model.config import LmConfig
from moshi_tui.model.tokenizer import TextTokenizer


def test_goes_through_the_same_door_as_any_folder():
    files = resolve(CheckpointOptions(model_dir=demo_folder()))
    assert files.moshi == demo_file(WEIGHTS)
    assert json.loads(files.config.read_text()) == demo_config()
    model = load(files)
    assert model.config == LmConfig.from_dict(demo_config())
    assert model.quantisation == f"q{checkpoint.BITS}"
    assert TextTokenizer(files.tokenizer).vocab_size == model.config.text_card


def test_a_frame_goes_all_the_way():
    files = resolve(CheckpointOptions(model_dir=demo_folder()))
    generator = Generator(load(files), seed=1)
    config = generator.config
    ear, voice = (load_codec(files.mimi, n) for n in (config.n_user, config.dep_q))
    assert ear.name == voice.name == "pocket"
    assert ear.cardinality == config.card
    assert config.n_user < config.dep_q
    codes = None
    while codes is None:
        heard = ear.encode(np.zeros(FRAME_SAMPLES, np.float32))
        assert heard.shape == (config.n_user, 1)
        codes = generator.step(heard[:, 0]).audio_codes
    sound = voice.decode(np.asarray(codes, np.uint32)[:, None])
    assert sound.shape == (FRAME_SAMPLES,)


def test_it_is_small():
    assert sum(path.stat().st_size for path in demo_folder().iterdir()) <= 26_500_000


@pytest.fixture
def copy(tmp_path, monkeypatch):
    folder = tmp_path / "pocket"
    shutil.copytree(checkpoint.FOLDER, folder)
    monkeypatch.setattr(checkpoint, "FOLDER", folder)
    assert demo_folder() == folder
    return folder


@pytest.mark.parametrize("key", [WEIGHTS, CODEC, TOKENIZER])
def test_a_file_that_is_missing_is_told(copy, key):
    demo_file(key).unlink()
    with pytest.raises(MoshiTuiError, match=r"missing\.\nInstall moshi-tui again"):
        demo_folder()


@pytest.mark.parametrize("key", [WEIGHTS, CODEC])
def test_a_file_that_is_cut_is_told(copy, key):
    path = demo_file(key)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MoshiTuiError, match=r"not whole\.\nInstall"):
        demo_folder()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"mimi_name": 3}'])
def test_a_config_that_is_none_is_told(copy, text):
    (copy / "config.json").write_text(text)
    with pytest.raises(MoshiTuiError, match="Install moshi-tui again"):
        demo_folder()
