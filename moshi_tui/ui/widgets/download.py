"""What is being fetched: file by file, and how long it will go on."""

from __future__ import annotations

from collections.abc import Sequence

from moshi_tui.clean import clean
from moshi_tui.session.events import Download, FileProgress
from moshi_tui.ui.widgets.flow import Flow, column
from moshi_tui.ui.widgets.levels import ASCII, BLOCKS
from moshi_tui.ui.widgets.panel import Row, cells, spread
from moshi_tui.ui.widgets.stages import span

_UNITS = ((1e9, "GB", 2), (1e6, "MB", 1), (1e3, "kB", 0))
_PERCENT = 6  # cells
_BAR = 12
_BAR_FROM = 64
"""A file has a bar of its own from so many cells on."""
_MOST_FILES = 6


class DownloadList(Flow):
    """One line a file; those that don't fit are counted. Nothing while nothing is fetched."""

    def __init__(self, *, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.most = _MOST_FILES
        """So many lines at most."""
        self._ascii = ascii
        self._download: Download | None = None

    def show(self, download: Download | None) -> None:
        """Take the newest numbers in; None: it is over."""
        if download != self._download:
            self._download = download
            self.redraw()

    def lay_out(self, width: int) -> Sequence[Row]:
        """Files in their order; the finished ones make room first."""
        if self._download is None:
            return ()
        files = self._download.files
        shown = _chosen(files, self.most)
        sizes = max((len(_size(file)) for file in shown), default=0)
        rows = [self._row(file, width, sizes) for file in shown]
        hidden = len(files) - len(shown)
        if hidden:
            done = sum(_finished(file) for file in files) - sum(map(_finished, shown))
            words = [f"{done} more done"] if done else []
            words += [f"{hidden - done} more to come"] if hidden > done else []
            rows.append(((f"  {', '.join(words)}", "quiet"),))
        return rows

    def _row(self, file: FileProgress, width: int, sizes: int) -> Row:
        done = _finished(file)
        mark = ("+" if self._ascii else "✓") if done else " "
        tail: Row = ((f"  {_size(file):>{sizes}}", "quiet" if done else ""),)
        if file.total is not None:
            share = 1.0 if done else file.done / max(1, file.total)
            if width >= _BAR_FROM:
                picture = "" if done else bar(share, _BAR, ascii=self._ascii)
                tail = (("  ", ""), (picture, "bar"), (" " * (_BAR - len(picture)), ""), *tail)
            tail = (*tail, (f"{int(share * 100)} %".rjust(_PERCENT), "quiet" if done else ""))
        name = column(clean(file.name), width - 2 - cells(tail), ascii=self._ascii)
        return ((f"{mark} ", "good"), (name, "quiet" if done else ""), *tail)


class ProgressLine(Flow):
    """A bar for the stage, and under it what is known of its speed, with the time so far."""

    def __init__(self, *, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ascii = ascii
        self._fraction: float | None = None
        self._words = ""
        self._elapsed = 0

    def show(self, fraction: float | None, download: Download | None) -> None:
        """`fraction`: 0 to 1, None while unknown."""
        self._fraction, self._words = fraction, pace(download)
        self.redraw()

    def tick(self, elapsed_s: float) -> None:
        """So much time has passed since the start; whole seconds, as more is not shown."""
        if int(elapsed_s) != self._elapsed:
            self._elapsed = int(elapsed_s)
            self.redraw()

    def lay_out(self, width: int) -> Sequence[Row]:
        """Bar and percentage; speed and time."""
        share = self._fraction
        percent = "" if share is None else f"{int(share * 100)} %"
        picture = bar(share or 0.0, width - _PERCENT, ascii=self._ascii)
        time = f"{self._elapsed // 60}:{self._elapsed % 60:02}"
        return [
            ((picture, "bar"), (percent.rjust(_PERCENT), "strong")),
            spread(((self._words, ""),), ((time, "quiet"),), width),
        ]


def bar(fraction: float, width: int, *, ascii: bool = False) -> str:
    """A bar of exactly `width` cells."""
    parts = (ASCII if ascii else BLOCKS).parts
    steps = len(parts) - 1
    full, rest = divmod(int(min(1.0, max(0.0, fraction)) * max(0, width) * steps), steps)
    return (parts[-1] * full + parts[rest])[: max(0, width)].ljust(width)


def pace(download: Download | None) -> str:
    """ "23 MB/s, 2 min 50 s left"; what is not known is left out."""
    if download is None:
        return ""
    words = []
    if download.bytes_per_s is not None:
        words.append(f"{_speed(download.bytes_per_s)}/s")
    if download.seconds_left is not None:
        words.append(f"{span(max(1, round(download.seconds_left)))} left".replace(".0 s", " s"))
    return ", ".join(words)


def _speed(speed: float) -> str:
    unit, name, _ = next((u for u in _UNITS if speed >= u[0]), _UNITS[-1])
    value = speed / unit
    return f"{value:.1f} {name}" if value < 10 and name != "kB" else f"{value:.0f} {name}"


def _size(file: FileProgress) -> str:
    largest = file.done if file.total is None else max(file.total, file.done)
    unit, name, digits = next((u for u in _UNITS if largest >= u[0] * 0.9995), _UNITS[-1])
    done = f"{file.done / unit:.{digits}f}"
    if file.total is None:
        return f"{done} {name}"
    total = f"{file.total / unit:.{digits}f} {name}"
    return total if _finished(file) else f"{done} of {total}"


def _finished(file: FileProgress) -> bool:
    return file.total is not None and file.done >= file.total


def _chosen(files: Sequence[FileProgress], most: int) -> Sequence[FileProgress]:
    """Those on `most` lines, in their order: unfinished first; one line tells of the others."""
    if len(files) <= most:
        return files
    room = max(0, most - 1)
    wanted = sorted(range(len(files)), key=lambda index: _finished(files[index]))[:room]
    return [files[index] for index in sorted(wanted)]
