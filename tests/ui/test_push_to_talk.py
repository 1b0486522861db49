from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.ui.push_to_talk import FIRST_REPEAT_SECONDS, RELEASE_SECONDS, PushToTalk


def hold(talk: PushToTalk, begin: float, seconds: float, delay: float, every: float) -> float:
    """Press and hold: returns when the key came last."""
    talk.press(begin)
    now = begin + delay
    newest = begin
    while now <= begin + seconds:
        talk.tick(now)
        talk.press(now)
        newest = now
        now += every
    return newest


@pytest.mark.parametrize("delay", [0.2, 0.25, 0.5, 0.66])
@pytest.mark.parametrize("every", [0.02, 0.033, 0.09])
def test_talks_from_the_press_until_the_release(delay: float, every: float) -> None:
    talk = PushToTalk()
    assert talk.talking  # not in use: the microphone is open
    newest = hold(talk, 10.0, 3.0, delay, every)
    assert talk.state == "held"
    talk.tick(newest + RELEASE_SECONDS - 0.01)
    assert talk.talking
    talk.tick(newest + RELEASE_SECONDS + 0.01)
    assert talk.state == "silent"
    assert not talk.talking
    hold(talk, 20.0, 1.0, delay, every)
    assert talk.state == "held"


def test_a_tap_talks_until_the_next() -> None:
    talk = PushToTalk()
    talk.press(1.0)
    assert talk.talking
    talk.tick(1.0 + FIRST_REPEAT_SECONDS)
    assert talk.state == "pressed"
    talk.tick(1.01 + FIRST_REPEAT_SECONDS)
    assert talk.state == "latched"
    talk.tick(100.0)
    assert talk.talking
    talk.press(200.0)
    assert talk.state == "silent"
    talk.press(201.0)
    assert talk.talking


def test_the_press_that_ends_a_latched_talk_may_be_held() -> None:
    talk = PushToTalk()
    talk.press(0.0)
    talk.tick(2.0)
    assert talk.state == "latched"
    newest = hold(talk, 5.0, 2.0, 0.5, 0.05)
    assert talk.state == "silent"
    talk.press(newest + FIRST_REPEAT_SECONDS + 0.01)
    assert talk.state == "pressed"


def test_two_quick_taps_are_a_hold_that_ends() -> None:
    talk = PushToTalk()
    talk.press(0.0)
    talk.press(0.3)
    assert talk.state == "held"
    talk.tick(0.7)
    assert talk.state == "silent"


def test_leaving_opens_the_microphone() -> None:
    talk = PushToTalk()
    hold(talk, 0.0, 1.0, 0.3, 0.05)
    talk.tick(5.0)
    assert not talk.talking
    talk.leave()
    assert talk.talking
    assert talk.state == "off"


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 2.0))))
def test_silence_in_use_never_comes_while_the_key_repeats(steps: list[tuple[bool, float]]) -> None:
    talk, now, newest = PushToTalk(), 0.0, float("-inf")
    for press, wait in steps:
        now += wait
        before = talk.state
        if press:
            talk.press(now)
            newest = now
            assert talk.state != "off"
            assert before != "held" or talk.talking
        else:
            talk.tick(now)
            if before == "held" and talk.state == "silent":
                assert now - newest > RELEASE_SECONDS
