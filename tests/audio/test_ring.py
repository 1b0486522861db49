import sys
import threading
import time

import numpy as np
import pytest

from moshi_tui.audio.ring import Ring

TOTAL = 10**7  # below 2**24: every sample is a float32 of its own


def ramp(start, count):
    return np.arange(start, start + count, dtype=np.float32)


@pytest.fixture(scope="module")
def whole():
    return ramp(0, TOTAL)


@pytest.fixture
def eager_threads():
    """Lets threads change places all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def pop(ring, count):
    out = np.full(count, np.nan, np.float32)
    return out[: ring.pop_into(out)]


def test_what_goes_in_comes_out_across_the_wrap():
    ring = Ring(7, overwrite=False)
    for start in range(0, 50, 5):
        assert ring.push(ramp(start, 5)) == 5
        assert pop(ring, 9).tolist() == ramp(start, 5).tolist()
    assert ring.dropped == 0
    assert ring.pushed == ring.popped == 50


def test_a_full_playback_ring_refuses_and_counts():
    ring = Ring(8, overwrite=False)
    assert ring.push(ramp(0, 6)) == 6
    assert ring.push(ramp(6, 6)) == 2
    assert ring.push(ramp(8, 1)) == 0
    assert ring.dropped == 5
    assert ring.fill == 8
    assert pop(ring, 8).tolist() == ramp(0, 8).tolist()


def test_a_full_microphone_ring_loses_the_oldest_and_counts():
    ring = Ring(16, overwrite=True)
    for start in range(0, 40, 10):
        assert ring.push(ramp(start, 10)) == 10
    got = pop(ring, 100)
    assert got.tolist() == ramp(26, 14).tolist()  # 16 are there; 2 are the guard
    assert ring.dropped == 26
    assert ring.dropped + len(got) == ring.pushed == ring.popped


def test_a_push_larger_than_the_microphone_ring_keeps_its_end():
    ring = Ring(16, overwrite=True)
    ring.push(ramp(0, 100))
    assert pop(ring, 100).tolist() == ramp(86, 14).tolist()
    assert ring.dropped == 86


def test_fill_never_exceeds_the_capacity():
    ring = Ring(16, overwrite=True)
    ring.push(ramp(0, 100))
    assert ring.fill == 16


def test_flush_skips_what_was_pushed_before_it_only():
    ring = Ring(16, overwrite=False)
    ring.push(ramp(0, 6))
    assert pop(ring, 2).tolist() == [0, 1]
    ring.flush()
    assert ring.fill == 0
    ring.push(ramp(6, 3))
    assert ring.fill == 3
    assert pop(ring, 16).tolist() == [6, 7, 8]
    assert ring.flushed == 4
    assert ring.dropped == 0


def test_ahead_counts_what_will_be_played_before_the_next_push():
    ring = Ring(16, overwrite=False)
    assert ring.ahead(0) == 0
    ring.push(ramp(0, 6))
    assert ring.ahead(0) == 6
    pop(ring, 2)
    assert ring.ahead(2) == 4
    ring.flush()
    assert ring.ahead(2) == 0
    ring.push(ramp(6, 3))
    assert ring.ahead(2) == 3  # 2 to 5 will be skipped
    pop(ring, 1)
    assert ring.ahead(7) == 2


def test_discard_skips_at_once():
    ring = Ring(16, overwrite=True)
    ring.push(ramp(0, 9))
    assert ring.discard() == 9
    assert ring.fill == 0
    ring.push(ramp(9, 2))
    assert pop(ring, 16).tolist() == [9, 10]


def test_latest_is_what_was_pushed_last():
    ring = Ring(8, overwrite=True)
    assert ring.latest(3).tolist() == [0, 0, 0]
    ring.push(ramp(1, 2))
    assert ring.latest(3).tolist() == [0, 1, 2]
    ring.push(ramp(3, 9))
    assert ring.latest(3).tolist() == [9, 10, 11]
    assert ring.latest(10).tolist() == [0, 0, *range(4, 12)]


def test_played_is_what_was_popped_last_and_silent_when_dry_or_skipped():
    ring = Ring(16, overwrite=False)
    assert ring.played(2).tolist() == [0, 0]
    ring.push(ramp(1, 8))
    pop(ring, 4)
    assert ring.played(2).tolist() == [3, 4]
    ring.flush()
    ring.push(ramp(9, 4))
    pop(ring, 3)
    assert ring.played(5).tolist() == [0, 0, 9, 10, 11]
    pop(ring, 3)
    assert ring.played(2).tolist() == [0, 0]


def test_capacity_must_be_positive():
    with pytest.raises(ValueError, match="0 samples"):
        Ring(0, overwrite=True)


def test_a_copy_that_the_producer_ran_into_is_not_returned():
    class Raced(Ring):
        """The producer comes in the middle of the consumer's first copy."""

        raced = False

        def _read(self, at, out):
            super()._read(at, out[:4])
            if not self.raced:
                self.raced = True
                self.push(ramp(16, 6))
            super()._read(at + 4, out[4:])

    ring = Raced(16, overwrite=True)
    ring.push(ramp(0, 16))
    assert pop(ring, 8).tolist() == ramp(8, 8).tolist()  # 22 - 16 + 2 of guard
    assert ring.dropped == 8


