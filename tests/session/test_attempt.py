import threading

import pytest

from moshi_tui.session.attempt import Attempt

NEVER = threading.Event()


def test_the_thing_is_made():
    assert Attempt(lambda: 7, pytest.fail).result(5, NEVER) == 7


def test_an_error_is_raised_where_it_is_waited_for():
    attempt = Attempt(lambda: 1 // 0, pytest.fail)
    with pytest.raises(ZeroDivisionError):
        attempt.result(5, NEVER)


@pytest.mark.parametrize("stopped", [True, False])
def test_what_comes_too_late_is_thrown_away(stopped):
    ready, dropped, stop = threading.Event(), threading.Event(), threading.Event()
    things = []

    def drop(thing):
        things.append(thing)
        dropped.set()

    def make():
        ready.wait(5)
        return 7

    attempt = Attempt(make, drop)
    if stopped:
        stop.set()
    assert attempt.result(5 if stopped else 0.05, stop) is None
    ready.set()
    assert dropped.wait(5)
    assert things == [7]
