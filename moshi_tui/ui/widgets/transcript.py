"""The talk, growing."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from moshi_tui.ui.conversation import Conversation, Entry
from moshi_tui.ui.finding import Finder, Found
from moshi_tui.ui.lines import Lines
from moshi_tui.ui.selecting import Place, moved, places, selected_text, whole_entries
from moshi_tui.ui.widgets.kept import Kept
from moshi_tui.ui.widgets.painting import Looks, Painter, layers_of

_KEPT_STRIPS = 400
"""Painted lines to remember: some pages, for scrolling."""


class Transcript(Kept, ScrollView, can_focus=True):
    """Shows a `Conversation`, one wrapped entry after the other; follows its end unless the
    reader has scrolled away from it, has selected something or is at something found.

    All lines are virtual (see `Lines`), and a painted line is kept until it changes. A piece of
    text wraps the last line again and repaints it; only a new line lays anything out.

    Args:
        ascii: nothing that a terminal without block characters can't draw.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("shift+up,K", "mark(-1)", "Select upwards", show=False),
        Binding("shift+down,J", "mark(1)", "Select downwards", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "transcript--time",
        "transcript--moshi",
        "transcript--you",
        "transcript--turn",
        "transcript--event",
        "transcript--cursor",
        "transcript--match",
        "transcript--current",
    }
    DEFAULT_CSS = """
    Transcript {
        min-height: 1;
        padding: 0 0 0 1;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        & > .transcript--time { color: $foreground-muted; }
        & > .transcript--moshi { color: $text-primary; text-style: bold; }
        & > .transcript--you { color: $text-success; text-style: bold; }
        & > .transcript--turn { color: $text-success 70%; }
        & > .transcript--event { color: $foreground-muted; text-style: italic; }
        & > .transcript--cursor { color: $primary; }
        & > .transcript--match {
            color: $text-warning;
            background: $warning-muted;
            text-style: underline;
        }
        & > .transcript--current { text-style: reverse bold; }
    }
    """

    speaking: reactive[bool] = reactive(False, repaint=False)
    """A cursor stands behind the words that are still coming."""
    found: reactive[Found | None] = reactive(None, repaint=False)
    """What the search has found; None while nothing is looked for."""
    hint: reactive[str] = reactive("", repaint=False)
    """That there is more below, and how to get there; empty at the end."""

    def __init__(
        self, conversation: Conversation, *, ascii: bool = False, id: str | None = None
    ) -> None:
        self._strips: dict[int, Strip] = {}
        self._looks = Looks(self)
        super().__init__(id=id)
        self._ascii = ascii
        self._take(conversation)
        self._selected: tuple[Place, Place] | None = None
        self._marks: tuple[int, int] | None = None  # selected by keys: from this entry to that
        self._cursor: int | None = None  # the entry that it stands behind
        self._at_end = True
        self._unseen = 0  # lines that have come since the reader left the end

    # What the conversation does

    def _take(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._lines = Lines(conversation)
        self._painter = Painter(conversation, self._lines, self._looks, ascii=self._ascii)
        self._finder = Finder(conversation.entries)

    def show(self, conversation: Conversation) -> None:
        """Another conversation, from its end on: nothing is selected any more, what is looked for
        is looked for anew."""
        if self._selected is not None:
            self.screen.clear_selection()
        words, width = self._finder.words, self._lines.width
        self._take(conversation)
        self._selected = self._marks = self._cursor = None
        self._unseen, self._at_end = 0, True
        if not width:  # not laid out yet
            return
        self._lines.set_width(width)
        self._strips.clear()
        self._set_height()
        self._move_cursor()
        self._to_end()
        self._give_hint()
        self.refresh()
        if self.found is not None:
            self.find(words)

    def update_from(self, index: int) -> None:
        """Entry `index` has changed or is new: what the methods of `Conversation` return."""
        if not self._lines.width or index >= len(self._conversation.entries):
            return
        if index < self._lines.entries < len(self._conversation.entries):
            self._make_room(index)
        before = len(self._lines)
        changed = self._lines.update(index)
        self._move_cursor()
        if self.found is not None:  # what is found may begin on a line that has not changed
            changed = range(min(changed.start, self._lines.first(index)), changed.stop)
        for line in [line for line in self._strips if line in changed]:
            del self._strips[line]
        more = len(self._lines) - before
        if more:
            following = self._following
            self._set_height()
            if following:
                self._to_end()
            else:
                self._at_end = False
                self._unseen += max(0, more)
                self._give_hint()
        top = self.scroll_offset.y
        if changed.start < top + self.size.height and changed.stop > top:
            self.refresh_lines(changed.start, len(changed))
        if self.found is not None:
            match = self._finder.match
            self._finder.update_from(index)
            self._show_match(moved=match != self._finder.match)

    def _make_room(self, index: int) -> None:
        """An entry has been put in: what is selected and found has moved down."""
        self._finder.put_in(index)
        if self._cursor is not None and self._cursor >= index:
            self._cursor += 1
        if self.text_selection is not None:
            if self._marks is not None:
                anchor, head = self._marks
                self._marks = anchor + (anchor >= index), head + (head >= index)
            selections = self.screen.selections
            self.screen.selections = {**selections, self: moved(self.text_selection, index)}

    def lines(self) -> list[str]:
        """All lines as they are drawn, without the cursor and the padding on the right."""
        return [self._painter.text(self._lines[y]).rstrip() for y in range(len(self._lines))]

    def watch_speaking(self) -> None:
        """The cursor comes or goes."""
        self._move_cursor()

    def _move_cursor(self) -> None:
        """Repaint the line that it leaves and the line that it comes to."""
        entry = self._conversation.open if self.speaking else None
        if entry is not None and entry >= self._lines.entries:
            return  # not shown yet: `update_from` follows
        if entry != self._cursor:
            for changed in (self._cursor, entry):
                if changed is not None:
                    line = self._lines.last(changed)
                    self._strips.pop(line, None)
                    self.refresh_line(line)
            self._cursor = entry

    # Where the reader is

    @property
    def _following(self) -> bool:
        return self._at_end and self._selected is None and self._finder.match is None

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow again once the reader is back at the end."""
        super().watch_scroll_y(old_value, new_value)
        self._at_end = round(new_value) >= self.max_scroll_y
        self._give_hint()

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:
        """The scrollbar does not know where the reader is while it is not shown."""
        if shown:
            self.vertical_scrollbar.position = self.scroll_y

    def on_resize(self) -> None:
        """Wrap all again; the reader's place stays where it is."""
        self._crops = None
        width = self.scrollable_content_region.width
        at_end, top = self._at_end, self.scroll_offset.y
        if width != self._lines.width:
            line = self._lines[top] if top < len(self._lines) else None
            self._lines.set_width(width)
            self._strips.clear()
            self._move_cursor()
            self.virtual_size = Size(width, len(self._lines))
            if line is not None:
                top = self._lines.line_of(line.entry, line.start)
            self.refresh()
        if at_end:
            self._to_end()
        else:
            self.scroll_to(y=top, animate=False, immediate=True)

    def action_scroll_end(self) -> None:
        """Go to the end and follow it again: nothing stays selected."""
        if self._selected is not None:
            self.screen.clear_selection()
        self._to_end()

    def action_scroll_home(self) -> None:
        """To the beginning. Nothing here glides: while lines come, one would not arrive."""
        self.scroll_home(animate=False)

    def action_page_up(self) -> None:
        """A page back."""
        self.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        """A page on."""
        self.scroll_page_down(animate=False)

    def _set_height(self) -> None:
        """There are more lines, or fewer. Only a scrollbar that comes or goes needs the screen to
        be laid out again, which takes longer than all else together."""
        size, height = Size(self._lines.width, len(self._lines)), self.size.height
        if self.show_vertical_scrollbar and self.virtual_size.height > height < size.height:
            self.set_reactive(Transcript.virtual_size, size)
            self.vertical_scrollbar.window_virtual_size = size.height
        else:
            self.virtual_size = size

    def _to_end(self) -> None:
        self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)

    def _give_hint(self) -> None:
        below = max(0, len(self._lines) - self.scroll_offset.y - self.size.height)
        self._unseen = min(self._unseen, below)
        if self._unseen:
            lines = "line" if self._unseen == 1 else "lines"
            self.hint = f"{self._unseen} new {lines} below {self._painter.bullet} End"
        else:
            self.hint = f"more below {self._painter.bullet} End" if below else ""

    # Selecting and copying

    def selection_updated(self, selection: Selection | None) -> None:
        """Something else is selected, or nothing any more."""
        entries = self._conversation.entries
        self._selected = None if selection is None else places(selection, entries)
        if self._marks is not None and selection != whole_entries(*sorted(self._marks)):
            self._marks = None
        self._strips.clear()
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text of it, an entry a line however it is wrapped."""
        entries = self._conversation.entries
        return selected_text(selection, entries, self._painter.prefix), "\n"

    def action_mark(self, by: int) -> None:
        """Select whole entries by keys: at first the last one in view, then more or fewer."""
        if not len(self._lines):
            return
        if self._marks is None:
            anchor = head = self._lines[self._bottom].entry
        else:
            anchor, head = self._marks
            head = min(max(0, head + by), len(self._conversation.entries) - 1)
        self._mark(anchor, head)
        self._show_lines(self._lines.first(head), self._lines.last(head))

    def on_click(self, event: events.Click) -> None:
        """The second click selects the entry."""
        line = self.scroll_offset.y + event.get_content_offset_capture(self).y
        if event.chain > 1 and 0 <= line < len(self._lines):
            event.prevent_default()
            index = self._lines[line].entry
            self._mark(index, index)

    def copy(self) -> None:
        """Copy what is selected, or else the whole conversation."""
        if self.text_selection is not None:
            entries = self._conversation.entries
            text = selected_text(self.text_selection, entries, self._painter.prefix)
        else:
            text = "\n".join(self._conversation.lines())
        if not text:
            self.notify("There is nothing to copy yet", markup=False)
            return
        self.app.copy_to_clipboard(text)
        count = text.count("\n") + 1
        self.notify(f"Copied {count} line{'s' if count > 1 else ''}", markup=False, timeout=2.0)

    def _mark(self, anchor: int, head: int) -> None:
        self._marks = anchor, head
        self.screen.selections = {self: whole_entries(*sorted(self._marks))}

    @property
    def chosen(self) -> Entry | None:
        """The entry that is selected (of several the first), or else the one that is found."""
        place = self._finder.match if self._selected is None else self._selected[0]
        entries = self._conversation.entries
        return None if place is None or place.entry >= len(entries) else entries[place.entry]

    # Searching

    def find(self, words: str) -> None:
        """Mark all places with these words, and go to the nearest at or above where the reader was
        when the search began."""
        if len(self._lines):
            line = self._lines[self._bottom]
            self._finder.begin(line.entry, line.end)
        self._finder.look_for(words)
        self._show_match(moved=True)

    def find_next(self, by: int) -> None:
        """Go to the next place (1) or the one before (-1)."""
        self._finder.step(by)
        self._show_match(moved=True)

    def end_search(self) -> None:
        """Mark nothing any more. The reader stays at what was found; the end is followed again if
        nothing has led away from it."""
        self._finder.stop()
        self._show_match(moved=True)

    def _show_match(self, *, moved: bool) -> None:
        """Bring what is found up to date; if the reader is at another place now, go there."""
        self.found = self._finder.found
        if not moved:
            return
        self._strips.clear()
        self.refresh()
        match = self._finder.match
        if match is not None:
            start, end = self._finder.spans(match.entry)[match.nth]
            line_of = self._lines.line_of
            self._show_lines(line_of(match.entry, start), line_of(match.entry, end - 1))

    @property
    def _bottom(self) -> int:
        """The last line in view."""
        return min(len(self._lines), self.scroll_offset.y + self.size.height) - 1

    def _show_lines(self, first: int, last: int) -> None:
        """Scroll to them if they are not in view: into the middle, away from the edges."""
        top, height = self.scroll_offset.y, self.size.height
        if first < top or last >= top + height:
            self.scroll_to(y=max(0, first - height // 2), animate=False, immediate=True)

    # Painting

    def render_line(self, y: int) -> Strip:
        """A line of the viewport."""
        line = self.scroll_offset.y + y
        if line >= len(self._lines):
            return Strip.blank(self.size.width, self._looks(""))
        strip = self._strips.get(line)
        if strip is None:
            if len(self._strips) >= _KEPT_STRIPS:
                self._strips.clear()
            strip = self._strips[line] = self._paint(line)
        return strip

    def notify_style_update(self) -> None:
        """Colours may be others."""
        super().notify_style_update()
        self._looks.forget()
        self._strips.clear()

    def _paint(self, number: int) -> Strip:
        line = self._lines[number]
        cursor = line.entry == self._cursor and number == self._lines.last(line.entry)
        layers = layers_of(line.entry, self._conversation.entries, self._finder, self._selected)
        return self._painter.strip(line, self.size.width, layers, cursor=cursor)
