"""The talk, growing."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from moshi_tui.ui.conversation import Conversation, Entry
from moshi_tui.ui.text import wrap

_CURSOR = "▌"
_NARROW = 40
"""Below this many cells the speaker's column goes."""


class Transcript(ScrollView, can_focus=True):
    """Shows a `Conversation`, one wrapped entry after the other; follows its end unless the
    reader has scrolled away from it.

    All lines are virtual: what is kept of each is only where it begins and ends in its entry.
    A piece of text wraps the last line again and repaints it; only a new line lays anything out.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "transcript--time",
        "transcript--speaker",
        "transcript--event",
        "transcript--cursor",
    }
    DEFAULT_CSS = """
    Transcript {
        padding: 0 0 0 1;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        border: round $foreground 30%;
        border-title-color: $foreground;
    }
    Transcript > .transcript--time {
        color: $foreground-muted;
    }
    Transcript > .transcript--speaker {
        color: $text-primary;
        text-style: bold;
    }
    Transcript > .transcript--event {
        color: $foreground-muted;
        text-style: italic;
    }
    Transcript > .transcript--cursor {
        color: $primary;
    }
    """
    BORDER_TITLE = "Conversation"

    speaking: reactive[bool] = reactive(False, repaint=False)
    """A cursor stands behind the words that are still coming."""

    def __init__(self, conversation: Conversation, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._conversation = conversation
        self._width = 0  # 0 until the first layout
        self._lines: list[tuple[int, int, int]] = []  # index of the entry, span of its text
        self._first: list[int] = []  # for each wrapped entry, its first line
        self._following = True

    def update_from(self, index: int) -> None:
        """Entry `index` has changed, and those after it may be new."""
        if self._width and index < len(self._conversation.entries):
            self._wrap_from(index)

    def lines(self) -> list[str]:
        """All lines as they are drawn, without the cursor and the padding on the right."""
        return [Strip(self._segments(y)).text.rstrip() for y in range(len(self._lines))]

    def watch_speaking(self) -> None:
        """Repaint the one line with the cursor."""
        open_entry = self._conversation.open
        if open_entry is not None and open_entry < len(self._first):
            self.refresh_line(self._last_line(open_entry))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow again once the reader is back at the end."""
        super().watch_scroll_y(old_value, new_value)
        self._following = round(new_value) >= self.max_scroll_y

    def on_resize(self) -> None:
        """Wrap all again; the reader's place stays where it is."""
        width = self.scrollable_content_region.width
        following, top = self._following, self.scroll_offset.y
        if width != self._width:
            self._width = width
            entry = self._lines[top][0] if top < len(self._lines) else 0
            offset = top - self._first[entry] if entry < len(self._first) else 0
            self._lines, self._first = [], []
            self._wrap_from(0)
            if entry < len(self._first):
                offset = min(offset, self._last_line(entry) - self._first[entry])
                top = self._first[entry] + offset
            self.refresh()
        if following:
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)
        else:
            self.scroll_to(y=top, animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        """A line of the viewport."""
        line = self.scroll_offset.y + y
        width = self.size.width
        if line >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        segments = self._segments(line)
        index = self._lines[line][0]
        if self.speaking and index == self._conversation.open and line == self._last_line(index):
            style = self.get_component_rich_style("transcript--cursor")
            segments.append(Segment(_CURSOR, style))
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _wrap_from(self, index: int) -> None:
        entries = self._conversation.entries
        before = len(self._lines)
        changed = before
        if index < len(self._first):
            grown = index == len(self._first) - 1 and entries[index].speaker
            if grown:  # an utterance changes at its end only: its last line suffices
                changed = before - 1
                start = self._lines[changed][1] if changed > self._first[index] else 0
            else:
                changed, start = self._first[index], 0
                del self._first[index + 1 :]
            del self._lines[changed:]
            self._append(index, start)
        for new in range(len(self._first), len(entries)):
            self._first.append(len(self._lines))
            self._append(new, 0)
        if len(self._lines) != before:
            following = self._following
            self.virtual_size = Size(self._width, len(self._lines))
            if following:
                self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)
        self.refresh_lines(changed, max(before, len(self._lines)) - changed)

    def _append(self, index: int, start: int) -> None:
        entry = self._conversation.entries[index]
        room = self._width - len(self._prefix(entry)) - len(_CURSOR)
        self._lines.extend((index, *span) for span in wrap(entry.text, max(8, room), start))

    def _last_line(self, index: int) -> int:
        after = self._first[index + 1] if index + 1 < len(self._first) else len(self._lines)
        return after - 1

    def _prefix(self, entry: Entry) -> str:
        """Time and speaker. Its length is the hanging indent."""
        who = f"{entry.speaker or '·':<5}  " if self._width >= _NARROW else ""
        return f"{entry.clock} {who}"

    def _segments(self, line: int) -> list[Segment]:
        index, start, end = self._lines[line]
        entry = self._conversation.entries[index]
        style, component = self.rich_style, self.get_component_rich_style
        prefix = self._prefix(entry)
        time = len(entry.clock)
        if line == self._first[index]:
            segments = [
                Segment(prefix[:time], component("transcript--time")),
                Segment(
                    prefix[time:],
                    component("transcript--speaker" if entry.speaker else "transcript--time"),
                ),
            ]
        else:
            segments = [Segment(" " * len(prefix), style)]
        text_style = style if entry.speaker else component("transcript--event")
        segments.append(Segment(entry.text[start:end], text_style))
        return segments
