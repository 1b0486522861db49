import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moshi_tui.recording.timeline import FADE, LATE, MARGIN, PIECE, TOLERANCE, Timeline, Track

BLOCK = 1920


def tone(start, length, rate=24_000.0):
    return (0.5 * np.sin(2 * np.pi * 440 * (start + np.arange(length)) / rate)).astype(np.float32)


def steps(pcm):
    return float(np.abs(np.diff(pcm)).max())


def test_samples_that_are_no_numbers_are_silent():
    timeline = Timeline()
    wild = np.full(BLOCK, 0.5, np.float32)
    wild[1000:1003] = np.nan, np.inf, -np.inf
    for track in (timeline.user, timeline.moshi):
        track.place(0, wild)
        track.place(BLOCK, np.full(BLOCK, 0.5, np.float32))
    mixed = timeline.mix(2 * BLOCK)
    assert not mixed[1000:1003].any()
    assert (mixed[1003:] > 16_000).all()
    assert np.isnan(wild[1000])  # it is the caller's


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-TOLERANCE / 4, TOLERANCE / 4), min_size=20, max_size=60))
def test_jitter_leaves_no_seam_and_no_drift(jitter):
    track = Track()
    for number, off in enumerate(jitter):
        track.place(BLOCK * (number + 1) + off, tone(BLOCK * number, BLOCK))
    assert abs(track.end - BLOCK * (len(jitter) + 1)) <= TOLERANCE
    sound = track.read(BLOCK // 2, track.end + FADE)
    assert steps(sound) < 0.12  # of the tone itself: 0.058


@pytest.mark.parametrize("parts_per_million", [-300, -50, 50, 300])
def test_a_sound_card_whose_clock_drifts_stays_aligned(parts_per_million):
    track = Track()
    period = BLOCK * (1 + parts_per_million / 1e6)
    rng = np.random.default_rng(1)
    worst = 0.0
    for number in range(20_000):  # 27 minutes
        track.place(period * number + rng.normal(0, 20), np.ones(BLOCK, np.float32))
        worst = max(worst, abs(track.end - period * (number + 1)))
        track.forget(track.end - BLOCK)
    assert worst < 120  # 5 ms
    assert (track.read(track.end - BLOCK, track.end) == 1).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-1500, 30_000), min_size=1, max_size=30))
def test_gaps_are_silence_and_overlaps_are_resolved(gaps):
    track = Track()
    at = 1000
    placed = []
    for gap in gaps:
        at += gap
        track.place(at, np.ones(BLOCK, np.float32))
        placed.append((at, at + BLOCK))
        at += BLOCK
    sound = track.read(0, track.end + 4000)
    assert sound.min() >= 0
    assert sound.max() <= 1
    assert steps(sound) < 0.02
    end = 0
    for first, last in placed:
        assert not sound[end + TOLERANCE + FADE : max(0, first - TOLERANCE)].any()
        end = max(end, last)


def test_a_block_stands_where_it_was_heard():
    track = Track()
    track.place(500, np.ones(BLOCK, np.float32))
    track.place(500 + BLOCK + 3 * TOLERANCE, np.ones(BLOCK, np.float32))
    sound = track.read(0, 500 + 3 * BLOCK)
    assert not sound[:500].any()
    assert (sound[500 + FADE : 500 + BLOCK] == 1).all()
    second = 500 + BLOCK + 3 * TOLERANCE
    assert not sound[500 + BLOCK + FADE : second].any()
    assert (sound[second + FADE : second + BLOCK] == 1).all()


def test_what_is_cut_is_not_heard_and_leaves_no_click():
    track = Track()
    for number in range(4):
        track.place(BLOCK * number, np.ones(BLOCK, np.float32))
    track.cut(BLOCK + 100.4)
    assert track.end == BLOCK + 100
    sound = track.read(0, 4 * BLOCK)
    assert (sound[FADE : BLOCK + 100] == 1).all()
    assert steps(sound) < 0.02
    assert not sound[BLOCK + 100 + FADE :].any()
    track.place(BLOCK + 150, np.full(500, 0.5, np.float32))
    assert steps(track.read(FADE, BLOCK + 500)) < 0.02
    track.place(2 * BLOCK, np.full(BLOCK, 0.5, np.float32))
    assert track.read(2 * BLOCK + FADE, 3 * BLOCK).min() == 0.5


