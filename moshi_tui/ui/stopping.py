"""Stopping the engine within a bounded time, whatever it is doing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

STOP_SECONDS = 0.5
"""What the engine gets to stop in. With leaving the screen, which goes on meanwhile, it makes less
than the second in which the program is to be gone."""

_GRACE_SECONDS = 0.1
"""For a `stop` that keeps to its timeout to come back and say so."""


class Stopper:
    """Calls `stop(timeout)` once, on a daemon thread, and waits for it no longer than it may take.

    A thread in the middle of a long step (MLX compiling, weights being read) can't be interrupted:
    then the program has to end without it, by `os._exit` once the terminal is as it was.
    """

    def __init__(self, stop: Callable[[float], bool], timeout: float = STOP_SECONDS) -> None:
        self._stop = stop
        self._timeout = timeout
        self._deadline = 0.0
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._error: Exception | None = None

    def begin(self) -> None:
        """Start to stop; returns at once. Nothing the second time."""
        if self._thread is None:
            self._deadline = time.monotonic() + self._timeout + _GRACE_SECONDS
            self._thread = threading.Thread(target=self._run, name="engine-stop", daemon=True)
            self._thread.start()

    def finish(self) -> bool:
        """Wait for the end. True: the engine has stopped; False: out of time. Raises what `stop`
        raised."""
        self.begin()
        assert self._thread is not None
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if self._error is not None:
            raise self._error
        return self._stopped

    def _run(self) -> None:
        try:
            self._stopped = self._stop(self._timeout)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            self._error = error
