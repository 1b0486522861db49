import numpy as np
import pytest

from moshi_tui.bench.policies import NOTHING, CliQueue, PlainQueue, Unbounded, WebQueue
from moshi_tui.session.lag import Load

MS = 24


def push(queue, start, samples):
    """Samples of value 1, numbered from `start`."""
    source = np.arange(start, start + samples, dtype=np.int32)
    queue.push(np.ones(samples, np.float32), source, 0.0, None)


def fill(queue, samples=240):
    out, source = np.full(samples, 9.0, np.float32), np.full(samples, NOTHING, np.int32)
    queue.fill(out, source)
    return out, source


def test_peers_let_the_users_frames_wait_for_ever():
    inbox = Unbounded()
    assert [
        inbox.add(frame, np.zeros(0, np.float32), Load(0.1, 0.0, 50, 9.0)) for frame in range(99)
    ] == [[]] * 99
    assert [inbox.take() for _ in range(100)] == [*range(99), None]


def test_the_reference_plays_what_comes_and_zeros_when_nothing_does():
    queue = PlainQueue()
    out, source = fill(queue)
    assert not out.any()
    assert queue.underruns == 0  # nothing has begun yet
    push(queue, 0, 300)
    out, source = fill(queue)
    assert list(source[[0, -1]]) == [0, 239]
    out, source = fill(queue)
    assert (out[:60] == 1).all()
    assert not out[60:].any()
    assert (source[60:] == NOTHING).all()
    fill(queue)
    assert queue.underruns == 1


def test_the_web_client_waits_for_80_ms_and_then_for_10_more():
    queue = WebQueue()
    push(queue, 0, 80 * MS - 1)
    assert (fill(queue)[1] == NOTHING).all()
    push(queue, 80 * MS - 1, 1)
    assert (fill(queue)[1] == NOTHING).all()  # the 10 ms
    out, source = fill(queue)
    assert source[0] == 0
    assert out[0] == 0.0  # faded in over the block
    assert out[120] == pytest.approx(0.5)
    assert (fill(queue)[0] == 1.0).all()


def test_the_web_client_drops_the_oldest_down_to_90_ms_and_lifts_the_ceiling():
    queue = WebQueue()
    push(queue, 0, 100 * MS - 1)
    assert queue.cuts == []
    push(queue, 100 * MS - 1, 1)
    assert queue.cuts == [(0, 10 * MS)]
    assert len(queue) == 90 * MS
    push(queue, 100 * MS, 10 * MS)  # 100 ms again: the ceiling is 105 now
    assert len(queue.cuts) == 1
    push(queue, 110 * MS, 5 * MS)
    assert queue.cuts[1:] == [(10 * MS, 25 * MS)]
    for _ in range(100):
        push(queue, 0, 200 * MS)
    assert queue.headroom == 90 * MS


def test_an_underrun_of_the_web_client_lifts_its_floor_and_fades():
    queue = WebQueue()
    push(queue, 0, 80 * MS + 120)
    fill(queue)
    for _ in range(8):
        fill(queue)
    out, source = fill(queue)
    assert (source[:120] != NOTHING).all()
    assert out[0] == 1.0
    assert out[60] == pytest.approx(0.5)
    assert not out[120:].any()
    assert queue.underruns == 1
    assert queue.floor == 15 * MS
    push(queue, 0, 79 * MS)
    for _ in range(9):
        assert (fill(queue)[1] == NOTHING).all()  # 80 ms again before it goes on


def test_moshi_cli_squeezes_the_queue_above_half_a_second():
    queue = CliQueue()
    push(queue, 0, 12_000)
    assert len(queue) == 12_000
    push(queue, 12_000, 600)
    assert len(queue) == 8_400
    assert queue.gained_ms == pytest.approx(175.0)
    assert list(queue.waiting()[:4]) == [0, 1, 3, 4]
    assert queue.waiting()[-1] in range(12_597, 12_600)
    out, _ = fill(queue, 4_000)
    assert out[2_000] == pytest.approx(1.0, abs=1e-3)


def test_moshi_clis_pitch_rises_by_a_fifth():
    queue = CliQueue()
    tone = np.sin(2 * np.pi * 200 * np.arange(24_000) / 24_000).astype(np.float32)
    queue.push(tone, np.arange(24_000, dtype=np.int32), 0.0, None)
    out, _ = fill(queue, 16_000)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(16_000)))
    assert spectrum.argmax() * 24_000 / 16_000 == pytest.approx(300, abs=2)
