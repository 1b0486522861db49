import json
import logging

import pytest

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model.config import MOSHI_7B, SUPPORTED, LmConfig, gating_hidden
from tests.model.small import CONFIG


def test_the_built_in_7b():
    assert MOSHI_7B.delays == (0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1)
    assert gating_hidden(4096, MOSHI_7B.dim_feedforward, torch_naming=False) == 11264
    assert gating_hidden(1024, MOSHI_7B.depformer_dim_feedforward, torch_naming=True) == 2816
    assert LmConfig.from_dict({}) == MOSHI_7B


@pytest.mark.parametrize("key", sorted(SUPPORTED))
def test_every_key_that_asks_for_more_is_refused_by_name(key):
    with pytest.raises(MoshiTuiError, match=rf"\b{key} = ") as caught:
        LmConfig.from_dict(CONFIG | {key: "other"})
    assert caught.value.hint


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"cross_attention": True}, "cross_attention"),
        ({"demux_second_stream": True}, "demux_second_stream"),
        ({"norm": "layer_norm"}, "norm"),
        ({"fuser": {"cross": ["speaker"]}}, "fuser.cross"),
        ({"fuser": {"prepend": ["speaker"]}}, "fuser.prepend"),
        ({"conditioners": {"speaker": {"type": "tensor"}}}, "conditioners.speaker.type"),
        ({"text_card_out": 5}, "text_card_out"),
        ({"dep_q": 0}, "dep_q"),
        ({"dep_q": 8}, "dep_q"),
        ({"dim": "big"}, "dim"),
        ({"delays": [0, 1]}, "delays"),
        ({"num_heads": 7}, "num_heads"),
        ({"depformer_weights_per_step_schedule": [0, 1]}, "depformer_weights_per_step_schedule"),
    ],
)
def test_refused_values(change, key):
    with pytest.raises(MoshiTuiError) as caught:
        LmConfig.from_dict(CONFIG | change)
    assert f": {key} = " in caught.value.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("delays", v) for v in (None, 1, "x", ["a"], [0.5])],
        *[("depformer_weights_per_step_schedule", v) for v in (3, "x", ["a"])],
        *[("norm", v) for v in ([], {}, 1)],
        *[("conditioners", v) for v in ([], "x", 3)],
        *[("fuser", v) for v in ([], "x")],
        *[("lm_gen_config", v) for v in ("x", [], 3)],
        *[("hidden_scale", v) for v in ("x", None, 0)],
        *[("max_period", v) for v in ("x", None, 0)],
        *[("depformer_low_rank_embeddings", v) for v in ("8", 2.5, 0)],
        *[("context", v) for v in (10**12, True, 0, None)],
        *[("text_card", v) for v in (10**12, "many")],
    ],
)
def test_values_of_the_wrong_kind_are_named(key, value):
    with pytest.raises(MoshiTuiError, match=rf": {key} = "):
        LmConfig.from_dict(CONFIG | {key: value})


@pytest.mark.parametrize(
    "change",
    [
        {"conditioners": {"a": None}},
        {"conditioners": {"a": {"type": "lut"}}},
        {"conditioners": {"a": {"type": "lut", "lut": {"possible_values": ["x"], "dim": 4}}}},
        {
            "conditioners": {
                "a": {"type": "lut", "lut": {"possible_values": ["x", "y"], "dim": 4, "n_bins": 1}}
            }
        },
        {"fuser": {"sum": 3}},
        {"lm_gen_config": {"temp": -1}},
        {"lm_gen_config": {"top_k": None}},
        {"dim": 12, "num_heads": 4},
    ],
)
def test_values_inside_values_are_checked_too(change):
    with pytest.raises(MoshiTuiError, match="not supported"):
        LmConfig.from_dict(CONFIG | change)


def test_names_of_files_and_empty_fusers_are_fine(caplog):
    config = LmConfig.from_dict(
        CONFIG
        | {
            "moshi_name": "model.safetensors",
            "model_type": "moshi",
            "cross_attention": [],
            "fuser": {"sum": [], "cross": [], "prepend": []},
            "lm_gen_config": {"temp": 0.5},
        }
    )
    assert config.lm_gen_config == {"temp": 0.5}
    assert not caplog.records


def test_unknown_keys_are_logged(caplog):
    with caplog.at_level(logging.WARNING):
        LmConfig.from_dict(CONFIG | {"flux_capacitor": 1})
    assert "flux_capacitor" in caplog.text


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "[" * 100_000])
def test_broken_file(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(MoshiTuiError, match=r"config\.json"):
        LmConfig.from_file(path)


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(MoshiTuiError, match="Cannot read"):
        LmConfig.from_file(tmp_path / "config.json")


def test_reads_what_kyutai_writes(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG | {"hidden_scale": 4.125}))
    config = LmConfig.from_file(path)
    assert config.n_user == 4
    assert config.depformer_dim_feedforward == 264
