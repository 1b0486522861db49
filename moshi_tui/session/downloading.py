"""A download in numbers: how fast it is, how long it will take, and that in words."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from moshi_tui.checkpoint import Progress
from moshi_tui.session.events import Download, FileProgress

WINDOW_SECONDS = 5.0
"""Speed is that of the newest so many seconds."""
SETTLE_SECONDS = 1.0
"""What a download did in less time than that says little about its speed."""


class SpeedMeter:
    """Bytes a second over the last seconds, from a count that is looked at now and then.

    Args:
        clock: seconds; injected by tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def look(self, done: int) -> float | None:
        """Take the count of now, in bytes; returns the speed, None until it is known.

        The first count is where it starts from: what arrived in an earlier download is not speed.
        """
        now = self._clock()
        if self._seen and done < self._seen[-1][1]:
            self.forget()  # the server began the file anew
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW_SECONDS:
            self._seen.popleft()
        (began, before), elapsed = self._seen[0], now - self._seen[0][0]
        return (done - before) / (now - began) if elapsed >= SETTLE_SECONDS else None

    def forget(self) -> None:
        """Begin anew: in between something else than downloading was done."""
        self._seen.clear()


class DownloadMeter:
    """Turns the hub's progress into `Download`s.

    Args:
        clock: seconds; injected by tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed = SpeedMeter(clock)

    def look(self, progress: Progress) -> Download:
        """The download of now."""
        speed = None
        if is_checking(progress):
            self._speed.forget()  # nothing arrives meanwhile, but the line has not become slow
        else:
            speed = self._speed.look(progress.overall_done)
        left = None
        if speed and progress.overall_total is not None:
            left = max(0, progress.overall_total - progress.overall_done) / speed
        files = tuple(FileProgress(file.name, file.done, file.total) for file in progress.files)
        return Download(files, speed, left)


def is_checking(progress: Progress) -> bool:
    """Whether all of the file is there and its sum is being compared (seconds for gigabytes)."""
    return progress.total is not None and progress.done >= progress.total


def download_words(download: Download) -> str:
    """In one line: "1.20 of 5.19 GB, 12.3 MB/s, 5 min 24 s left"."""
    done = sum(file.done for file in download.files)
    sizes = [file.total for file in download.files]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    parts = [amount_words(done, total)]
    if download.bytes_per_s is not None:
        parts.append(f"{download.bytes_per_s / 1e6:.1f} MB/s")
    if download.seconds_left is not None:
        parts.append(f"{time_words(download.seconds_left)} left")
    return ", ".join(parts)


def amount_words(done: int, total: int | None) -> str:
    """So many bytes of so many: "1.20 of 5.19 GB"."""
    unit, size = ("MB", 1e6) if max(done, total or 0) < 1e8 else ("GB", 1e9)
    digits = 1 if unit == "MB" else 2
    of = "" if total is None else f" of {total / size:.{digits}f}"
    return f"{done / size:.{digits}f}{of} {unit}"


def time_words(seconds: float) -> str:
    """A time to wait: "40 s", "5 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60 // 10 * 10} s"
    if whole < 3600:
        return f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
