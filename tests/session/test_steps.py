import numpy as np

from moshi_tui.session.steps import Steps


def add(steps, numbers, epoch=0):
    for number in numbers:
        steps.add(np.array([epoch, number, 7], np.int32))


def kept(steps):
    rows = steps.rows()
    return np.concatenate(rows)[:, 1].tolist() if rows else []


def test_all_since_the_last_reset_are_kept_in_order():
    steps = Steps()
    assert kept(steps) == []
    add(steps, range(10_000))
    assert kept(steps) == list(range(10_000))
    add(steps, range(3), epoch=2)
    assert kept(steps) == [0, 1, 2]


def test_after_a_reset_nothing_is_kept_though_no_step_was_made_yet():
    steps = Steps(most=3)
    add(steps, range(3))
    steps.forget()
    assert kept(steps) == []
    add(steps, range(3), epoch=1)
    assert kept(steps) == [0, 1, 2]


def test_what_was_given_does_not_change():
    steps = Steps()
    add(steps, range(2))
    before = steps.rows()
    add(steps, [2])
    assert np.concatenate(before)[:, 1].tolist() == [0, 1]


def test_beyond_the_limit_nothing_is_kept_until_the_next_reset():
    steps = Steps(most=5)
    add(steps, range(5))
    assert len(kept(steps)) == 5
    add(steps, range(5, 20))
    assert kept(steps) == []
    add(steps, range(2), epoch=1)
    assert kept(steps) == [0, 1]
