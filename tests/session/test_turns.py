from importlib.resources import as_file, files

import numpy as np
import pytest

from moshi_tui.audio.files import read_audio
from moshi_tui.audio.levels import block_levels
from moshi_tui.frames import FRAME_SAMPLES
from moshi_tui.session.activity import Activity, SpeechDetector
from moshi_tui.session.turns import LONGEST_FRAMES, PAUSE_FRAMES, Turns

BLOCKS = 8


class Speaker:
    """Frames of so much speech at a level, and every event that they brought."""

    def __init__(self):
        self.turns = Turns()
        self.frame = 0
        self.events = []

    def say(self, frames, level=-20.0, blocks=BLOCKS):
        activities = [Activity.SPEECH] * blocks + [Activity.EDGE] * (BLOCKS - blocks)
        for _ in range(frames):
            self._take(self.turns.add(self.frame, activities, [level] * BLOCKS))
            self.frame += 1

    def pause(self, frames, level=-80.0):
        self.say(frames, level, blocks=0)

    def end(self):
        self._take(self.turns.end())

    def _take(self, event):
        if event is not None:
            self.events.append(event)


@pytest.fixture
def speaker():
    return Speaker()


def test_a_turn_begins_grows_and_ends_where_the_speech_ended(speaker):
    speaker.pause(10)
    speaker.say(12)
    speaker.pause(PAUSE_FRAMES - 1)
    assert not any(event.over for event in speaker.events)
    speaker.pause(1)
    *going, last = speaker.events
    assert {event.frame for event in speaker.events} == {10}
    assert [event.frames for event in going] == [3, 6, 9, 12, 15, 18, 21, 24]
    assert all(len(event.levels) == event.frames // 3 for event in going)
    assert (last.over, last.frames) == (True, 12)
    assert last.levels == pytest.approx([-20.0] * 4)
    speaker.pause(30)
    assert speaker.events[-1] is last


def test_the_last_block_may_be_shorter(speaker):
    speaker.say(3)
    speaker.say(2, -30.0)
    speaker.pause(PAUSE_FRAMES)
    assert speaker.events[-1].frames == 5
    assert speaker.events[-1].levels == pytest.approx([-20.0, -30.0])


def test_a_short_pause_does_not_end_a_turn(speaker):
    speaker.say(5)
    speaker.pause(PAUSE_FRAMES - 1)
    speaker.say(5)
    speaker.pause(PAUSE_FRAMES)
    assert [event.frames for event in speaker.events if event.over] == [10 + PAUSE_FRAMES - 1]


def test_clicks_are_no_turn_however_many(speaker):
    for _ in range(20):
        speaker.say(1)
        speaker.pause(6)
    speaker.say(1)
    speaker.pause(1)
    speaker.say(1, blocks=3)
    speaker.pause(20)
    assert not speaker.events


def test_two_words_in_short_order_are_a_turn(speaker):
    speaker.say(2)
    speaker.pause(2)
    speaker.say(1)
    assert [event.frames for event in speaker.events] == [5]
    speaker.say(1)
    assert [event.frames for event in speaker.events] == [5, 6]


def test_muted_or_reset_the_turn_is_over_at_once(speaker):
    speaker.say(10)
    speaker.pause(4)
    speaker.end()
    speaker.end()
    assert [(event.frames, event.over) for event in speaker.events][-2:] == [
        (12, False),
        (10, True),
    ]
    speaker.say(1)
    speaker.end()
    assert len(speaker.events) == 5
    speaker.say(3)
    assert speaker.events[-1].frame == 15


def test_a_very_long_turn_is_told_in_parts(speaker):
    speaker.say(2 * LONGEST_FRAMES + 100)
    speaker.pause(PAUSE_FRAMES)
    over = [(event.frame, event.frames) for event in speaker.events if event.over]
    assert over == [
        (0, LONGEST_FRAMES),
        (LONGEST_FRAMES, LONGEST_FRAMES),
        (2 * LONGEST_FRAMES, 100),
    ]
    assert max(len(event.levels) for event in speaker.events) == LONGEST_FRAMES // 3


def test_frames_that_nobody_heard_count_as_silent(speaker):
    speaker.say(6)
    speaker.frame += 5
    speaker.say(4)
    speaker.pause(PAUSE_FRAMES)
    last = speaker.events[-1]
    assert (last.frame, last.frames, last.over) == (0, 15, True)
    assert last.levels[2] < -100
    speaker.say(6)
    speaker.frame += 500
    speaker.pause(1)
    assert speaker.events[-1].frames == 6


def test_a_recorded_voice():
    with as_file(files("moshi_tui.bench") / "speech.ogg") as path:
        speech = read_audio(path)
    silence = np.zeros(4 * FRAME_SAMPLES * 10, np.float32)
    rng = np.random.default_rng(3)
    sound = np.concatenate((silence, speech, silence)) + rng.normal(
        0, 3e-4, len(speech) + 2 * len(silence)
    )
    detector, turns = SpeechDetector(), Turns()
    over = []
    for frame in range(len(sound) // FRAME_SAMPLES):
        pcm = sound[frame * FRAME_SAMPLES : (frame + 1) * FRAME_SAMPLES].astype(np.float32)
        levels = block_levels(pcm)
        event = turns.add(frame, detector.update(levels), levels)
        if event is not None and event.over:
            over.append(event)
    assert 1 <= len(over) <= 8
    assert over[0].frame >= 38
    assert over[-1].frame + over[-1].frames <= 40 + len(speech) / FRAME_SAMPLES + 5
    assert sum(event.frames for event in over) > 0.4 * len(speech) / FRAME_SAMPLES
    assert max(max(event.levels) for event in over) > -30
