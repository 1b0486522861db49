"""The simulator's laws of conservation, for every policy."""

import numpy as np
import pytest

from moshi_tui.bench.command import POLICIES
from moshi_tui.bench.figures import figures, lags
from moshi_tui.bench.machine import simulate
from moshi_tui.bench.ours import OURS
from moshi_tui.bench.policies import CLI, NONE, NOTHING, WEB
from moshi_tui.bench.scenarios import Pace, Scenario, Stall
from moshi_tui.frames import FRAME_SAMPLES

STORIES = [
    Scenario("steady", "", 8.0),
    Scenario("stall", "", 16.0, stalls=(Stall(5.0, 2.0),)),
    Scenario("freeze", "", 16.0, stalls=(Stall(5.0, 2.0, whole=True),)),
    Scenario("slow", "", 10.0, 0.1, 0.1),
    Scenario("jitter", "", 16.0, 0.03, 0.13),
]
STORY = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
POLICY = pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)


@STORY
@POLICY
def test_every_captured_frame_is_stepped_shed_or_on_its_way(talk, story, policy):
    trace = simulate(talk, story, policy)
    everywhere = [*trace.stepped, *trace.shed, *trace.waiting]
    assert trace.captured == round(story.seconds / 0.08) - 1
    assert sorted(everywhere) == list(range(trace.captured))
    assert (np.diff(trace.stepped) > 0).all()


@STORY
@POLICY
def test_every_sample_of_moshi_is_played_cut_or_still_queued(talk, story, policy):
    trace = simulate(talk, story, policy)
    played = trace.source[trace.source != NOTHING]
    assert (np.diff(played) >= (0 if policy is not OURS else -FRAME_SAMPLES)).all()
    seen = np.zeros(trace.decoded * FRAME_SAMPLES, np.int8)
    seen[played] = 1
    seen[trace.queue.waiting()] = 1
    for start, stop in trace.queue.cuts:
        assert not seen[start:stop].any()
        seen[start:stop] = 1
    missing = np.count_nonzero(seen == 0)
    if trace.queue.gained_ms == 0:
        assert missing == 0
    else:  # faster: single samples are passed over, never two
        assert missing == pytest.approx(trace.queue.gained_ms * 24, abs=1 + 0.02 * len(seen))


@POLICY
def test_the_same_again_gives_the_same(talk, policy):
    story = STORIES[4]
    one, two = simulate(talk, story, policy, 3), simulate(talk, story, policy, 3)
    assert np.array_equal(one.source, two.source)
    assert np.array_equal(one.played, two.played)
    assert one.shed == two.shed
    assert not np.array_equal(one.source, simulate(talk, story, policy, 4).source)


def test_a_steady_lag_is_the_sum_of_its_parts(talk):
    trace = simulate(talk, STORIES[0], NONE)
    lag = lags(trace).lag_ms
    # Two devices of 20 ms, encode 8, step 55, decode 8, and up to 10 to the next block.
    assert 111 <= lag.min() <= lag.max() <= 121
    assert np.ptp(lag) < 0.1


@pytest.mark.parametrize("story", STORIES[1:3], ids=lambda story: story.name)
def test_the_references_lag_grows_by_the_stall_for_ever(talk, story):
    found = figures(talk, simulate(talk, story, NONE), story)
    assert found.change == pytest.approx(2_000, abs=10)
    assert found.final - found.before == pytest.approx(2_000, abs=10)
    assert found.user_lost == found.moshi_lost == found.shed == 0


def test_steps_of_100_ms_cost_the_reference_20_ms_a_frame(talk):
    trace = simulate(talk, STORIES[3], NONE)
    lag = lags(trace).lag_ms
    assert (lag[-1] - lag[0]) / (len(lag) - 1) == pytest.approx(20, abs=0.2)


def test_a_stalled_web_client_drops_what_came_too_late_and_cli_keeps_half_a_second(talk):
    story = Scenario("stall", "", 16.0, stalls=(Stall(5.0, 2.0),))
    web = figures(talk, simulate(talk, story, WEB), story)
    assert 1_700 < web.moshi_cut < 2_000
    assert web.moshi_lost > 0
    cli = simulate(talk, story, CLI)
    assert cli.queue.gained_ms > 1_400
    assert cli.queue.cuts == []


def test_ours_is_back_soon_after_a_stall_and_loses_nothing_when_the_user_is_silent(silent_user):
    talk = silent_user(250)
    found = figures(talk, simulate(talk, STORIES[1], OURS), STORIES[1])
    assert found.user_lost == 0
    assert found.shed_silent == 100
    assert abs(found.change) <= 80


def test_work_in_hand_is_finished_after_a_freeze_and_none_begins_in_it():
    pace = Pace(STORIES[2], 0)
    assert pace.end(4.9, 0.05) == pytest.approx(4.95)
    assert pace.end(4.9, 0.2) == pytest.approx(7.1)
    assert pace.frozen_until(4.99) == 4.99
    assert pace.frozen_until(5.0) == 7.0
    assert pace.frozen_until(7.0) == 7.0


def test_only_one_step_meets_a_stall():
    pace = Pace(STORIES[1], 0)
    assert [pace.step_s(at) for at in (4.9, 5.1, 7.2)] == pytest.approx([0.055, 2.055, 0.055])
    assert pace.stall_ends == [pytest.approx(7.155)]
