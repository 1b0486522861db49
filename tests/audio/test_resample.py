import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moshi_tui.audio.resample import Resampler

RATES = [(48_000, 24_000), (44_100, 24_000), (16_000, 24_000), (24_000, 48_000), (24_000, 44_100)]


def tone(hertz, rate, count):
    return np.sin(2 * np.pi * hertz * np.arange(count) / rate).astype(np.float32)


def convert(pcm, rates, sizes):
    resampler = Resampler(*rates)
    out, at = [], 0
    for size in sizes:
        out.append(resampler.process(pcm[at : at + size]))
        at += size
    out += [resampler.process(pcm[at:]), resampler.flush()]
    return np.concatenate(out)


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("hertz", [100, 1000, 6500])
def test_a_tone_keeps_its_shape_and_its_place(rates, hertz):
    seconds = 0.5
    out = convert(tone(hertz, rates[0], round(rates[0] * seconds)), rates, [])
    assert len(out) == round(rates[1] * seconds)
    error = (out - tone(hertz, rates[1], len(out)))[500:-500]
    assert np.abs(error).max() < 3e-4


@pytest.mark.parametrize("hertz", [12_100, 13_000, 17_000, 23_000])
def test_what_24_khz_cannot_hold_is_removed(hertz):
    out = convert(tone(hertz, 48_000, 24_000), (48_000, 24_000), [])
    assert np.abs(out[500:-500]).max() < 3e-4


@pytest.mark.parametrize("rates", RATES)
def test_it_holds_back_its_delay_and_no_more(rates):
    resampler = Resampler(*rates)
    out = resampler.process(np.zeros(rates[0], np.float32))
    held = 1 - len(out) / rates[1]
    assert held == pytest.approx(resampler.delay_s, abs=1 / min(rates))
    assert resampler.delay_s < 0.003


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(RATES), st.lists(st.integers(0, 900), max_size=30))
def test_the_blocks_make_no_difference(rates, sizes):
    pcm = np.random.default_rng(0).standard_normal(10_007).astype(np.float32)
    assert np.array_equal(convert(pcm, rates, sizes), convert(pcm, rates, []))


def test_equal_rates_pass_through():
    resampler = Resampler(24_000, 24_000)
    pcm = tone(440, 24_000, 100)
    assert resampler.process(pcm) is pcm
    assert len(resampler.flush()) == 0
    assert resampler.delay_s == 0


@pytest.mark.parametrize("rates", RATES)
def test_after_a_reset_it_is_as_new(rates):
    resampler = Resampler(*rates)
    resampler.process(np.ones(1234, np.float32))
    resampler.reset()
    pcm = tone(440, rates[0], 2000)
    heard = np.concatenate((resampler.process(pcm), resampler.flush()))
    assert np.array_equal(heard, convert(pcm, rates, []))


def test_a_rate_of_zero_is_refused():
    with pytest.raises(ValueError, match="0"):
        Resampler(0, 24_000)
