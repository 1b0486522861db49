"""The keys, at the bottom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from textual.events import Click

from moshi_tui.ui.keys import Key
from moshi_tui.ui.widgets.panel import Panel, Part, clicked

_ALWAYS = frozenset({"help", "quit"})
"""Shown however narrow it is: from there on all others are found."""


class KeyBar(Panel):
    """One line of keys with their labels, those of the table that fit; each can be clicked.

    Args:
        keys: the table.
        labels: called for the labels that are not those of the table now ("Unmute"), by action.
        failed: asked whether only the keys of a failed talk are of use.
        needed: asked for the actions that are shown however narrow it is, besides help and quit.
    """

    DEFAULT_CSS = """
    KeyBar {
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
    }
    """

    def __init__(
        self,
        keys: Sequence[Key],
        labels: Callable[[], Mapping[str, str]] = dict,
        failed: Callable[[], bool] = lambda: False,
        needed: Callable[[], frozenset[str]] = frozenset,
        *,
        ascii: bool = False,
    ) -> None:
        super().__init__()
        self._ascii = ascii
        self._keys = [key for key in keys if key.footer]
        self._labels = labels
        self._failed = failed
        self._needed = needed
        self._spots: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """The first picture."""
        self.update()

    def on_resize(self) -> None:
        """More or fewer fit."""
        self.update()

    def update(self) -> None:
        """The labels or the keys of use may have changed."""
        labels = self._labels()
        failed = self._failed()
        width = self.room.width
        shown = [
            _Shown(key, key.name(ascii=self._ascii), labels.get(key.action, key.label))
            for key in self._keys
            if key.on_failure or not failed
        ]
        if _cells(shown) > width:
            shown = [each.shorter() for each in shown]
        self._spots = []
        row: list[Part] = []
        x = 0
        for each in _fitting(shown, width, _ALWAYS | self._needed()):
            if row:
                row.append(("  ", ""))
                x += 2
            row += [(each.name, "accent"), (f" {each.label}", "")]
            self._spots.append((x, x + each.cells, each.key.action))
            x += each.cells
        self.set_rows([tuple(row)])

    async def on_click(self, event: Click) -> None:
        """A click does what the key does."""
        offset = event.get_content_offset(self)
        action = None if offset is None else clicked(offset.x, self._spots)
        if action is not None:
            await self.run_action(f"screen.{action}" if action != "quit" else "app.quit")


class _Shown(NamedTuple):
    """A key as it is shown."""

    key: Key
    name: str
    label: str

    @property
    def cells(self) -> int:
        return len(self.name) + 1 + len(self.label)

    def shorter(self) -> _Shown:
        plain = self.key.short and self.label == self.key.label
        return self._replace(label=self.key.short) if plain else self


def _cells(shown: list[_Shown]) -> int:
    return sum(each.cells + 2 for each in shown) - 2


def _fitting(shown: list[_Shown], width: int, always: frozenset[str]) -> list[_Shown]:
    """Those that fit in `width` cells, in order, with room for those of `always` kept."""
    chosen = [each for each in shown if each.key.action in always]
    for each in shown:
        if each.key.action not in always and _cells([*chosen, each]) <= width:
            chosen.append(each)
    return [each for each in shown if each in chosen]
