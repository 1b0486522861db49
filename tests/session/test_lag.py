"""The decisions of the lag compensator, on invented numbers."""

import random
from itertools import pairwise

import pytest

from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.session.activity import Activity
from moshi_tui.session.backlog import Backlog
from moshi_tui.session.lag import (
    CALM_SECONDS,
    CEILING_FRAMES,
    DROP_SECONDS,
    FASTEST,
    MARGIN_SECONDS,
    MAX_MARGIN_SECONDS,
    PATIENT_SECONDS,
    SPEECH_IN_A_ROW,
    How,
    Load,
    PlayoutControl,
    unread_must_go,
)

OF = {"s": Activity.PAUSE, "e": Activity.EDGE, "W": Activity.SPEECH}
FAST = 0.055
SLOW = 0.1


def backlog(pattern, pace_s=FAST, unread=0):
    """Frames "s" of silence, "e" of edges and "W" of words come while the model stands still."""
    waiting = Backlog()
    shed = []
    for index, letter in enumerate(pattern):
        waiting.add(index, OF[letter])
        shed += waiting.shed(Load(pace_s, unread=unread))
    return waiting, shed


def rest(waiting):
    kept = []
    while (item := waiting.take()) is not None:
        kept.append(item)
    return kept


# The input side.


def test_a_frame_or_two_of_silence_may_wait():
    waiting, shed = backlog("ss")
    assert not shed
    assert len(waiting) == 2


def test_the_third_frame_makes_silence_go_down_to_the_newest():
    waiting, shed = backlog("sss")
    assert [s.item for s in shed] == [0, 1]
    assert rest(waiting) == [2]


def test_silence_goes_and_words_stay_with_their_edges():
    waiting, shed = backlog("sssWesW")
    assert [s.item for s in shed] == [0, 1]
    assert rest(waiting) == [2, 3, 4, 5, 6]  # 5 comes before a word, and words begin softly


def test_if_much_waits_nothing_but_words_stay():
    pattern = "ssWWWWeessWWWee" + "s" * 5
    waiting, shed = backlog(pattern)
    assert not any(s.speech for s in shed)
    kept = rest(waiting)
    assert kept[-1] == len(pattern) - 1  # the newest: a word may begin there
    assert [pattern[i] for i in kept[:-1]].count("W") == pattern.count("W")
    assert [pattern[i] for i in kept[:-1]].count("s") <= 1


def test_while_the_speaker_is_behind_silence_goes_as_it_comes():
    waiting = Backlog()
    shed = []
    for index in range(12):
        waiting.add(index, Activity.PAUSE)
        shed.append(len(waiting.shed(Load(FAST, surplus_s=0.5))))
        waiting.take()
    # What was shed for the speaker is believed to be on its way for the next four frames.
    assert shed[:5] == [1, 1, 1, 1, 1]
    assert max(shed) == 1


def test_no_more_is_shed_for_the_speaker_than_it_is_behind():
    waiting = Backlog()
    shed = 0
    for index in range(4):
        waiting.add(index, Activity.PAUSE)
        shed += len(waiting.shed(Load(FAST, surplus_s=0.25)))
        waiting.take()
    assert shed == 3


def test_words_are_not_shed_for_the_speaker():
    waiting = Backlog()
    for index in range(10):
        waiting.add(index, Activity.SPEECH)
        assert not waiting.shed(Load(FAST, surplus_s=2.0))
        waiting.take()


def test_silence_is_shed_until_the_backlog_is_gone_and_not_any_more_then():
    waiting, _ = backlog("WWWss")
    for _ in range(3):
        waiting.take()
    waiting.add(5, Activity.PAUSE)
    assert waiting.shed(Load(FAST))  # still more than one waits
    waiting.take()
    waiting.add(6, Activity.PAUSE)
    waiting.shed(Load(FAST))
    waiting.add(7, Activity.PAUSE)
    assert len(waiting) == 2
    assert not waiting.shed(Load(FAST))


def test_a_machine_that_will_catch_up_hears_every_word():
    _, shed = backlog("W" * 30)
    assert not shed


def test_too_slow_a_machine_sheds_words_evenly():
    waiting = Backlog()
    heard, lost, done = [], [], 0.0
    for index in range(2000):
        now = index * FRAME_SECONDS
        waiting.add(index, Activity.SPEECH)
        lost += [s.item for s in waiting.shed(Load(SLOW))]
        while done <= now and (item := waiting.take()) is not None:
            done = max(done, now - FRAME_SECONDS) + SLOW
            heard.append(item)
        assert len(waiting) <= 3
    assert len(lost) / 2000 == pytest.approx(0.2, abs=0.01)
    gaps = [b - a for a, b in pairwise(lost[5:])]
    assert min(gaps) >= 3
    assert max(gaps) <= 8
    assert heard == sorted(heard)


