"""How loud somebody was while speaking, as a strip of text."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_CELLS = 22
"""With its duration a strip then fits a line of the narrowest screen."""

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = ".:-=+*#"
_FLOOR_DB, _FULL_DB = -60.0, -15.0
"""What is drawn lowest and highest: between a quiet room and a raised voice."""


def strip(levels: Sequence[float], *, ascii: bool = False) -> str:
    """A cell a level (dBFS, oldest first); a long turn is squeezed: its cells stand for the
    loudest of as many levels each, so that only the last cell changes while it goes on."""
    steps = _ASCII if ascii else _BLOCKS
    each = max(1, -(-len(levels) // LONGEST_CELLS))
    return "".join(
        steps[_step(max(levels[start : start + each]), len(steps))]
        for start in range(0, len(levels), each)
    )


def _step(level: float, steps: int) -> int:
    height = (level - _FLOOR_DB) / (_FULL_DB - _FLOOR_DB)
    return round(min(1.0, max(0.0, height)) * (steps - 1))
