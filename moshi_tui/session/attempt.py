"""Something that may hang, done on a thread of its own and waited for in bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")

_LOOK_SECONDS = 0.1


class Attempt(Generic[Thing]):
    """Makes a thing; if nobody waits for it any more when it is made, it is thrown away.

    Args:
        make: makes it, on a thread of its own.
        drop: throws it away, on the same thread.
    """

    def __init__(self, make: Callable[[], Thing], drop: Callable[[Thing], None]) -> None:
        self._make = make
        self._drop = drop
        self._made: list[Thing] = []
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._abandoned = False
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="sound-open", daemon=True).start()

    def result(self, seconds: float, stop: threading.Event) -> Thing | None:
        """The thing; None if it takes longer than this, or if `stop` is set. Raises what making it
        raised."""
        deadline = time.monotonic() + seconds
        while not self._done.wait(_LOOK_SECONDS):
            if stop.is_set() or time.monotonic() > deadline:
                with self._lock:
                    self._abandoned = not self._done.is_set()
                if self._abandoned:
                    return None
        if self._error is not None:
            raise self._error
        return self._made[0]

    def _run(self) -> None:
        try:
            made = self._make()
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self._error = error
            self._done.set()
            return
        with self._lock:
            self._made.append(made)
            if not self._abandoned:
                self._done.set()
                return
        self._drop(made)
