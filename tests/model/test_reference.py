from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest

from moshi_tui.demo.checkpoint import demo_config
from moshi_tui.errors import MoshiTuiError
from moshi_tui.model.config import LmConfig
from moshi_tui.model.layers import named_parameters
from moshi_tui.model.random_weights import random_model
from moshi_tui.model.reference import Reference, as_json, no_cache_limit
from moshi_tui.model.shapes import HIBIKI_2B, SHAPES
from moshi_tui.model.timing import user_codes

SMALL = LmConfig.from_dict(
    {**demo_config(), "context": 20, "dep_q": 4, "n_q": 12, "delays": [0] * 13}
)
LOW_RANK = replace(
    HIBIKI_2B,
    dim=64,
    num_layers=1,
    num_heads=4,
    context=40,
    text_card=50,
    depformer_dim=64,
    depformer_dim_feedforward=96,
    depformer_num_layers=1,
    depformer_num_heads=4,
    depformer_low_rank_embeddings=32,
)
installed = pytest.mark.skipif(
    importlib.util.find_spec("moshi_mlx") is None,
    reason="moshi_mlx is not installed: pip install --no-deps moshi_mlx==0.3.0",
)


def test_without_it_the_way_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moshi_mlx", None)
    monkeypatch.setitem(sys.modules, "moshi_mlx.models", None)
    with pytest.raises(MoshiTuiError, match="pip install --no-deps moshi_mlx"):
        Reference(random_model(SMALL, None), seed=1)


@pytest.mark.parametrize("config", [*SHAPES.values(), LOW_RANK])
def test_a_config_survives_its_json(config: LmConfig) -> None:
    # The reference reads one width only, that of hidden_scale 4.125.
    assert LmConfig.from_dict(as_json(config)) == config


def test_the_limit_of_the_cache_is_lifted_for_a_while_only() -> None:
    before = mx.set_cache_limit(1000)
    try:
        with no_cache_limit():
            assert mx.set_cache_limit(1 << 42) > 1 << 40
        assert mx.set_cache_limit(1000) == 1000
    finally:
        mx.set_cache_limit(before)


@installed
@pytest.mark.parametrize(("config", "bits"), [(SMALL, None), (SMALL, 4), (LOW_RANK, None)])
def test_it_steps_on_our_own_arrays(config: LmConfig, bits: int | None) -> None:
    model = random_model(config, bits)
    reference = Reference(model, seed=1)
    theirs = named_parameters(reference._lm)
    ours = named_parameters(model)
    assert theirs.keys() == ours.keys()
    assert all(np.array_equal(np.array(theirs[name]), np.array(ours[name])) for name in ours)
    for place in (50, 255, 600):
        reference.seek(place)
        for codes in user_codes(model, 3, seed=1):
            reference.step(codes)
        assert reference._lm.transformer_cache[0].self_attn.offset == place + 3


@installed
def test_what_it_can_not_run_is_refused() -> None:
    with pytest.raises(MoshiTuiError, match="low-rank"):
        Reference(random_model(LOW_RANK, 4), seed=1)
    long = replace(SMALL, context=4000)
    with pytest.raises(MoshiTuiError, match="4096"):
        Reference(random_model(long, None), seed=1)
