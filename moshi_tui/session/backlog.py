"""Frames that wait for the model. Where it is too slow or has stalled, the place where it skips."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.session.activity import Activity
from moshi_tui.session.lag import InputPolicy, Load

Item = TypeVar("Item")

ON_THE_WAY = 4
"""Frames that pass before something shed here is missing at the speaker."""
SPARE_SECONDS = 0.01
"""Of what waits at the speaker without need, the part that is left to its own control."""

WAIT_SECONDS = 0.1
"""How long a stage waits before it looks whether it should stop."""


@dataclass(frozen=True)
class Shed(Generic[Item]):
    """A frame that the model will not hear."""

    item: Item
    activity: Activity

    @property
    def speech(self) -> bool:
        """Whether a word, or a part of one, is lost with it."""
        return self.activity is Activity.SPEECH


@dataclass
class _Entry(Generic[Item]):
    item: Item
    activity: Activity
    lost: int
    """Frames of speech shed directly before it."""


class Backlog(Generic[Item]):
    """A queue that can look at all that waits in it before it lets go of some. Not thread-safe."""

    def __init__(self) -> None:
        self._policy = InputPolicy()
        self._waiting: deque[_Entry[Item]] = deque()
        self._lost = 0  # frames of speech shed since the last one that still waits
        self._recent: deque[int] = deque(maxlen=ON_THE_WAY)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: Item, activity: Activity) -> None:
        """Append the newest frame, in which there is `activity`."""
        self._waiting.append(_Entry(item, activity, self._lost))
        self._lost = 0

    def take(self) -> Item | None:
        """The oldest frame, for the model; None if none waits."""
        return self._waiting.popleft().item if self._waiting else None

    def clear(self) -> None:
        """Forget all that waits, and what was decided before."""
        self._waiting.clear()
        self._recent.clear()
        self._lost = 0
        self._policy = InputPolicy()

    def shed(self, load: Load) -> list[Shed[Item]]:
        """Let go of what the policy does not want the model to hear; to be called after `add`."""
        shed: list[Shed[Item]] = []
        ahead = int((load.surplus_s - SPARE_SECONDS) / FRAME_SECONDS) - sum(self._recent)
        while (index := self._next(load, max(0, ahead))) is not None:
            shed.append(self._remove(index))
        self._recent.append(len(shed))
        return shed

    def _next(self, load: Load, ahead: int) -> int | None:
        waiting = [(entry.activity, entry.lost) for entry in self._waiting]
        return self._policy.choose(waiting, load, ahead)

    def _remove(self, index: int) -> Shed[Item]:
        entry = self._waiting[index]
        del self._waiting[index]
        lost = entry.lost + (entry.activity is Activity.SPEECH)
        if index < len(self._waiting):
            self._waiting[index].lost += lost
        else:
            self._lost += lost
        return Shed(entry.item, entry.activity)


class WaitingRoom(Generic[Item]):
    """The backlog between the encode and the inference thread, which leave when the session stops.

    Args:
        stop: ends all waiting.
        limit: for sound from a file, which can wait: `put` blocks while so many wait. None: live
            sound, which can't: `put` returns at once, and what the policy does not want is shed.
    """

    def __init__(self, stop: threading.Event, limit: int | None) -> None:
        self._stop = stop
        self._limit = limit
        self._backlog: Backlog[Item] = Backlog()
        self._changed = threading.Condition()
        self._over = False

    def put(self, item: Item, activity: Activity, load: Load) -> list[Shed[Item]]:
        """Append the newest frame; returns what the model will not hear. See `Backlog`."""
        with self._changed:
            while self._limit is not None and len(self._backlog) >= self._limit:
                self._changed.wait(WAIT_SECONDS)
                if self._stop.is_set():
                    return []
            self._backlog.add(item, activity)
            self._changed.notify_all()
            return [] if self._limit is not None else self._backlog.shed(load)

    def take(self) -> Item | None:
        """The oldest frame; waits for it. None at the end, or when the session stops."""
        with self._changed:
            while not self._stop.is_set():
                if (item := self._backlog.take()) is not None:
                    self._changed.notify_all()
                    return item
                if self._over:
                    return None
                self._changed.wait(WAIT_SECONDS)
        return None

    def end(self) -> None:
        """No frame will follow."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget what waits."""
        with self._changed:
            self._backlog.clear()

    def __len__(self) -> int:
        return len(self._backlog)
