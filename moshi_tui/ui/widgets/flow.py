"""Panels that are as high as what they say, however wide they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from textual.geometry import Size

from moshi_tui.clean import clean
from moshi_tui.ui.text import wrap
from moshi_tui.ui.widgets.panel import Panel, Row, cells

ELLIPSIS, ASCII_ELLIPSIS = "…", "..."


class Flow(Panel):
    """A panel whose rows depend on its width: `lay_out` makes them, `redraw` asks for new ones."""

    DEFAULT_CSS = """
    Flow {
        height: auto;
    }
    """

    def lay_out(self, width: int) -> Sequence[Row]:
        """The rows for a line of `width` cells; by default none."""
        return ()

    def redraw(self) -> None:
        """What is said has changed: draw what differs, and ask for more or less room."""
        width = self.content_size.width
        rows = self.lay_out(width) if width else ()
        if len(rows) != len(self.rows) or not width:
            self.refresh(layout=True)
        self.set_rows(rows)

    def on_resize(self) -> None:
        """Lines break elsewhere."""
        self.set_rows(self.lay_out(self.content_size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line a row."""
        return len(self.lay_out(width))


class Words(Flow):
    """A text in one look, wrapped; what does not fit `most` lines is cut."""

    def __init__(self, *, most: int = 4, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.said = ""
        """What is shown, cleaned; line breaks are kept."""
        self._look_of_all = ""
        self.most = most
        """Lines at most."""
        self._ascii = ascii

    def say(self, text: str, look: str = "") -> None:
        """Show another text."""
        text = "\n".join(clean(line) for line in text.splitlines())
        if (text, look) != (self.said, self._look_of_all):
            self.said, self._look_of_all = text, look
            self.redraw()

    def lay_out(self, width: int) -> Sequence[Row]:
        """One row a line."""
        lines = wrapped(self.said, width) if self.said else []
        if len(lines) > self.most:
            rest = " ".join(lines[self.most - 1 :])
            lines = [*lines[: self.most - 1], cut(rest, width, ascii=self._ascii)]
        return [((line, self._look_of_all),) for line in lines]


class KeyLine(Flow):
    """Keys and what they do, side by side, on as many lines as that takes."""

    DEFAULT_CSS = """
    KeyLine {
        color: $foreground;
    }
    """

    def __init__(self, *keys: tuple[str, str], id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys = keys

    def show(self, *keys: tuple[str, str]) -> None:
        """Others: (key as a person writes it, what it does)."""
        self._keys = keys
        self.redraw()

    def lay_out(self, width: int) -> Sequence[Row]:
        """A key and its words are never parted."""
        rows: list[Row] = []
        row: Row = ()
        for key, label in self._keys:
            spot: Row = ((key, "accent"), (f" {label}", ""))
            if row and cells(row) + 2 + cells(spot) > width:
                rows.append(row)
                row = ()
            row = (*row, ("  ", ""), *spot) if row else spot
        return [*rows, row] if row else rows


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a cleaned text, at most `width` cells each."""

    def lines() -> Iterator[str]:
        for line in text.splitlines() or [""]:
            yield from (line[start:end] for start, end in wrap(line, max(1, width)))

    return list(lines())


def cut(text: str, width: int, *, ascii: bool = False) -> str:
    """A cleaned text of at most `width` cells; what is missing is shown by "…"."""
    if cell_len(text) <= width:
        return text
    mark = (ASCII_ELLIPSIS if ascii else ELLIPSIS)[: max(0, width)]
    return set_cell_size(text, max(0, width - len(mark))).rstrip() + mark


def column(text: str, width: int, *, ascii: bool = False) -> str:
    """The same, filled up to exactly `width` cells."""
    return set_cell_size(cut(text, width, ascii=ascii), max(0, width))
