from __future__ import annotations

import pytest

from moshi_tui.checkpoint import FileShare, Progress
from moshi_tui.session.downloading import (
    DownloadMeter,
    SpeedMeter,
    amount_words,
    download_words,
    time_words,
)
from moshi_tui.session.events import Download, FileProgress

MB = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def progress(done: int, total: int | None = 1000 * MB) -> Progress:
    return Progress("model", done, total, done, total, (FileShare("a/b", "model", done, total),))


def test_speed_is_unknown_at_first_and_does_not_count_what_was_there() -> None:
    clock = Clock()
    meter = SpeedMeter(clock)
    assert meter.look(500 * MB) is None
    clock.now += 0.5
    assert meter.look(505 * MB) is None
    clock.now += 0.5
    assert meter.look(510 * MB) == pytest.approx(10 * MB)


def test_speed_is_that_of_the_last_five_seconds() -> None:
    clock = Clock()
    meter = SpeedMeter(clock)
    done, speed = 0, None
    for rate in (50 * MB, 2 * MB):
        for _ in range(100):
            speed = meter.look(done)
            clock.now += 0.1
            done += rate // 10
        assert speed == pytest.approx(rate, rel=0.05)


def test_a_stalled_download_becomes_slow() -> None:
    clock = Clock()
    meter = SpeedMeter(clock)
    meter.look(0)
    clock.now += 2
    meter.look(100 * MB)
    for _ in range(60):
        clock.now += 0.1
        speed = meter.look(100 * MB)
    assert speed == 0


def test_a_file_that_the_server_begins_anew_starts_the_measure_anew() -> None:
    clock = Clock()
    meter = SpeedMeter(clock)
    meter.look(100 * MB)
    clock.now += 2
    assert meter.look(0) is None
    clock.now += 2
    assert meter.look(20 * MB) == pytest.approx(10 * MB)


def test_a_download_has_files_speed_and_time_left() -> None:
    clock = Clock()
    meter = DownloadMeter(clock)
    meter.look(progress(0))
    clock.now += 2
    download = meter.look(progress(100 * MB))
    assert download.files == (FileProgress("model", 100 * MB, 1000 * MB),)
    assert download.bytes_per_s == pytest.approx(50 * MB)
    assert download.seconds_left == pytest.approx(18)


def test_time_left_is_unknown_without_sizes_or_while_nothing_comes() -> None:
    clock = Clock()
    meter = DownloadMeter(clock)
    for done in (0, 100 * MB):
        download = meter.look(progress(done, None))
        clock.now += 2
    assert download.bytes_per_s == pytest.approx(50 * MB)
    assert download.seconds_left is None
    for _ in range(5):
        download = meter.look(progress(100 * MB, None))
        clock.now += 2
    assert (download.bytes_per_s, download.seconds_left) == (0, None)


def test_checking_a_file_makes_the_next_one_no_slower() -> None:
    clock = Clock()
    meter = DownloadMeter(clock)
    first, second = FileShare("a/b", "big", 900, 900), FileShare("a/b", "small", 0, 100)
    meter.look(Progress("big", 0, 900, 0, 1000))
    clock.now += 1
    meter.look(Progress("big", 900, 900, 900, 1000, (first, second)))
    clock.now += 30
    assert meter.look(Progress("big", 900, 900, 900, 1000)).bytes_per_s is None
    clock.now += 1
    meter.look(Progress("small", 0, 100, 900, 1000))
    clock.now += 1
    assert meter.look(Progress("small", 50, 100, 950, 1000)).bytes_per_s == 50


def test_words() -> None:
    files = (FileProgress("a", 1_200 * MB, 4_810 * MB), FileProgress("b", 0, 385 * MB))
    assert download_words(Download(files, None, None)) == "1.20 of 5.20 GB"
    full = Download(files, 12.34 * MB, 324)
    assert download_words(full) == "1.20 of 5.20 GB, 12.3 MB/s, 5 min 20 s left"
    unknown = (FileProgress("a", 30 * MB, None),)
    assert download_words(Download(unknown, 1 * MB, None)) == "30.0 MB, 1.0 MB/s"
    assert amount_words(5, None) == "0.0 MB"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (61, "1 min 0 s"),
        (324, "5 min 20 s"),
        (1500, "25 min"),
        (3600, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_times_to_wait(seconds: float, words: str) -> None:
    assert time_words(seconds) == words
