import threading
import time

import pytest

from moshi_tui.session.activity import Activity
from moshi_tui.session.backlog import Backlog, WaitingRoom
from moshi_tui.session.lag import Load


@pytest.fixture
def stop():
    stop = threading.Event()
    yield stop
    stop.set()


def in_thread(work):
    results = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    return thread, results


def test_frames_come_out_in_order():
    backlog = Backlog()
    for number in range(3):
        backlog.add(number, Activity.SPEECH)
    assert [backlog.take() for _ in range(4)] == [0, 1, 2, None]


def test_what_is_shed_is_gone():
    backlog = Backlog()
    for number in range(3):
        backlog.add(number, Activity.PAUSE)
    assert [(s.item, s.speech) for s in backlog.shed(Load(0.05))] == [(0, False), (1, False)]
    assert len(backlog) == 1


def test_live_sound_never_waits_to_be_put(stop):
    room = WaitingRoom(stop, limit=None)
    shed = [s for n in range(500) for s in room.put(n, Activity.SPEECH, Load(0.055))]
    heard = []
    room.end()
    while (item := room.take()) is not None:
        heard.append(item)
    assert sorted(heard + [s.item for s in shed]) == list(range(500))
    assert heard == sorted(heard)


def test_sound_from_a_file_waits_and_nothing_is_shed(stop):
    room = WaitingRoom(stop, limit=3)
    thread, results = in_thread(
        lambda: [room.put(n, Activity.PAUSE, Load(0.055)) for n in range(10)]
    )
    time.sleep(0.1)
    assert len(room) == 3
    assert [room.take() for _ in range(10)] == list(range(10))
    thread.join(2)
    assert results == [[[]] * 10]


def test_take_waits_for_a_frame(stop):
    room = WaitingRoom(stop, limit=None)
    thread, results = in_thread(room.take)
    time.sleep(0.05)
    assert not results
    room.put("frame", Activity.SPEECH, Load(0.055))
    thread.join(2)
    assert results == ["frame"]


def test_take_ends_with_the_stream_after_what_waits(stop):
    room = WaitingRoom(stop, limit=None)
    room.put("frame", Activity.SPEECH, Load(0.055))
    room.end()
    assert [room.take(), room.take()] == ["frame", None]


def test_stop_ends_both_sides(stop):
    room = WaitingRoom(stop, limit=1)
    room.put(1, Activity.SPEECH, Load(0.055))
    putting, put = in_thread(lambda: room.put(2, Activity.SPEECH, Load(0.055)))
    empty = WaitingRoom(stop, limit=1)
    taking, taken = in_thread(empty.take)
    time.sleep(0.05)
    stop.set()
    putting.join(2)
    taking.join(2)
    assert (put, taken) == ([[]], [None])
    assert room.take() is None


def test_clear_makes_room(stop):
    room = WaitingRoom(stop, limit=None)
    room.put(1, Activity.SPEECH, Load(0.055))
    room.clear()
    room.end()
    assert room.take() is None
