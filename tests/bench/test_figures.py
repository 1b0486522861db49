"""Figures against traces small enough to work out by hand."""

import numpy as np
import pytest

from moshi_tui.bench.figures import FADE, figures, jumps, lags
from moshi_tui.bench.machine import Trace
from moshi_tui.bench.policies import NOTHING, PlainQueue
from moshi_tui.bench.scenarios import Scenario, Stall
from moshi_tui.bench.talk import Talk, Track
from moshi_tui.frames import FRAME_SAMPLES

CALM = Scenario("calm", "")
STALL = Scenario("stall", "", stalls=(Stall(4.0, 2.0),))


def track(frames, spoken=(), pcm=None):
    """`spoken`: blocks of 10 ms with speech."""
    speech = np.zeros(frames * 8, np.bool_)
    speech[list(spoken)] = True
    sound = np.zeros(frames * FRAME_SAMPLES, np.float32) if pcm is None else pcm
    return Track(sound, speech)


def trace(source, stepped, played=None, **more):
    source = np.asarray(source, np.int32)
    sound = np.zeros(len(source), np.float32) if played is None else played
    more = {"queue": PlainQueue(), "captured": 10, "decoded": 4} | more
    return Trace(sound, source, np.array(stepped), **more)


def frames(*numbers):
    return [np.arange(n * FRAME_SAMPLES, (n + 1) * FRAME_SAMPLES) for n in numbers]


def test_lag_is_from_the_last_sample_captured_to_the_first_one_heard():
    silence = np.full(2_400, NOTHING)
    found = lags(trace(np.concatenate([silence, *frames(0, 1)]), [0, 1]))
    # Heard at 3.7 + 100 + 20 ms; captured 20 ms before 80 ms. The next one: 80 ms later both.
    assert found.lag_ms == pytest.approx([63.7, 63.7])


def test_the_lag_of_a_frame_whose_beginning_was_cut_is_that_of_what_was_heard():
    source = np.concatenate([np.full(2_400, NOTHING), np.arange(480, 2 * FRAME_SAMPLES)])
    found = lags(trace(source, [0, 3]))
    assert found.lag_ms == pytest.approx([43.7, 43.7 - 160])


def test_speech_lost_is_counted_by_the_truth():
    queue = PlainQueue()
    queue.cuts = [(120, 600), (1_920, 2_400)]
    talk = Talk(track(10, [8, 9, 40, 41, 42]), track(10, [0, 1, 9]))
    found = figures(talk, trace(frames(0)[0], [0, 4], shed=[1, 5, 6, 7], queue=queue), CALM)
    assert found.user_lost == 50
    assert found.moshi_lost == pytest.approx(5 + 10 + 10)  # half of block 0, 1, and 9
    assert found.moshi_cut == pytest.approx(40)
    assert found.shed == 40
    assert found.shed_silent == 50
    assert found.longest_row == 1


def test_the_longest_row_counts_neighbours_with_speech_only():
    talk = Talk(track(10, range(8, 48)), track(10))
    found = figures(talk, trace(frames(0)[0], [0], shed=[7, 5, 4, 2, 3, 6]), CALM)
    assert found.longest_row == 4  # 2 to 5; 6 and 7 are silent


def test_gaps_between_the_first_sound_and_the_last():
    parts = [np.full(500, NOTHING), frames(0)[0], np.full(240, NOTHING), frames(1)[0]]
    parts += [np.full(480, NOTHING), frames(2)[0], np.full(900, NOTHING)]
    moshi = track(4, range(6, 16))  # to the end of frame 1: only the first gap is inside
    found = figures(Talk(track(10), moshi), trace(np.concatenate(parts), [0, 1, 2]), CALM)
    assert found.gaps == pytest.approx(30)
    assert found.longest_gap == pytest.approx(20)
    assert found.gaps_in_speech == pytest.approx(10)


def test_a_click_at_a_splice_stands_out_and_one_elsewhere_does_not_count():
    wave = (0.1 * np.sin(np.arange(4 * FRAME_SAMPLES) / 50)).astype(np.float32)
    moshi = track(4, pcm=wave)
    source = np.concatenate([np.arange(1_000), np.arange(1_500, 4_000)])
    played = wave[source].copy()
    played[2_000:] += 0.5  # not at a splice
    calm = jumps(trace(source, [0, 1, 2, 3], played), moshi)
    assert calm.places == 1
    played[1_000:] += 0.5
    click = jumps(trace(source, [0, 1, 2, 3], played), moshi)
    assert click.worst > 0.2 > calm.worst
    assert click.standing_out == 1
    assert click.limit == pytest.approx(0.002, rel=0.01)


def test_the_speakers_fades_are_looked_at_to_their_end():
    moshi = track(4, pcm=np.zeros(4 * FRAME_SAMPLES, np.float32))
    source = np.concatenate([np.arange(1_000), np.full(1_000, NOTHING), np.arange(1_000, 2_000)])
    played = np.zeros(3_000, np.float32)
    played[1_000 + FADE :] = 0.25
    assert jumps(trace(source, [0], played), moshi).worst == pytest.approx(0.25)
    played[: 1_000 + FADE + 3] = 0.25
    assert jumps(trace(source, [0], played), moshi).worst == 0.0


def test_what_a_stall_must_leave_behind():
    # Stall from 4 to 6 s, everybody talks all the time: in 3 s at most 3.3 s of speech fit, of the
    # 5 s that were said since it began.
    both = track(200, range(1_600))
    played = np.concatenate([np.full(2_400, NOTHING), np.arange(200 * FRAME_SAMPLES)])
    busy = trace(played, np.arange(200), stall_ends=[6.0], captured=200)
    found = figures(Talk(both, both), busy, STALL)
    assert found.least == pytest.approx(5_000 - 3_300, abs=81)
    # With Moshi silent only the model holds up: 55 ms a frame.
    silent_moshi = figures(Talk(both, track(200)), busy, STALL)
    assert silent_moshi.least == pytest.approx(5_000 - 3_000 * 80 / 55, abs=81)
    silent_user = figures(Talk(track(200), both), busy, STALL)
    assert silent_user.least == 0


def test_nothing_played_is_an_error():
    with pytest.raises(ValueError, match="nothing"):
        figures(Talk(track(2), track(2)), trace(np.full(240, NOTHING), []), CALM)
