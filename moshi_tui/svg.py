"""SVG as text: words that are escaped, measured and cut to their room, and numbers kept short."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from html import escape

FONT = (
    "Helvetica, Arial, Liberation Sans, DejaVu Sans, Noto Sans, Segoe UI, Roboto, Ubuntu, "
    "Cantarell, Open Sans, FreeSans, Nimbus Sans, sans-serif"
)
"""By name: what turns SVG into PNG does not know which font "sans-serif" is."""

_WIDTHS = {
    0.33: "ijlI'.,’‘·",
    0.42: " frt!()-/:;[]|\\",
    0.53: 'sz"*_`–“”„',
    0.83: "wDGHNOQU&",
    1.0: "mMW%@…—#+<=>^~",
}
_WIDTH_OF = {char: width for width, chars in _WIDTHS.items() for char in chars}
_WIDTH, _WIDTH_FOREIGN, _WIDTH_WIDE = 0.72, 1.08, 1.3
_BOLD = 1.15
"""All in em, as in DejaVu Sans, the widest of the fonts named above."""

_ILLEGAL = str.maketrans("", "", "\ufffe\uffff")
"""No XML may hold these, escaped or not."""


def opening(width: int, height: int, title: str) -> str:
    """The first lines of a picture with a white ground: what follows is drawn on it, then
    `</svg>`."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
        f"viewBox='0 0 {width} {height}' font-family='{FONT}' font-size='11' fill='#222'>\n"
        f"<title>{escaped(title)}</title>\n"
        f"<rect width='{width}' height='{height}' fill='#ffffff'/>"
    )


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "",
    size: int = 0,
    weight: str = "",
    fill: str = "",
    turn: int = 0,
) -> str:
    """Words that begin (`anchor`: "middle", "end") at a place; what is not said is inherited. They
    should be cleaned of controls (`moshi_tui.clean`)."""
    said = {"text-anchor": anchor, "font-size": size, "font-weight": weight, "fill": fill}
    if turn:
        said["transform"] = f"rotate({turn} {number(x)} {number(y)})"
    how = "".join(f" {name}='{value}'" for name, value in said.items() if value)
    return f"<text x='{number(x)}' y='{number(y)}'{how}>{escaped(words)}</text>"


def escaped(words: str) -> str:
    """Fit to stand between tags, or in quotes."""
    return escape(words.translate(_ILLEGAL))


def number(value: float) -> str:
    """With one decimal at most, as short as it can be written."""
    return _short(round(value * 10))


def outline(points: Iterable[tuple[float, float]]) -> str:
    """The path through all these points; empty if there are none."""
    said: list[str] = []
    before = None
    for x, y in points:
        at = (round(x * 10), round(y * 10))
        if before is None:
            said.append(f"M{_short(at[0])} {_short(at[1])}")
        elif at[1] == before[1]:
            said.append(f"h{_short(at[0] - before[0])}")
        else:
            dx, dy = _short(at[0] - before[0]), _short(at[1] - before[1])
            said.append(f"l{dx}{'' if dy.startswith('-') else ' '}{dy}")
        before = at
    return "".join(said)


def width_of(words: str, size: float, *, bold: bool = False) -> float:
    """At least as wide as `words` will be in any usual font."""
    return sum(map(_width, words)) * size * (_BOLD if bold else 1)


def fitted(words: str, size: float, room: float, *, bold: bool = False) -> str:
    """`words`, or so many letters of them as there is room for, and an ellipsis; empty if there is
    none for a letter."""
    if width_of(words, size, bold=bold) <= room:
        return words
    em = size * (_BOLD if bold else 1)
    used = _width("…") * em
    for index, char in enumerate(words):
        used += _width(char) * em
        if used > room:
            return words[:index].rstrip() + "…" if index else ""
    return words


def _width(char: str) -> float:
    if char in _WIDTH_OF:
        return _WIDTH_OF[char]
    if char < "\u0250":  # Latin
        return _WIDTH
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0.0
    return _WIDTH_WIDE if unicodedata.east_asian_width(char) in "WF" else _WIDTH_FOREIGN


def _short(tenths: int) -> str:
    """A tenth of it, in digits."""
    whole, rest = divmod(abs(tenths), 10)
    sign = "-" if tenths < 0 else ""
    return f"{sign}{whole or ''}.{rest}" if rest else f"{sign}{whole}"
