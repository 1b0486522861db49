"""The keys, at the bottom."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual.events import Click

from moshi_tui.ui.keys import KEYS, Key
from moshi_tui.ui.widgets.panel import Panel, Part, clicked

_ALWAYS = frozenset({"help", "quit"})
"""Shown however narrow it is: from there on all others are found."""


class KeyBar(Panel):
    """One line of keys with their labels, those of the table that fit; each can be clicked.

    Args:
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
        labels: Callable[[], Mapping[str, str]] = dict,
        failed: Callable[[], bool] = lambda: False,
        needed: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        super().__init__()
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
        keys = [key for key in KEYS if key.footer and (key.on_failure or not failed)]
        texts = [(key, labels.get(key.action, key.label)) for key in keys]
        width = self.room.width
        if _cells(texts) > width:
            texts = [
                (key, key.short if key.short and label == key.label else label)
                for key, label in texts
            ]
        self._spots = []
        row: list[Part] = []
        x = 0
        for key, label in _fitting(texts, width, _ALWAYS | self._needed()):
            if row:
                row.append(("  ", ""))
                x += 2
            row += [(key.name, "accent"), (f" {label}", "")]
            width = len(key.name) + 1 + len(label)
            self._spots.append((x, x + width, key.action))
            x += width
        self.set_rows([tuple(row)])

    async def on_click(self, event: Click) -> None:
        """A click does what the key does."""
        offset = event.get_content_offset(self)
        action = None if offset is None else clicked(offset.x, self._spots)
        if action is not None:
            await self.run_action(f"screen.{action}" if action != "quit" else "app.quit")


def _cells(keys: list[tuple[Key, str]]) -> int:
    return sum(len(key.name) + 1 + len(label) + 2 for key, label in keys) - 2


def _fitting(
    keys: list[tuple[Key, str]], width: int, always: frozenset[str]
) -> list[tuple[Key, str]]:
    """Those that fit in `width` cells, in order, with room for those of `always` kept."""
    chosen = [pair for pair in keys if pair[0].action in always]
    for pair in keys:
        if pair[0].action not in always and _cells([*chosen, pair]) <= width:
            chosen.append(pair)
    return [pair for pair in keys if pair in chosen]