def test_after_a_stall_of_a_slow_machine_no_more_than_three_frames_of_speech_in_a_row():
    waiting, shed = backlog("W" * 25, pace_s=SLOW)
    kept = rest(waiting)
    assert sorted(kept + [s.item for s in shed]) == list(range(25))
    assert max(b - a - 1 for a, b in pairwise([-1, *kept])) == SPEECH_IN_A_ROW


@pytest.mark.parametrize("seed", range(20))
def test_never_more_than_three_frames_of_speech_in_a_row(seed):
    random.seed(seed)
    pattern = "".join(random.choice("sWWWW") for _ in range(400))
    waiting = Backlog()
    heard, lost = [], []
    for index, letter in enumerate(pattern):
        waiting.add(index, OF[letter])
        lost += [s.item for s in waiting.shed(Load(random.choice((0.09, 0.16))))]
        if random.random() < 0.6 and (item := waiting.take()) is not None:
            heard.append(item)
    heard += rest(waiting)
    assert sorted(heard + lost) == list(range(400))
    row = 0
    for index, letter in enumerate(pattern):
        if index in heard:
            row = 0
        elif letter == "W":
            row += 1
        assert row <= SPEECH_IN_A_ROW


@pytest.mark.parametrize(
    ("pace_s", "speech_goes"),
    [(None, False), (0.012, False), (0.070, False), (0.0795, True), (0.082, True), (0.1, True)],
)
def test_words_go_only_where_the_model_would_not_work_them_off_soon(pace_s, speech_goes):
    _, shed = backlog("W" * 10, pace_s=pace_s)
    assert bool(shed) is speech_goes


def test_above_the_ceiling_everything_but_the_newest_goes():
    waiting, shed = backlog("W" * CEILING_FRAMES)
    assert not shed
    waiting.add(CEILING_FRAMES, Activity.SPEECH)
    assert len(waiting.shed(Load(FAST))) == CEILING_FRAMES
    assert rest(waiting) == [CEILING_FRAMES]


def test_above_the_ceiling_frames_that_are_not_read_yet_count_and_go_as_they_come():
    waiting = Backlog()
    for index in range(45):
        waiting.add(index, Activity.SPEECH)
        waiting.shed(Load(FAST, unread=44 - index))
    assert rest(waiting) == [44]


def test_emptying_ends_though_something_is_always_unread():
    waiting = Backlog()
    for index in range(CEILING_FRAMES + 1):
        waiting.add(index, Activity.SPEECH)
        waiting.shed(Load(FAST, unread=1))
    for index in range(100, 110):
        waiting.add(index, Activity.SPEECH)
        waiting.shed(Load(FAST, unread=1))
    assert rest(waiting)[-9:] == list(range(101, 110))


@pytest.mark.parametrize("pace_s", [0.4, 1.0, 7.0])
def test_where_the_model_takes_long_the_ceiling_is_one_of_time(pace_s):
    waiting = Backlog()
    worst = took = 0.0
    for index in range(2000):  # without a pause
        now = index * FRAME_SECONDS
        if now >= took + pace_s and (item := waiting.take()) is not None:
            took = now
            worst = max(worst, now - item * FRAME_SECONDS)
        waiting.add(index, Activity.SPEECH)
        waiting.shed(Load(pace_s, max(0.0, took + pace_s - now)))
    assert worst < max(3.1, pace_s) + FRAME_SECONDS


def test_what_the_codec_can_not_take_is_left_out_before_it():
    assert not unread_must_go(3.0, None)
    assert unread_must_go(3.1, None)
    assert not unread_must_go(3.0, 0.08)
    assert not unread_must_go(0.8, 0.09)
    assert unread_must_go(0.9, 0.09)


def test_clear_forgets_a_row_of_lost_speech():
    waiting, _ = backlog("W" * 25, pace_s=SLOW)
    waiting.clear()
    assert len(waiting) == 0
    waiting.add(0, Activity.SPEECH)
    assert not waiting.shed(Load(SLOW))


# The output side.


class Speaker:
    """A speaker that plays in real time what the plans say, frame by frame."""

    def __init__(self):
        self.control = PlayoutControl()
        self.now = 0.0
        self.waiting = 0.0
        self.gap = 0.0
        self.underruns = 0
        self.plans = []

    def frame(self, after=FRAME_SECONDS, pause_s=0.0, pace_s=FAST):
        """The next frame comes `after` seconds; it can be cut by `pause_s`."""
        self.now += after
        self.gap += max(0.0, after - self.waiting) * (self.waiting > 0)
        self.waiting = max(0.0, self.waiting - after)
        self.underruns += self.control.arrived(self.now, self.waiting, self.gap, pace_s) > 0
        plan = self.control.plan(self.now, pause_s)
        length = FRAME_SECONDS + plan.change_s
        self.control.wrote(length)
        self.waiting += plan.lead_s + length
        self.plans.append(plan)
        return plan

    def frames(self, count, **how):
        for _ in range(count):
            self.frame(**how)

    @property
    def slack(self):
        return self.waiting - FRAME_SECONDS


