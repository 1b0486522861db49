"""The whole screen in ASCII, whoever drew it: for terminals and fonts without line and block
characters."""

from __future__ import annotations

from functools import lru_cache

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_BLOCKS = {
    **dict.fromkeys("█▉▊▋▇▆▅", "#"),
    **dict.fromkeys("▌▍▄▃▐▀", "="),
    **dict.fromkeys("▏▎▂▁▔", "-"),
    **dict.fromkeys("░▒▓", "."),
}
_LINES = {
    **dict.fromkeys("─━╌┄┈╸╺═", "-"),
    **dict.fromkeys("│┃╎┆┊╹╻║▕❘", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╯╰╔╗╚╝╠╣╦╩╬┏┓┗┛┣┫┳┻╋▗▖▝▘▟▙▜▛", "+"),
}
_SIGNS = {
    **dict.fromkeys("•·●◦○▪■", "*"),
    **dict.fromkeys("▸▶►→❯", ">"),
    **dict.fromkeys("◂◀◄←", "<"),
    **dict.fromkeys("▴▲↑", "^"),
    **dict.fromkeys("▾▼↓", "v"),
    **dict.fromkeys("✓✔", "+"),
    **dict.fromkeys("✗✘×", "x"),
    **dict.fromkeys("–—−", "-"),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”", '"'),
    "…": ".",
    "\N{NO-BREAK SPACE}": " ",
    "\N{RIGHT-POINTING MAGNIFYING GLASS}": "> ",  # two cells wide, as that is
}
_TABLE = str.maketrans(_BLOCKS | _LINES | _SIGNS)


@lru_cache(4096)
def to_ascii(text: str) -> str:
    """`text` with another sign for each that such a terminal lacks, as wide as before. Letters stay
    what they are."""
    return text if text.isascii() else text.translate(_TABLE)


class AsciiFilter(LineFilter):
    """Replaces the signs in every line that is drawn."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """See `LineFilter.apply`."""
        return [
            Segment(to_ascii(text), style, control) if not text.isascii() else segment
            for segment in segments
            for text, style, control in (segment,)
        ]
