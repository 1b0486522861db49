"""A file in the Trace Event Format, written by a thread of its own: opens in ui.perfetto.dev and
chrome://tracing.

It is a JSON array with one event a line, and the format lets its end be missing: a file whose
process was killed opens as it is. Whoever tells an event never waits for the disk: what does not
fit into the queue is dropped and counted.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.lines import LinesFile

log = logging.getLogger(__name__)

QUEUE_LENGTH = 4096
"""About a minute of a talk, and 2 MB."""
WRITE_SECONDS = 0.25
"""From one write to the next."""
CLOSE_SECONDS = 0.4
"""What the file gets to be completed in when the talk ends."""

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)

Record = dict[str, Any]
Describe = Callable[[], Iterable[Record]]
"""Makes events of the format: called on the thread that writes them."""


class TraceFile:
    """Begins to write when made; a file of that name is replaced. Any thread may call any method.

    Args:
        path: the file.
        head: the first events.
        failed: told once, on the thread that writes, why the file has ended by itself.
        dropped: told once, there, that something is missing.
    """

    def __init__(
        self,
        path: Path,
        head: Describe,
        *,
        failed: Callable[[MoshiTuiError], None],
        dropped: Callable[[], None],
    ) -> None:
        self.dropped = 0
        """What did not fit into the queue."""
        self._path = path
        self._failed = failed
        self._tell_dropped = dropped
        self._waiting: deque[Describe] = deque((head,))
        self._counting = threading.Lock()
        self._over = False
        self._end: Callable[[int], Iterable[Record]] | None = None
        self._ending = threading.Event()
        self._size = 0
        self._thread = threading.Thread(target=self._run, name="trace", daemon=True)
        self._thread.start()

    def add(self, events: Describe) -> None:
        """Write them in a while. Never waits."""
        if len(self._waiting) < QUEUE_LENGTH:
            self._waiting.append(events)
        elif not self._over:
            with self._counting:
                self.dropped += 1

    def close(self, end: Callable[[int], Iterable[Record]]) -> None:
        """Complete the file with the last events, of which there is one at least; `end` is told how
        often something was dropped. Waits 0.4 s at most. May be called twice: the first end counts.
        """
        if self._end is None:
            self._end = end
        self._ending.set()
        self._thread.join(CLOSE_SECONDS)

    # The thread.

    def _run(self) -> None:
        try:
            self._write()
        except Exception as failure:
            log.exception("trace thread")
            self._failed(_broken_off(self._path, failure))
        finally:
            self._over = True
            self._waiting.clear()

    def _write(self) -> None:
        real = _real(self._path)
        real.unlink(missing_ok=True)  # another program may still be writing it
        file = LinesFile(real)
        try:
            self._put(file, "[\n")
            told = False
            while not self._ending.wait(WRITE_SECONDS):
                self._put(file, self._lines())
                if self.dropped and not told:
                    told = True
                    self._tell_dropped()
            assert self._end is not None
            lines = self._lines() + _as_lines(self._end(self.dropped))
            self._put(file, lines.removesuffix(",\n") + "\n]\n")
        except OSError:
            file.rescue()
            raise
        finally:
            with suppress(OSError):  # nothing is left to be written
                file.close()

    def _lines(self) -> str:
        """What waits by now."""
        count = len(self._waiting)
        return "".join(_as_lines(self._waiting.popleft()()) for _ in range(count))

    def _put(self, file: LinesFile, lines: str) -> None:
        if file.gone:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._path))
        data = lines.encode()
        file.put(self._size, data)
        self._size += len(data)


def _as_lines(events: Iterable[Record]) -> str:
    return "".join(f"{_ENCODER.encode(event)},\n" for event in events)


def _real(path: Path) -> Path:
    """Where a link leads to."""
    return Path(os.path.realpath(path))


def _broken_off(path: Path, failure: Exception) -> MoshiTuiError:
    if isinstance(failure, OSError):
        why = failure.strerror or str(failure)
    else:
        why = f"{type(failure).__name__}: {failure}"
    return MoshiTuiError(
        "The trace has ended", f"{path}: {why}.", "What was written so far can be opened."
    )
