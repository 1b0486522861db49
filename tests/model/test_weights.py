import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model import Generator, load
from tests.model.small import write_checkpoint


def test_a_file_a_folder_and_resolved_files_are_the_same(tmp_path):
    write_checkpoint(tmp_path)

    @dataclass
    class Files:
        moshi: Path = tmp_path / "model.safetensors"
        config: Path = tmp_path / "config.json"

    ways = [tmp_path, str(tmp_path), tmp_path / "model.safetensors", Files()]
    weights = [np.array(load(way).text_linear.weight) for way in ways]
    assert all((w == weights[0]).all() for w in weights)


def test_without_config_it_is_the_7b_and_says_so_when_it_is_not(tmp_path):
    write_checkpoint(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(MoshiTuiError) as caught:
        load(tmp_path)
    assert "does not match" in caught.value.title
    assert "model.safetensors" in caught.value.message
    assert "Moshi 7B" in caught.value.hint


def test_truncated_file(tmp_path):
    path = write_checkpoint(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(MoshiTuiError) as caught:
        load(path)
    assert caught.value.title == "Model file is truncated"
    assert str(path) in caught.value.message
    path.write_bytes(path.read_bytes()[:500])  # within the header
    with pytest.raises(MoshiTuiError) as caught:
        load(path)
    assert caught.value.title == "Model file is truncated"


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(5000)])
def test_not_safetensors(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(MoshiTuiError) as caught:
        load(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_missing_file_and_ambiguous_folder(tmp_path):
    with pytest.raises(MoshiTuiError, match="not found"):
        load(tmp_path / "nothing.safetensors")
    with pytest.raises(MoshiTuiError, match="No single model file"):
        load(tmp_path)
    write_checkpoint(tmp_path)
    shutil.copy(tmp_path / "model.safetensors", tmp_path / "model.q8.safetensors")
    with pytest.raises(MoshiTuiError, match=r"model\.q8\.safetensors"):
        load(tmp_path)


def test_foreign_file_names_what_it_has(tmp_path):
    path = tmp_path / "model.safetensors"
    mx.save_safetensors(str(path), {"bert.embeddings.weight": mx.zeros((3, 3))})
    with pytest.raises(MoshiTuiError) as caught:
        load(path)
    assert caught.value.title == "Not a Moshi model"
    assert "bert.embeddings.weight" in caught.value.message


def test_numbers_of_another_kind(tmp_path):
    path = write_checkpoint(tmp_path) / "model.safetensors"
    arrays = mx.load(str(path))
    for kind in (mx.int8, mx.uint32, mx.int32):
        changed = arrays | {"text_emb.weight": arrays["text_emb.weight"].astype(kind)}
        mx.save_safetensors(str(path), changed)
        with pytest.raises(MoshiTuiError, match=r"text_emb\.weight is [IU]"):
            load(path)
    scales = mx.ones((49, 2))
    changed = arrays | {"text_emb.scales": scales, "text_emb.biases": scales}
    mx.save_safetensors(str(path), changed)
    with pytest.raises(MoshiTuiError, match=r"text_emb\.weight is F32, expected U32"):
        load(path)
    changed = arrays | {"out_norm.scales": scales, "out_norm.biases": scales}
    mx.save_safetensors(str(path), changed)
    with pytest.raises(MoshiTuiError, match=r"out_norm"):
        load(path)


def test_a_config_of_another_model_names_the_first_tensors(tmp_path):
    write_checkpoint(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"text_card": 50}))
    with pytest.raises(MoshiTuiError) as caught:
        load(tmp_path)
    assert "text_emb.weight has [49, 64], expected [51, 64]" in caught.value.message
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_layers": 1}))
    with pytest.raises(MoshiTuiError, match=r"transformer\.layers\.1\.\S+ is unknown"):
        load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_layers": 3}))
    with pytest.raises(MoshiTuiError, match=r"transformer\.layers\.2\.\S+ is missing"):
        load(tmp_path)


@pytest.mark.parametrize(("bits", "group"), [(4, 32), (8, 64)])
def test_quantises_while_loading(tmp_path, bits, group):
    write_checkpoint(tmp_path)
    plain, packed = load(tmp_path), load(tmp_path, quant=bits)
    assert packed.quantisation == f"q{bits}"
    layer = packed.transformer.layers[0].self_attn.in_proj
    want = mx.quantize(plain.transformer.layers[0].self_attn.in_proj.weight, group, bits)
    for have, expected in zip((layer.weight, layer.scales, layer.biases), want, strict=True):
        assert (np.array(have) == np.array(expected)).all()
    # 176 columns are no multiple of the group: such a matrix stays as it is.
    assert packed.transformer.layers[0].gating.linear_out.bits == 0
    step = Generator(packed, seed=1).step(np.zeros(4, dtype=int))
    assert step.audio_codes.shape == (4,)


def test_what_it_quantised_can_be_saved_and_loaded(tmp_path):
    """A file in the published quantised format gives the very tokens of the model it came from."""
    source = write_checkpoint(tmp_path)
    first = load(source, quant=4)
    target = tmp_path / "q4"
    target.mkdir()
    shutil.copy(source / "config.json", target)
    arrays = dict(tree_flatten(first.parameters()))
    mx.save_safetensors(str(target / "model.q4.safetensors"), arrays)
    users = np.random.default_rng(0).integers(0, 32, (20, 4))
    a, b = (Generator(m, seed=3) for m in (first, load(target)))
    assert [a.step(u).text_token for u in users] == [b.step(u).text_token for u in users]


def test_quant_that_contradicts_the_file(tmp_path):
    source = write_checkpoint(tmp_path)
    target = tmp_path / "q4"
    target.mkdir()
    shutil.copy(source / "config.json", target)
    arrays = dict(tree_flatten(load(source, quant=4).parameters()))
    mx.save_safetensors(str(target / "model.q4.safetensors"), arrays)
    assert load(target, quant=4).quantisation == "q4"
    with pytest.raises(MoshiTuiError, match="already quantised"):
        load(target, quant=8)


def test_peak_memory_is_near_the_result(tmp_path):
    """Tensor by tensor: the peak is the quantised model and a few of the largest tensors."""
    sizes = {"dim": 512, "num_layers": 8, "num_heads": 8, "depformer_dim": 256}
    path = write_checkpoint(tmp_path, sizes) / "model.safetensors"
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    model = load(path, quant=4)
    result = mx.get_active_memory() - before
    peak = mx.get_peak_memory() - before
    largest = 4 * 512 * 2 * 11 * 512 // 4
    assert path.stat().st_size > 5 * result
    assert peak < result + 3 * largest
    assert model.quantisation == "q4"


def test_progress_counts_all_bytes_and_can_stop_it(tmp_path):
    path = write_checkpoint(tmp_path)
    seen = []
    load(path, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 0

    class Enough(Exception):
        pass

    def stop(done, total):
        raise Enough

    with pytest.raises(Enough):
        load(path, progress=stop)
