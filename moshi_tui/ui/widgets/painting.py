"""How a line of the conversation looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from moshi_tui.ui.conversation import MOSHI, YOU, Conversation, Entry
from moshi_tui.ui.finding import Finder
from moshi_tui.ui.lines import NARROW, Line, Lines
from moshi_tui.ui.selecting import Place, line_number
from moshi_tui.ui.text import snap

Layer = tuple[int, int, str]
"""A span of an entry's text, and the look that lies over it."""

_WHO = {MOSHI: "transcript--moshi", YOU: "transcript--you"}
_WHAT = {MOSHI: "", YOU: "transcript--turn"}


class Painter:
    """Makes lines out of entries. The style of a look comes from `style`; "" is plain."""

    def __init__(
        self,
        conversation: Conversation,
        lines: Lines,
        style: Callable[[str], Style],
        *,
        ascii: bool,
    ) -> None:
        self.bullet = "-" if ascii else "·"
        self._cursor = "_" if ascii else "▌"
        self._conversation = conversation
        self._lines = lines
        self._style = style

    def strip(self, line: Line, width: int, layers: Sequence[Layer], *, cursor: bool) -> Strip:
        """The line, `width` cells wide, with the offsets that Textual selects by."""
        row = line_number(line.entry, line.start)
        strip = Strip(self._segments(line, layers)).apply_offsets(-self._lines.indent, row)
        if cursor:
            segment = Segment(self._cursor, self._style("transcript--cursor"))
            strip = Strip.join([strip, Strip([segment])])
        return strip.adjust_cell_length(width, self._style(""))

    def text(self, line: Line) -> str:
        """The line without looks."""
        return "".join(segment.text for segment in self._segments(line, ()))

    def prefix(self, entry: Entry) -> str:
        """Time and speaker. Its length is the hanging indent."""
        time = f"{entry.clock:>{self._conversation.clock_width}} "
        if self._lines.width < NARROW:
            return f"{time}{(entry.speaker or self.bullet)[:1]} "
        return f"{time}{entry.speaker or self.bullet:<5}  "

    def _segments(self, line: Line, layers: Sequence[Layer]) -> list[Segment]:
        """Time and speaker or the hanging indent, and the text."""
        entry = self._conversation.entries[line.entry]
        look = _WHAT.get(entry.speaker, "transcript--event")
        text = self._text(line, entry.text, self._style(look), layers)
        if not line.first:
            return [Segment(" " * self._lines.indent, self._style("")), *text]
        prefix, time = self.prefix(entry), self._conversation.clock_width + 1
        who = _WHO.get(entry.speaker, "transcript--time")
        return [
            Segment(prefix[:time], self._style("transcript--time")),
            Segment(prefix[time:], self._style(who)),
            *text,
        ]

    def _text(self, line: Line, text: str, style: Style, layers: Sequence[Layer]) -> list[Segment]:
        if not layers:
            return [Segment(text[line.start : line.end], style)]
        spans = [
            (*snap(text, start, end), self._style(look))
            for start, end, look in layers
            if start < line.end and end > line.start
        ]
        cuts = {line.start, line.end}
        cuts.update(cut for start, end, _ in spans for cut in (start, end))
        edges = sorted(cut for cut in cuts if line.start <= cut <= line.end)
        segments: list[Segment] = []
        for start, end in pairwise(edges):
            over = [above for first, last, above in spans if first <= start and end <= last]
            segments.append(Segment(text[start:end], sum(over, style)))
        return segments


def layers_of(
    index: int, entries: Sequence[Entry], finder: Finder, selected: tuple[Place, Place] | None
) -> list[Layer]:
    """What looks different in an entry: what is found, over it what is selected."""
    layers: list[Layer] = []
    for nth, span in enumerate(finder.spans(index)):
        layers.append((*span, "transcript--match"))
        if finder.match == (index, nth):
            layers.append((*span, "transcript--current"))
    if selected is not None:
        first, last = selected
        if first.entry <= index <= last.entry:
            length = len(entries[index].text)
            start = first.char if index == first.entry else 0
            end = min(length, last.char) if index == last.entry else length
            layers.append((start, end, "screen--selection"))
    return layers


class Looks:
    """The styles of a transcript by the names of their looks, remembered; "" is plain."""

    def __init__(self, transcript: Widget) -> None:
        self._transcript = transcript
        self._styles: dict[str, Style] = {}

    def __call__(self, look: str) -> Style:
        """The style."""
        if look not in self._styles:
            self._styles[look] = self._find(look)
        return self._styles[look]

    def forget(self) -> None:
        """Colours may be others."""
        self._styles.clear()

    def _find(self, look: str) -> Style:
        if not look:
            return self._transcript.rich_style
        if look == "screen--selection":
            return _over(self._transcript.screen, look)
        if look in ("transcript--match", "transcript--current"):
            return _over(self._transcript, look)
        return self._transcript.get_component_rich_style(look)


def _over(node: Widget, look: str) -> Style:
    """The style of a look that lies over another: what it leaves open is the other's."""
    style = node.get_component_rich_style(look, partial=True)
    if style.bgcolor is None:
        return style
    blended = node.get_component_rich_style(look).bgcolor  # where it lets something shine through
    return style + Style(bgcolor=blended)