def test_what_is_being_overwritten_is_not_returned():
    class Raced(Ring):
        """The consumer comes in the middle of the producer's copy."""

        got = None

        def _write(self, at, pcm):
            super()._write(at, pcm[:4])
            if at:
                self.got = pop(self, 16)
            super()._write(at + 4, pcm[4:])

    ring = Raced(16, overwrite=True)
    ring.push(ramp(0, 16))
    ring.push(ramp(16, 6))
    assert ring.got.tolist() == ramp(8, 8).tolist()
    assert pop(ring, 16).tolist() == ramp(16, 6).tolist()
    assert ring.dropped == 8


@pytest.mark.usefixtures("eager_threads")
def test_two_threads_lose_and_repeat_nothing(whole):
    ring = Ring(5000, overwrite=False)
    refused = 0

    def produce():
        nonlocal refused
        random = np.random.default_rng(1)
        sent = 0
        while sent < TOTAL:
            block = whole[sent : sent + int(random.integers(1, 3000))]
            taken = ring.push(block)
            refused += len(block) - taken
            sent += taken
            if taken < len(block):
                time.sleep(1e-5)

    producer = threading.Thread(target=produce)
    producer.start()
    random = np.random.default_rng(2)
    got = 0
    while got < TOTAL:
        block = pop(ring, int(random.integers(1, 3000)))
        assert np.array_equal(block, whole[got : got + len(block)])
        got += len(block)
        if len(block) == 0:
            time.sleep(1e-5)
    producer.join()
    assert ring.fill == 0
    assert ring.dropped == refused


@pytest.mark.usefixtures("eager_threads")
def test_a_lapped_consumer_gets_nothing_torn_and_counts_what_it_missed(whole):
    ring = Ring(4096, overwrite=True)
    over = threading.Event()

    def produce():
        random = np.random.default_rng(3)
        sent = 0
        while sent < TOTAL:
            sent += ring.push(whole[sent : sent + int(random.integers(1, 3000))])
        over.set()

    producer = threading.Thread(target=produce)
    producer.start()
    random = np.random.default_rng(4)
    returned, last = 0, -1.0
    while not over.is_set() or ring.fill:
        block = pop(ring, int(random.integers(1, 3500)))
        if len(block):
            assert block[0] > last
            assert np.all(np.diff(block) == 1)
            last = block[-1]
            returned += len(block)
    producer.join()
    assert last == TOTAL - 1
    assert ring.dropped > 0
    assert ring.dropped + returned == TOTAL


@pytest.mark.usefixtures("eager_threads")
def test_flushes_from_the_producers_thread_never_bring_anything_back(whole):
    ring = Ring(4096, overwrite=False)
    over = threading.Event()

    def produce():
        random = np.random.default_rng(5)
        sent = 0
        while sent < TOTAL // 5:
            sent += ring.push(whole[sent : sent + int(random.integers(1, 2000))])
            if random.random() < 0.1:
                ring.flush()
        over.set()

    producer = threading.Thread(target=produce)
    producer.start()
    returned, last = 0, -1.0
    while not over.is_set() or ring.fill:
        time.sleep(0)
        block = pop(ring, 777)
        if len(block):
            assert block[0] > last
            assert np.all(np.diff(block) == 1)
            last = block[-1]
            returned += len(block)
    producer.join()
    pop(ring, 1)
    assert returned + ring.flushed == ring.pushed
