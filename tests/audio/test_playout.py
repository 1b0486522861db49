import numpy as np
import pytest

from moshi_tui.audio.playout import FADE_SECONDS, Playout
from moshi_tui.audio.ring import Ring

RATE = 24_000
BLOCK = 240
STEP = 1.5 / (FADE_SECONDS * RATE)  # a fade's step, and a little


@pytest.fixture
def playout():
    return Playout(Ring(RATE, overwrite=False), RATE)


def listen(playout, blocks, size=BLOCK):
    out = np.full((blocks, size), np.nan, np.float32)
    for block in out:
        playout.fill(block)
    return out.ravel()


def loud(count):
    return np.full(count, 0.9, np.float32)


def test_silence_before_the_first_sound_is_no_underrun(playout):
    assert not listen(playout, 3).any()
    assert playout.underruns == 0
    assert playout.idle


def test_sound_passes_unchanged_after_its_fade_in(playout):
    playout.ring.push(loud(10 * BLOCK))
    heard = listen(playout, 10)
    assert np.all(heard[120:] == np.float32(0.9))
    assert np.all(np.diff(heard[:121]) > 0)
    assert playout.underruns == 0


@pytest.mark.parametrize("size", [32, 100, 240, 480])
def test_a_dry_spell_fades_out_and_in_and_counts_once(playout, size):
    playout.ring.push(loud(1000))
    first = listen(playout, -(-1500 // size), size)
    playout.ring.push(loud(1000))
    heard = np.concatenate((first, listen(playout, -(-2000 // size), size)))
    assert np.abs(np.diff(heard, prepend=0)).max() < STEP
    assert np.isfinite(heard).all()
    assert np.count_nonzero(heard == np.float32(0.9)) >= 1000 + 1000 - 2 * 120
    assert playout.underruns == 2  # the end of each push
    assert playout.idle


def test_sound_that_returns_during_the_decay_does_not_click(playout):
    playout.ring.push(loud(200))
    first = listen(playout, 4, 64)  # dry within the fourth block
    playout.ring.push(loud(1000))
    heard = np.concatenate((first, listen(playout, 10, 64)))
    assert np.abs(np.diff(heard, prepend=0)).max() < STEP
    assert playout.underruns == 1


def test_a_flush_fades_and_is_no_underrun(playout):
    playout.ring.push(loud(5000))
    first = listen(playout, 4)
    playout.ring.flush()
    second = listen(playout, 4)
    assert np.abs(np.diff(np.concatenate((first, second)))).max() < STEP
    assert not second[120:].any()
    assert playout.underruns == 0


def test_a_flush_with_sound_behind_it_is_bridged(playout):
    playout.ring.push(loud(5000))
    first = listen(playout, 4)
    playout.ring.flush()
    playout.ring.push(-loud(5000))
    heard = np.concatenate((first, listen(playout, 4)))
    assert np.abs(np.diff(heard)).max() < 2 * STEP
    assert heard[-1] == np.float32(-0.9)
    assert playout.underruns == 0


def test_the_end_is_no_underrun(playout):
    playout.ring.push(loud(500))
    playout.ending = True
    listen(playout, 4)
    assert playout.underruns == 0
    assert playout.idle


def test_the_length_of_the_gaps_is_counted():
    ring = Ring(1000, overwrite=False)
    playout = Playout(ring, 1000)
    out = np.zeros(10, np.float32)
    playout.fill(out)
    assert playout.gap == 0  # before the first sound it is no gap
    ring.push(np.ones(15, np.float32))
    for expected in (0, 5, 15):
        playout.fill(out)
        assert playout.gap == expected
    ring.push(np.ones(10, np.float32))
    playout.fill(out)
    ring.push(np.ones(5, np.float32))
    ring.flush()
    for _ in range(3):
        playout.fill(out)
    assert playout.gap == 15  # nor after a flush
    ring.push(np.ones(5, np.float32))
    playout.ending = True
    playout.fill(out)
    assert playout.gap == 15
    assert playout.underruns == 1


def test_after_standing_still_sound_is_faded_in():
    ring = Ring(10_000, overwrite=False)
    playout = Playout(ring, 1000)
    out = np.zeros(10, np.float32)
    playout.stood_still(500)
    assert playout.underruns == 0  # nothing was playing
    ring.push(np.ones(100, np.float32))
    playout.fill(out)
    playout.fill(out)
    assert out.min() == 1.0
    playout.stood_still(500)
    assert (playout.underruns, playout.gap) == (1, 500)
    playout.fill(out)
    assert out[0] == 0.0
    assert np.all(np.diff(out) >= 0)
    assert out[-1] == 1.0
