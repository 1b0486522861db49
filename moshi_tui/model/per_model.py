"""Things that are made once for a model and go with it."""

from __future__ import annotations

import weakref
from typing import Generic, TypeVar

from moshi_tui.model.lm import Lm

Thing = TypeVar("Thing")


class PerModel(Generic[Thing]):
    """One thing for each model, for as long as there is that model. (Models can't be hashed, so a
    WeakKeyDictionary won't do.)"""

    def __init__(self) -> None:
        self._things: dict[int, Thing] = {}

    def get(self, model: Lm) -> Thing | None:
        """What was set for `model`; None if nothing was."""
        return self._things.get(id(model))

    def set(self, model: Lm, thing: Thing) -> Thing:
        """Keep `thing`, and hand it back."""
        if id(model) not in self._things:
            weakref.finalize(model, self._things.pop, id(model), None)
        self._things[id(model)] = thing
        return thing

    def drop(self, model: Lm) -> None:
        """Let go of what was set for `model`, if anything was."""
        self._things.pop(id(model), None)
