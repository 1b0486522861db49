from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from moshi_tui.demo.checkpoint import demo_config
from moshi_tui.model import Generator
from moshi_tui.model.config import MOSHI_7B, LmConfig
from moshi_tui.model.device import report
from moshi_tui.model.layers import named_parameters
from moshi_tui.model.random_weights import need, random_model, time_steps
from moshi_tui.model.shapes import HIBIKI_1B, HIBIKI_2B

SMALL = LmConfig.from_dict({**demo_config(), "context": 20})


@pytest.mark.parametrize(("bits", "name"), [(4, "q4"), (8, "q8"), (None, "f32")])
def test_a_random_model_steps_and_weighs_what_was_said(bits: int | None, name: str) -> None:
    model = random_model(SMALL, bits)
    assert model.quantisation == name
    assert sum(a.nbytes for a in named_parameters(model).values()) == need(SMALL, bits).weights
    step = Generator(model, seed=1).step(np.zeros(SMALL.n_user, dtype=np.int64))
    assert 0 <= step.text_token < SMALL.text_card


def test_numbers_stay_in_range() -> None:
    model = random_model(SMALL, 4)
    x = model.transformer(mx.ones((1, 1, SMALL.dim)), model.make_state().caches)
    assert 0.01 < float(mx.abs(x).mean()) < 100


def test_the_full_context_is_timed() -> None:
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            self.now += 1.0
            return self.now

    model = random_model(SMALL, 8)
    enough = time_steps(model, seconds=0, at_least=3, limit_s=1000, clock=Clock())
    assert enough == [1000.0] * 3
    assert len(time_steps(model, seconds=1000, at_least=3, limit_s=0, clock=Clock())) == 1


def test_the_need_of_moshi_7b_is_that_of_kyutais_files() -> None:
    size = 4 if report().backend == "CPU" else 2
    assert need(MOSHI_7B, None).weights / size == pytest.approx(15.38e9 / 2, rel=0.001)
    assert need(MOSHI_7B, None).context == 3000 * 512 * 1024 * size // 2
    if size == 2:
        assert need(MOSHI_7B, 4).weights == pytest.approx(4.81e9, rel=0.001)


def test_hibikis_shapes_have_the_parameters_that_kyutai_names() -> None:
    size = 4 if report().backend == "CPU" else 2
    assert need(HIBIKI_1B, None).weights / size == pytest.approx(1.7e9, rel=0.1)
    # 2.7 billion, and those that slices share are counted for each slice.
    assert need(HIBIKI_2B, None).weights / size == pytest.approx(3.1e9, rel=0.02)


def test_the_device_is_reported() -> None:
    found = report()
    assert found.name
    assert found.backend in ("Metal", "CUDA", "CPU")
