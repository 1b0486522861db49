"""Sound devices to choose from, and how loud one of them is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message

from moshi_tui.clean import clean
from moshi_tui.ui.widgets.flow import column, cut
from moshi_tui.ui.widgets.levels import (
    ASCII,
    BLOCKS,
    FLOOR_DB,
    HOLD_SECONDS,
    PeakHold,
    bar_of,
    number,
)
from moshi_tui.ui.widgets.panel import Panel, Row, cells, spread

if TYPE_CHECKING:
    from moshi_tui.audio.devices import Device
    from moshi_tui.audio.levels import Level
    from moshi_tui.session.events import Side

IN_USE, GONE, DEFAULT = "in use", "gone", "default"

TABLE_FROM = 68
"""From so many cells on there is room for more than name and marks."""

_LONGEST_API = 16
_GAP = 2


@dataclass(frozen=True)
class Entry:
    """A line of the list."""

    name: str
    """Cleaned."""
    device: Device | None
    """None: it is not plugged in any more, or it is a file."""
    marks: tuple[str, ...] = ()
    """IN_USE, GONE, DEFAULT."""

    @property
    def stands_in(self) -> bool:
        """There is no device: the demo does without one."""
        from moshi_tui.session.ends import NO_MICROPHONE, NO_SPEAKER

        return self.device is None and self.name in (NO_MICROPHONE, NO_SPEAKER)

    def details(self, side: Side) -> tuple[str, str, str]:
        """Host API, rate, channels."""
        if self.device is None:
            return ("" if self.stands_in else "not in the list", "", "")
        rate = f"{self.device.rate / 1000:.4g} kHz"
        return (clean(self.device.host_api), rate, f"{self.device.channels(side)} ch")


def entries_of(
    devices: Sequence[Device], side: Side, used: str, lost: bool, chosen: Device | None
) -> tuple[Entry, ...]:
    """The lines of one side.

    Args:
        used: the name of the device in use, empty before there is one.
        lost: it has stopped by itself.
        chosen: what was taken last: it tells two of the same name apart.
    """
    able = [device for device in devices if device.channels(side)]
    same = [device for device in able if device.name == used]
    current = max(same, key=lambda d: (d == chosen, d.is_default(side)), default=None)
    entries = []
    if used and current is None:
        entries.append(Entry(clean(used), None, (GONE if lost else IN_USE,)))
    for device in able:
        marks = [GONE if lost else IN_USE] if device is current else []
        marks += [DEFAULT] if device.is_default(side) else []
        entries.append(Entry(clean(device.name), device, tuple(marks)))
    return tuple(entries)


class DeviceList(Panel):
    """Microphones or speakers, one a line; the highlighted one stays in sight.

    As a table where there is room for it, else name and marks: `details` has the rest.
    """

    can_focus = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {"panel--cursor", "panel--row"}
    DEFAULT_CSS = """
    DeviceList > .panel--row { color: $foreground; text-style: bold; }
    DeviceList > .panel--cursor {
        background: $block-cursor-background;
        color: $block-cursor-foreground;
        text-style: bold;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-100000)", show=False),
        Binding("end", "move(100000)", show=False),
        Binding("enter", "choose", show=False),
    ]

    class Highlighted(Message):
        """Another device is highlighted."""

    class Chosen(Message):
        """The person takes this one."""

        def __init__(self, side: Side, entry: Entry) -> None:
            super().__init__()
            self.side: Side = side
            self.entry = entry

    def __init__(self, side: Side, *, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.side: Side = side
        self.entries: tuple[Entry, ...] = ()
        self._ascii = ascii
        self._cursor = 0
        self._top = 0

    @property
    def highlighted(self) -> Entry | None:
        """The one that keys act on; None where the list is empty."""
        return self.entries[self._cursor] if self.entries else None

    @property
    def details(self) -> str:
        """Host API, rate and channels of the highlighted one where its line has no room for them;
        else which part of a long list is seen."""
        entry = self.highlighted
        if entry is not None and self.content_size.width < TABLE_FROM:
            return "  ".join(filter(None, entry.details(self.side)))
        if len(self.entries) > self.content_size.height:
            return f"{self._cursor + 1} of {len(self.entries)}"
        return ""

    def show(self, entries: tuple[Entry, ...]) -> None:
        """Other devices, or other marks; the highlight stays on its device if that is still
        there, else it goes to the one in use."""
        if entries == self.entries:
            return
        before = self.highlighted
        names = [(entry.name, entry.device) for entry in entries]
        if before is not None and (before.name, before.device) in names:
            self._cursor = names.index((before.name, before.device))
        else:
            in_use = (i for i, entry in enumerate(entries) if {IN_USE, GONE} & {*entry.marks})
            usual = (i for i, entry in enumerate(entries) if DEFAULT in entry.marks)
            self._cursor = next(in_use, next(usual, 0))
        self.entries = entries
        self._draw()
        self.post_message(self.Highlighted())

    def action_move(self, lines: int) -> None:
        """Highlight another one."""
        cursor = max(0, min(len(self.entries) - 1, self._cursor + lines))
        if cursor != self._cursor:
            self._cursor = cursor
            self._draw()
            self.post_message(self.Highlighted())

    def action_page(self, pages: int) -> None:
        """The same by what fits."""
        self.action_move(pages * max(1, self.content_size.height - 1))

    def action_choose(self) -> None:
        """Take the highlighted one."""
        if self.highlighted is not None:
            self.post_message(self.Chosen(self.side, self.highlighted))

    def on_click(self, event: Click) -> None:
        """Highlight what is pointed at."""
        self.action_move(self._top + event.y - self._cursor)

    def on_focus(self) -> None:
        """The highlight shows where keys go."""
        self._draw()

    def on_blur(self) -> None:
        """The same."""
        self._draw()

    def on_resize(self) -> None:
        """More or fewer fit."""
        self._draw()

    def _draw(self) -> None:
        width, height = self.content_size
        self._top = max(0, min(self._top, self._cursor, len(self.entries) - height))
        self._top = max(self._top, self._cursor - height + 1)
        if not self.entries:
            self.set_rows([(("  none", "quiet"),)])
            return
        api = max(cell_len(entry.details(self.side)[0]) for entry in self.entries)
        shown = self.entries[self._top : self._top + height]
        self.set_rows(
            [
                self._row(entry, width, min(api, _LONGEST_API), self._top + y == self._cursor)
                for y, entry in enumerate(shown)
            ]
        )

    def _row(self, entry: Entry, width: int, api: int, here: bool) -> Row:
        look = ("cursor" if self.has_focus else "row") if here else ""
        mark = (">" if self._ascii else "▸") if here else " "
        marks = ", ".join(entry.marks)
        tail = f"{'':{_GAP}}{marks}" if marks else ""
        if width >= TABLE_FROM:
            host_api, rate, channels = entry.details(self.side)
            tail = (
                f"{'':{_GAP}}{column(host_api, api, ascii=self._ascii)}{'':{_GAP}}{rate:>8}"
                f"{'':{_GAP}}{channels:>5}{'':{_GAP}}{marks:<15}"
            )
        name = column(entry.name, width - 2 - cell_len(tail), ascii=self._ascii)
        return ((f"{mark} {name}{tail}", look),)


class LevelLine(Panel):
    """How loud a microphone is: bar with a mark at the held peak, dBFS; or words."""

    DEFAULT_CSS = """
    LevelLine {
        height: 1;
    }
    """

    _NAME = "  Level "

    def __init__(self, *, ascii: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._ascii = ascii
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """It is about another microphone from now on."""
        self._hold = PeakHold()
        self._clipped_at = -math.inf
        self._heard_at = self._clock()

    def say(self, words: str, look: str = "quiet") -> None:
        """Words instead of a bar."""
        width = self.content_size.width - len(self._NAME)
        self.set_rows([((self._NAME, ""), (cut(words, width, ascii=self._ascii), look))])

    @property
    def silent_s(self) -> float:
        """For how long there was nothing but digital silence."""
        return self._clock() - self._heard_at

    def show(self, level: Level, *, silent: bool) -> None:
        """The newest level. Rounded to what can be seen: the same again draws nothing.

        Args:
            silent: a device has delivered nothing for so long that something must be wrong.
        """
        now = self._clock()
        if level.clipped:
            self._clipped_at = now
        if level.rms_db > -math.inf:
            self._heard_at = now
        elif silent:
            self.say("none: digital silence. Switched off, or not permitted?", "alert")
            return
        peak_db = self._hold.update(level.peak_db, now)
        clip = "CLIP" if now - self._clipped_at < HOLD_SECONDS else ""
        # A moment of digital silence is a quiet one: "none" would come and go.
        words = f"{number(max(FLOOR_DB, level.rms_db))} dBFS"
        tail: Row = ((f" {clip:<4}", "clip" if clip else ""), (words, ""))
        if self.content_size.width >= 48:
            tail = (*tail, (f"  peak{number(max(FLOOR_DB, peak_db))}", "quiet"))
        room = max(0, self.content_size.width - len(self._NAME) - cells(tail))
        glyphs = ASCII if self._ascii else BLOCKS
        before, peak, after = bar_of(level.rms_db, peak_db, room, glyphs).partition(glyphs.peak)
        self.set_rows([((self._NAME, ""), (before, "bar"), (peak, "peak"), (after, "bar"), *tail)])


class Heading(Panel):
    """The name of a list, and on the right what the list has no room for."""

    DEFAULT_CSS = """
    Heading {
        height: 1;
    }
    """

    def __init__(self, name: str, *, ascii: bool = False) -> None:
        super().__init__()
        self._name_of_list = name
        self._ascii = ascii

    def show(self, details: str) -> None:
        """Other details."""
        width = self.content_size.width
        details = cut(details, width - len(self._name_of_list) - 2, ascii=self._ascii)
        self.set_rows([spread(((self._name_of_list, "accent"),), ((details, "quiet"),), width)])
