import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.session.volume import Volume, limited

RANDOM = np.random.default_rng(0)


def voice(peak=0.5, count=1920):
    at = np.arange(count) / 24_000
    return (peak * np.sin(2 * np.pi * 200 * at)).astype(np.float32)


def test_at_0_db_sound_passes_as_it_is():
    pcm = voice(1.2)
    assert Volume().apply(pcm) is pcm


@pytest.mark.parametrize("db", [-39, -12, 3, 6])
def test_soft_sound_gets_the_gain(db):
    volume = Volume(db)
    pcm = voice(0.1)
    assert np.allclose(volume.apply(pcm), pcm * 10 ** (db / 20), atol=1e-6)


def test_at_the_lower_end_nothing_is_heard():
    volume = Volume(-40)
    assert not volume.apply(voice()).any()
    volume.db = 0.0
    assert volume.apply(voice()).any()


def test_there_are_limits():
    assert [limited(db) for db in (-99, -40, 0, 12, 99)] == [-40, -40, 0, 12, 12]


@pytest.mark.parametrize(("before", "after"), [(0, 12), (12, 0), (0, -40), (-40, 12), (0, 0.5)])
def test_a_change_makes_no_click(before, after):
    pcm = voice(0.9, 5 * 1920)
    volume = Volume(before)
    parts = []
    for number, part in enumerate(np.split(pcm, 5)):
        volume.db = after if number >= 2 else before
        parts.append(volume.apply(part))
    heard = np.concatenate(parts)
    loudest = 10 ** (max(before, after, 0) / 20)
    steepest = np.abs(np.diff(pcm)).max() * loudest
    assert np.abs(np.diff(heard)).max() < 1.1 * steepest
    bends = np.abs(np.diff(heard, 2))
    assert bends.max() < 0.1 * loudest


@given(st.floats(-60, 30), st.floats(-60, 30), st.floats(0, 4))
def test_louder_never_clips(before, after, peak):
    volume = Volume(limited(before))
    volume.db = limited(after)
    pcm = (peak * RANDOM.uniform(-1, 1, 500)).astype(np.float32)
    heard = volume.apply(pcm)
    assert np.isfinite(heard).all()
    assert heard.shape == pcm.shape
    assert np.abs(heard).max() <= max(1.0, peak) + 1e-6
    if min(volume.db, limited(before)) > 3:
        assert np.abs(heard).max() <= 1.0
    assert np.all(heard * pcm >= 0)


def test_louder_stays_in_order():
    volume = Volume(12)
    heard = volume.apply(np.linspace(0, 1, 1000, dtype=np.float32))
    assert np.all(np.diff(heard) >= -1e-6)
    assert heard[-1] > 0.95


def test_nothing_has_no_volume():
    volume = Volume(6)
    assert len(volume.apply(np.zeros(0, np.float32))) == 0
