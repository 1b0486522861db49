"""The conversation of a recording up to one place after the other, as somebody moves in it."""

from __future__ import annotations

from collections.abc import Sequence

from moshi_tui.session.events import Event, SessionInfo
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.telling import open_with, tell

_APART = 500
"""Events between two conversations that are kept."""


class Retelling:
    """Makes conversations that mostly begin alike, and goes on from where it has been before: hours
    of talk take too long to be told anew for each repeat of a key that is held down.

    Args:
        info: what was running.
        ascii: see `Conversation`.
    """

    def __init__(self, info: SessionInfo, *, ascii: bool) -> None:
        first = Conversation(ascii=ascii)
        open_with(first, info)
        self._kept = [first]  # number n knows n * `_APART` events,
        self._told: Sequence[Event] = ()  # the first ones of these

    def up_to(self, events: Sequence[Event]) -> Conversation:
        """The conversation after these events; it is the caller's."""
        del self._kept[_alike(self._told, events) // _APART + 1 :]
        self._told = events
        while len(self._kept) * _APART <= len(events):
            talk, at = self._kept[-1].fork(), (len(self._kept) - 1) * _APART
            for event in events[at : at + _APART]:
                tell(talk, event)
            self._kept.append(talk)
        talk = self._kept[-1].fork()
        for event in events[(len(self._kept) - 1) * _APART :]:
            tell(talk, event)
        return talk


def _alike(some: Sequence[Event], others: Sequence[Event]) -> int:
    """How many of them are the same, from the first on."""
    pairs = enumerate(zip(some, others, strict=False))
    different = (at for at, (one, other) in pairs if one is not other and one != other)
    return next(different, min(len(some), len(others)))