@pytest.fixture
def speaker():
    speaker = Speaker()
    speaker.frames(20)
    return speaker


def test_the_first_frame_is_played_after_the_margin_and_nothing_else_is_done(speaker):
    assert speaker.plans[0].lead_s == MARGIN_SECONDS
    assert all(p.lead_s == 0 and p.change_s == 0 for p in speaker.plans[1:])
    assert speaker.underruns == 0
    assert speaker.slack == pytest.approx(MARGIN_SECONDS)


def test_a_late_frame_is_an_underrun_and_raises_the_margin_by_half(speaker):
    plan = speaker.frame(after=FRAME_SECONDS + 0.040)
    assert speaker.underruns == 1
    assert plan.lead_s == pytest.approx(0.025, abs=0.001)


def test_the_second_raises_it_by_all_and_the_third_is_no_underrun(speaker):
    for _ in range(3):
        speaker.frame(after=FRAME_SECONDS + 0.040)
        speaker.frame(after=FRAME_SECONDS - 0.040)
        speaker.frames(20, pause_s=0.05)
    assert speaker.underruns == 2
    assert speaker.control.margin_s == pytest.approx(0.045, abs=0.001)


def test_frames_that_were_nearly_late_raise_it_too(speaker):
    for _ in range(2):
        speaker.frame(after=FRAME_SECONDS + 0.009)
        speaker.frame(after=FRAME_SECONDS - 0.009)
    assert speaker.underruns == 0
    assert speaker.control.margin_s == pytest.approx(0.014)


def test_the_first_second_teaches_nothing():
    speaker = Speaker()
    speaker.frames(5)
    speaker.frame(after=FRAME_SECONDS + 0.06)
    assert speaker.underruns == 1
    assert speaker.control.margin_s == MARGIN_SECONDS


def test_calm_minutes_lower_the_margin_and_a_pause_gives_the_time_back(speaker):
    for _ in range(2):
        speaker.frame(after=FRAME_SECONDS + 0.060)
    speaker.frames(round(CALM_SECONDS * 0.8 / FRAME_SECONDS))
    assert speaker.slack == pytest.approx(0.065, abs=0.01)
    speaker.frames(round(CALM_SECONDS * 0.5 / FRAME_SECONDS), pause_s=0.06)
    assert speaker.control.margin_s == MARGIN_SECONDS
    assert speaker.slack == pytest.approx(MARGIN_SECONDS, abs=0.011)
    assert speaker.underruns == 2


def test_a_stall_does_not_raise_the_margin(speaker):
    speaker.frame(after=2.0)
    assert speaker.underruns == 1
    assert speaker.control.margin_s == MARGIN_SECONDS


def test_the_least_margin_is_what_it_starts_with_and_given_back_in_a_pause_if_it_is_lowered():
    speaker = Speaker()
    speaker.control.least_s = 0.15
    speaker.frames(40)
    speaker.frame(after=FRAME_SECONDS + 0.140)
    speaker.frame(after=FRAME_SECONDS - 0.140)
    assert speaker.plans[0].lead_s == 0.15
    assert speaker.underruns == 0
    assert speaker.slack == pytest.approx(0.15, abs=0.011)
    speaker.control.least_s = MARGIN_SECONDS
    speaker.frames(40, pause_s=0.06)
    # By half of the one that was late.
    assert speaker.control.margin_s == pytest.approx(0.070, abs=0.006)
    assert speaker.slack == pytest.approx(0.070, abs=0.012)
    assert speaker.underruns == 0


def test_the_margin_has_a_limit(speaker):
    speaker.frame(after=FRAME_SECONDS + 0.2)
    speaker.frame(after=FRAME_SECONDS + 0.2)
    assert speaker.control.margin_s == MAX_MARGIN_SECONDS


def test_a_burst_is_cut_in_the_first_pause(speaker):
    speaker.frames(20, after=0.03)
    behind = speaker.slack
    assert behind > 0.9
    speaker.frames(20, pause_s=0.065)
    assert speaker.slack == pytest.approx(MARGIN_SECONDS, abs=0.012)
    assert {p.how for p in speaker.plans if p.change_s} == {How.PAUSE}
    assert speaker.underruns == 0


