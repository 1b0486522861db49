"""All that the screen knows of the engine.

`session.engine.Engine` matches it, and so does the fake of the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from moshi_tui.session.events import Event
from moshi_tui.session.stats import Stats


class EngineLike(Protocol):
    """A session that loads, listens and speaks on its own threads."""

    @property
    def stats(self) -> Stats:
        """The newest snapshot: one atomic read, polled 15 times a second."""

    def start(self) -> None:
        """Begin to load, then to talk. Returns at once; events follow on other threads."""

    def stop(self, timeout: float) -> bool:
        """End all threads; True if they ended within `timeout` seconds. May be called again."""

    def set_muted(self, muted: bool) -> None:
        """Let the model hear silence instead of the microphone. Answered by a `Muted` event."""

    def reset(self) -> None:
        """Let model, codecs and queues forget. Answered by a `WasReset` event."""


Listener = Callable[[Event], None]
EngineFactory = Callable[[Listener], EngineLike]
"""Makes an engine, not started yet, that will call the listener on its threads."""
