import numpy as np
import pytest

from moshi_tui.audio.stamps import JUMP_SECONDS, Stamps

RATE = 24_000
BLOCK = 240
STATED = 0.03


def microphone():
    return Stamps(RATE, STATED, recording=True)


def speaker():
    return Stamps(RATE, STATED, recording=False)


def run(stamps, blocks, *, latency=0.02, start=100.0, late=lambda i: 0.0, first=0):
    """So many callbacks of 10 ms; the device's latency shrinks as the callback comes late."""
    for i in range(first, first + blocks):
        behind = late(i)
        now = start + i * BLOCK / RATE + behind
        stamps.note((i + 1) * BLOCK, BLOCK, now, latency(i) if callable(latency) else latency)


def error(stamps, latency, start=100.0):
    """How far the newest stamp is from where a steady device would put it."""
    position, at = stamps.newest
    return at - (start + latency + position / RATE)


def test_there_is_none_before_the_first_callback():
    assert speaker().newest is None
    assert speaker().latency_s == STATED


def test_a_speaker_plays_the_next_sample_when_the_block_is_over():
    stamps = speaker()
    stamps.note(240, BLOCK, 100.0, 0.02)
    position, at = stamps.newest
    assert position == 240
    assert at == pytest.approx(100.0 + 0.02 + 0.01)
    assert stamps.latency_s == 0.02


def test_a_microphone_hears_the_next_sample_when_the_block_is_over():
    stamps = microphone()
    stamps.note(240, BLOCK, 100.0, 0.025)
    position, at = stamps.newest
    assert position == 240
    assert at == pytest.approx(100.0 - 0.025 + 0.01)


@pytest.mark.parametrize("told", [0.0, 0.002])
def test_a_block_cannot_come_before_it_was_spoken(told):
    stamps = microphone()
    stamps.note(240, BLOCK, 100.0, told)
    assert stamps.newest[1] == pytest.approx(100.0)
    assert stamps.latency_s == pytest.approx(0.01)


@pytest.mark.parametrize("told", [-0.1, 1.5, -1.8e9, 1.8e9, float("nan"), float("inf")])
@pytest.mark.parametrize(("make", "sign"), [(speaker, 1), (microphone, -1)])
def test_what_cannot_be_is_replaced_by_what_the_system_states(make, sign, told):
    stamps = make()
    stamps.note(240, BLOCK, 100.0, told)
    assert stamps.newest[1] == pytest.approx(100.0 + sign * STATED + 0.01)
    assert stamps.latency_s == STATED


def test_late_callbacks_do_not_move_the_sound():
    random = np.random.default_rng(0)
    late = random.uniform(0, 0.008, 500)
    stamps = speaker()
    run(stamps, 500, late=lambda i: late[i], latency=lambda i: 0.02 - late[i])
    assert error(stamps, 0.02) == pytest.approx(0, abs=1e-6)


def test_one_wild_time_hardly_counts():
    stamps = speaker()
    run(stamps, 50)
    run(stamps, 1, latency=0.06, first=50)
    assert 0 < error(stamps, 0.02) < 0.003
    run(stamps, 50, first=51)
    assert error(stamps, 0.02) == pytest.approx(0, abs=2e-4)


def test_a_lasting_change_is_followed():
    stamps = speaker()
    run(stamps, 50)
    run(stamps, 50, latency=0.05, first=50)
    assert error(stamps, 0.05) == pytest.approx(0, abs=0.002)
    assert stamps.latency_s == pytest.approx(0.05, abs=0.002)


def test_a_device_that_stood_still_is_followed_at_once():
    stamps = speaker()
    run(stamps, 50)
    gap = JUMP_SECONDS + 0.05
    run(stamps, 1, first=50, late=lambda i: gap)
    assert error(stamps, 0.02) == pytest.approx(gap)


def test_a_dry_ring_stands_still_while_time_goes_on():
    stamps = speaker()
    for i in range(100):
        stamps.note(240, BLOCK, 100.0 + 0.01 * i, 0.02)
    assert stamps.newest == (240, pytest.approx(101.0 + 0.02))


def test_a_clock_that_runs_a_little_fast_is_followed():
    stamps = speaker()
    slow = 1 + 200e-6
    for i in range(60_000):  # ten minutes
        stamps.note((i + 1) * BLOCK, BLOCK, 100.0 + 0.01 * i * slow, 0.02)
    assert stamps.newest[1] == pytest.approx(100.0 + 600 * slow + 0.02, abs=1e-4)


def noisy(blocks):
    """How much older than it is a block is told to be: as seen under PulseAudio."""
    random = np.random.default_rng(3)
    wander = 0.012 * (1 + np.sin(np.arange(blocks) / 300)) / 2
    leaps = np.where(random.random(blocks) < 0.01, 0.04, 0.0)
    return wander + random.exponential(0.002, blocks) + leaps


def test_of_a_microphone_the_latest_moments_are_believed():
    stamps = microphone()
    told = 0.012 + noisy(4000)
    off = []
    for i in range(4000):
        run(stamps, 1, latency=told[i], first=i)
        off.append(error(stamps, -0.012))
    assert max(off) < 0.001
    assert min(off) > -0.012  # as it began
    assert min(off[1500:]) > -0.005
    assert stamps.latency_s == pytest.approx(0.012, abs=0.005)


def test_a_microphone_that_has_lost_sound_is_followed():
    stamps = microphone()
    run(stamps, 200)
    run(stamps, 100, first=200, late=lambda i: 0.06)  # 60 ms fewer samples than time has passed
    assert error(stamps, -0.02) == pytest.approx(0.06, abs=0.035)
    run(stamps, 150, first=300, late=lambda i: 0.06)
    assert error(stamps, -0.02) == pytest.approx(0.06, abs=0.004)


def test_a_microphone_that_is_earlier_for_good_is_followed_after_a_while():
    stamps = microphone()
    run(stamps, 200, latency=0.02)
    run(stamps, 100, first=200, latency=0.09)
    assert error(stamps, -0.02) == pytest.approx(0, abs=0.002)
    run(stamps, 150, first=300, latency=0.09)
    assert error(stamps, -0.09) == pytest.approx(0, abs=0.002)


@pytest.mark.parametrize("drift", [-150e-6, 150e-6])
def test_a_microphone_whose_clock_drifts_is_followed(drift):
    stamps = microphone()
    told = noisy(30_000)
    for i in range(30_000):
        stamps.note((i + 1) * BLOCK, BLOCK, 100.0 + 0.01 * i * (1 + drift), 0.012 + told[i])
    assert stamps.newest[1] - (100.0 + 300 * (1 + drift) - 0.012) == pytest.approx(0, abs=0.008)