def test_what_begins_with_silence_is_put_where_it_belongs():
    track = Track()
    track.place(0, np.ones(BLOCK, np.float32))
    late = np.concatenate((np.zeros(480, np.float32), np.ones(BLOCK, np.float32)))
    track.place(BLOCK + 0.8 * TOLERANCE, late)
    assert track.end == round(BLOCK + 0.8 * TOLERANCE) + len(late)


def test_later_news_are_better():
    track = Track()
    track.place(0, np.ones(2 * BLOCK, np.float32))
    track.place(BLOCK, np.full(BLOCK // 2, 0.5, np.float32))
    sound = track.read(0, 2 * BLOCK)
    assert (sound[FADE:BLOCK] == 1).all()
    assert (sound[BLOCK + FADE : BLOCK + BLOCK // 2] == 0.5).all()
    assert not sound[BLOCK + BLOCK // 2 + FADE :].any()
    assert steps(sound) < 0.02


def test_what_was_before_the_beginning_is_left_out():
    track = Track()
    track.place(-BLOCK / 2, np.ones(BLOCK, np.float32))
    assert (track.read(FADE, BLOCK // 2) == 1).all()
    assert track.end == BLOCK // 2


def test_the_users_sound_may_come_late():
    timeline = Timeline()
    timeline.user.place(0, np.full(BLOCK, 0.5, np.float32))
    first = timeline.mix(4 * BLOCK)
    assert not first[BLOCK + FADE :, 0].any()
    timeline.settle(4 * BLOCK, 4 * BLOCK)
    assert timeline.settled == BLOCK
    timeline.user.place(BLOCK, np.full(3 * BLOCK, 0.5, np.float32))
    again = timeline.mix(4 * BLOCK)
    assert (again[:, 0] == 16384).all()


def test_a_user_who_does_not_come_holds_nothing_up_for_long():
    timeline = Timeline()
    timeline.settle(10 * LATE, 10 * LATE)
    assert timeline.settled == 9 * LATE


def test_a_standstill_is_mixed_in_pieces():
    timeline = Timeline()
    now, pieces = 100 * PIECE + 5, 0
    while (stop := timeline.stop(now)) < now:
        assert 0 < len(timeline.mix(stop)) <= PIECE
        timeline.settle(now, stop)
        assert timeline.settled <= stop
        pieces += 1
    assert pieces <= 101
    assert timeline.settled >= now - PIECE


def test_moshis_next_moment_may_still_change():
    timeline = Timeline()
    timeline.user.place(0, np.zeros(20 * BLOCK, np.float32))
    timeline.moshi.place(0, np.ones(20 * BLOCK, np.float32))
    timeline.settle(10 * BLOCK, 10 * BLOCK)
    assert timeline.settled == 10 * BLOCK - MARGIN
    timeline.moshi.cut(10 * BLOCK)
    assert not timeline.mix(20 * BLOCK)[MARGIN + FADE :, 1].any()


def test_too_loud_is_clipped():
    timeline = Timeline()
    timeline.user.place(0, np.full(BLOCK, 3.0, np.float32))
    timeline.moshi.place(0, np.full(BLOCK, -3.0, np.float32))
    assert (timeline.mix(BLOCK)[FADE:] == [32767, -32767]).all()


def test_memory_stays_flat():
    timeline = Timeline()
    for number in range(5000):
        timeline.user.place(BLOCK * number, np.ones(BLOCK, np.float32))
        timeline.moshi.place(BLOCK * number + 2400, np.ones(BLOCK, np.float32))
        timeline.settle(BLOCK * (number + 1), BLOCK * (number + 1))
    assert len(timeline.user._blocks) < 10
    assert len(timeline.moshi._blocks) < 10
