import math

import numpy as np
import pytest

from moshi_tui.audio.levels import QUIETEST_DB, block_levels, measure


def test_each_block_has_its_own_level():
    pcm = np.repeat(np.float32([1.0, 0.1, 0.001]), 240)
    assert block_levels(pcm) == pytest.approx([0.0, -20.0, -60.0], abs=1e-4)


@pytest.mark.parametrize("count", [0, 1, 239, 240, 1919, 1920])
def test_only_whole_blocks_count(count):
    assert len(block_levels(np.ones(count, np.float32))) == count // 240


def test_the_block_can_have_another_length():
    pcm = np.repeat(np.float32([0.1, 1.0]), 100)
    assert block_levels(pcm, block=100) == pytest.approx([-20.0, 0.0], abs=1e-4)


@pytest.mark.parametrize("amplitude", [0.0, 1e-30, 1e-7])
def test_silence_and_what_is_below_it_have_a_number(amplitude):
    levels = block_levels(np.full(480, amplitude, np.float32))
    assert levels == [QUIETEST_DB] * 2 == [-120.0] * 2
    assert type(levels[0]) is float


def test_it_agrees_with_the_meter():
    pcm = np.random.default_rng(0).normal(0, 0.1, 1920).astype(np.float32)
    expected = [measure(pcm[at : at + 240]).rms_db for at in range(0, 1920, 240)]
    assert block_levels(pcm) == pytest.approx(expected, abs=1e-6)


def test_the_meter_knows_silence_and_full_scale():
    assert measure(np.zeros(0, np.float32)).rms_db == -math.inf
    assert measure(np.zeros(9, np.float32)).peak_db == -math.inf
    assert measure(np.ones(9, np.float32)).clipped
    assert not measure(np.full(9, 0.9, np.float32)).clipped