def test_if_no_pause_comes_for_a_while_speech_is_hurried_but_not_more_than_allowed(speaker):
    speaker.frames(8, after=0.03)
    start, behind = speaker.now, speaker.slack
    while not speaker.frame().change_s:
        pass
    assert speaker.now - start == pytest.approx(PATIENT_SECONDS, abs=0.35)
    plan = speaker.plans[-1]
    assert plan.how is How.SPEED
    assert FRAME_SECONDS / (FRAME_SECONDS + plan.change_s) == pytest.approx(FASTEST)
    speaker.frames(100)
    assert speaker.slack < 0.03
    assert behind > 0.35
    assert speaker.underruns == 0


def test_speech_is_dropped_only_far_behind(speaker):
    speaker.frames(45, after=0.0)
    assert speaker.waiting == pytest.approx(DROP_SECONDS, abs=FRAME_SECONDS)
    dropped = [p for p in speaker.plans if p.how is How.DROP]
    assert 5 <= len(dropped) <= 9
    speaker.frames(20)
    assert len([p for p in speaker.plans if p.how is How.DROP]) <= len(dropped) + 1


def test_the_margin_is_refilled_in_a_pause_before_it_is_needed(speaker):
    # Each frame a little later than the one before: a speaker whose clock runs fast.
    speaker.control._late.add(speaker.now, 0.05)
    speaker.control._late.add(speaker.now, 0.05)
    for _ in range(60):
        speaker.frame(after=FRAME_SECONDS + 0.001, pause_s=0.05)
    assert speaker.underruns == 0
    assert speaker.slack > 0.03
    assert any(p.change_s > 0 and p.how is How.PAUSE for p in speaker.plans)


def test_too_slow_a_model_is_played_slower_instead_of_with_gaps():
    speaker = Speaker()
    speaker.frames(200, after=SLOW, pace_s=SLOW)
    late = speaker.underruns
    assert late <= 2
    lengths = [FRAME_SECONDS + p.change_s for p in speaker.plans[50:]]
    assert sum(lengths) / len(lengths) == pytest.approx(SLOW, rel=0.01)
    assert speaker.control.margin_s == MARGIN_SECONDS
    speaker.frames(400, after=FRAME_SECONDS)
    assert speaker.plans[-1].change_s == 0


def test_a_hopelessly_slow_model_is_not_stretched():
    speaker = Speaker()
    speaker.frames(10, after=0.5, pace_s=0.5)
    assert all(p.change_s == 0 for p in speaker.plans)


def test_restart_counts_no_underrun(speaker):
    speaker.control.restart()
    speaker.waiting = 0.0
    speaker.frame(after=1.0)
    assert speaker.underruns == 0
    assert speaker.plans[-1].lead_s == MARGIN_SECONDS


@pytest.mark.parametrize("seed", range(10))
def test_jitter_is_learnt_and_then_there_are_no_underruns(seed):
    random.seed(seed)
    speaker = Speaker()
    offset = 0.0
    for index in range(3000):
        later = random.uniform(0, 0.05)
        speaker.frame(
            after=FRAME_SECONDS + later - offset, pause_s=0.06 if index % 40 < 15 else 0.0
        )
        offset = later
        if index == 250:
            before = speaker.underruns
    assert before <= 10
    assert speaker.underruns == before  # in 2,750 frames
    assert MARGIN_SECONDS < speaker.control.margin_s < 0.1


def test_a_frame_that_comes_at_the_last_moment_leaves_no_gap(speaker):
    plan = speaker.frame(after=speaker.waiting)
    assert speaker.underruns == 0
    assert plan.lead_s == 0


def test_too_slow_a_machine_sheds_the_edges_of_words_before_words():
    waiting, shed = backlog("WWeWWeWWW", pace_s=SLOW)
    assert [s.item for s in shed if not s.speech] == [2, 5]
    assert {2, 5}.isdisjoint(rest(waiting))


def test_else_the_edges_of_words_stay():
    waiting, shed = backlog("WeessWe")
    assert [s.item for s in shed] == [3]
    assert rest(waiting) == [0, 1, 2, 4, 5, 6]


def test_silence_goes_first_even_if_it_is_the_newest():
    _, shed = backlog("WWWs", pace_s=SLOW)
    assert [s.item for s in shed] == [3]


def test_a_speaker_whose_clock_runs_fast_does_not_run_dry():
    speaker = Speaker()
    for index in range(7500):
        speaker.frame(after=FRAME_SECONDS * 1.0005, pause_s=0.06 if index % 100 > 70 else 0.0)
    assert speaker.underruns == 0


def test_the_end_of_a_gap_is_not_another_one(speaker):
    speaker.frame(after=0.5)
    speaker.gap += 0.01  # the callback came between our look and our push
    speaker.frame()
    assert speaker.underruns == 1
    assert speaker.plans[-1].lead_s == 0


def test_a_gap_that_came_just_now_is_counted_but_needs_no_silence_on_top(speaker):
    speaker.gap += 0.01
    speaker.frame()
    assert speaker.underruns == 1
    assert speaker.plans[-1].lead_s == 0
