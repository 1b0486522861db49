"""One row of the picture of a recording: both waveforms, words, marks and lag on one time axis.

A picture has several, one under the other like the lines of a score. The y of what is drawn here is
that within the row; the caller puts the row in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from moshi_tui.clean import clean
from moshi_tui.clock import clock
from moshi_tui.replay.marks import KINDS, SIZE, Badge, badge, place_marks
from moshi_tui.replay.peaks import Peaks
from moshi_tui.replay.story import Mark, Side, Span, Story
from moshi_tui.replay.words import LINES, Placed, place_phrases, place_words
from moshi_tui.replay.words import SIZE as WORD_SIZE
from moshi_tui.svg import number, outline, text, width_of

WIDTH = 1600
LEFT = 70
PLOT = 1480
"""Columns, each 1 px wide, that a row has for its time."""

COLOURS: dict[Side, str] = {"user": "#0072b2", "moshi": "#c25400"}
"""Told apart by the colour-blind; after Okabe and Ito, a little darker."""
NAMES: dict[Side, str] = {"user": "You", "moshi": "Moshi"}

GOOD_MS, FAIR_MS = 250.0, 500.0
"""As on the screen: a lag below the first is good, one below the second is fair, else it is
poor."""
BANDS = {"good": "#eef6f1", "fair": "#fdf3d6", "poor": "#f9e2dc"}

_AXIS = 16
_WAVE, _STRIP = 56, 20
_WAVES: dict[Side, int] = {"user": 30, "moshi": 30 + _WAVE + _STRIP}
_WORDS = _WAVES["moshi"] + _WAVE + _STRIP
_LINE = 14
_LAG, _LAG_H = _WORDS + LINES * _LINE + 8, 45
_BOTTOM = _LAG + _LAG_H
HEIGHT = _BOTTOM + 26

_TOP_MS = FAIR_MS * 1.5
"""Highest lag drawn; three bands of one height."""
_GAP_SECONDS = 2.5
"""The lag is told once a second; where it is not, there is no line."""
_LOUDEST = 0.94
"""Of half the height of a waveform."""
_THINNEST = 0.35
"""Half the height of silence, in pixels."""
_EVERY_WORD = 40.0
"""Pixels that a second must have for words to stand by themselves."""
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200)


@dataclass(frozen=True)
class Row:
    """A stretch of the recording, and how long a full row is."""

    start: float
    stop: float
    """End of the row or of the recording: in seconds of it, like `start`."""
    seconds: float
    """That a row holds."""
    last: bool
    """What happens at `stop` belongs to it."""

    def x(self, t: float) -> float:
        """Where a moment is, or the end of the row that is nearest to it."""
        return self.along(min(max(t, self.start), self.stop))

    def along(self, t: float) -> float:
        """Where a moment is, or would be if the row were longer."""
        return LEFT + (t - self.start) / self.seconds * PLOT

    def has(self, t: float) -> bool:
        """Whether a moment is in it."""
        return self.start <= t < self.stop or (self.last and t == self.stop)


def draw_row(row: Row, story: Story, peaks: Peaks, gains: dict[Side, float]) -> Iterator[str]:
    """The lines of SVG.

    Args:
        row: which.
        story: of the whole recording.
        peaks: [2, n, 2] of this row.
        gains: how many times higher than it was each side is drawn.
    """
    yield from _turns(row, story.turns)
    yield from _axis(row)
    for index, side in enumerate(NAMES):
        yield from _wave(row, side, peaks[index], gains[side])
    yield from _mutes(row, story.mutes)
    yield from _lag(row, story.lags)
    yield from _marks(row, [mark for mark in story.marks if row.has(mark.t)])
    yield from _words(row, story)


def _axis(row: Row) -> Iterator[str]:
    end = row.x(row.stop)
    small = next((step for step in _STEPS if step * PLOT / row.seconds >= 14), _STEPS[-1])
    large = next((step for step in _STEPS if step * PLOT / row.seconds >= 72), _STEPS[-1])
    ticks = [row.x(t) for t in _multiples(row, small)]
    yield f"<path d='{''.join(f'M{number(x)} {_AXIS}v4' for x in ticks)}' stroke='#888'/>"
    labelled = _multiples(row, large)
    grid = "".join(f"M{number(row.x(t))} {_AXIS}V{_BOTTOM}" for t in labelled)
    yield f"<path d='{grid}M{LEFT} {_AXIS}H{number(max(end, LEFT + 1))}' stroke='#ddd'/>"
    yield f"<g font-size='{WORD_SIZE}' fill='#555' text-anchor='middle'>"
    yield "".join(text(row.x(t), _AXIS - 4, clock(t)) for t in labelled) + "</g>"


def _multiples(row: Row, step: int) -> list[float]:
    first = int(-(-row.start // step))
    # The end of a row is the beginning of the next, which says it.
    stop = row.stop if row.last else row.stop - step / 2
    return [float(n * step) for n in range(first, int(stop // step) + 1)]


def _wave(row: Row, side: Side, peaks: Peaks, gain: float) -> Iterator[str]:
    middle = _WAVES[side] + _WAVE / 2
    yield text(LEFT - 10, middle, NAMES[side], anchor="end", size=13, weight="bold")
    if gain > 1.05:
        yield text(LEFT - 10, middle + 14, f"× {gain:.1f}", anchor="end", size=9, fill="#555")
    if not len(peaks):
        return
    heights = np.clip(peaks * gain * _LOUDEST, -1, 1) * _WAVE / 2
    below = np.minimum(heights[:, 0], -_THINNEST)
    above = np.maximum(heights[:, 1], _THINNEST)
    x = np.minimum(LEFT + np.arange(len(peaks)) + 0.5, row.x(row.stop))
    y = middle - np.concatenate((above, below[::-1]))
    path = outline(zip(np.concatenate((x, x[::-1])).tolist(), y.tolist(), strict=True))
    yield f"<path class='{side}' d='{path}z' fill='{COLOURS[side]}'/>"


def _turns(row: Row, turns: list[Span]) -> Iterator[str]:
    """The user's: a bracket over each, with its length, and a tinted ground."""
    top = _WAVES["user"]
    ground, brackets, lengths = "", "", []
    for turn in turns:
        if turn.start > row.stop or turn.stop < row.start:
            continue
        x, end = row.x(turn.start), max(row.x(turn.stop), row.x(turn.start) + 1.5)
        ground += f"M{number(x)} {top}H{number(end)}v{_WAVE}H{number(x)}z"
        brackets += f"M{number(x)} {top}v-6" if row.has(turn.start) else f"M{number(x)} {top - 6}"
        words, middle = f"{turn.stop - turn.start:.1f} s", (x + end) / 2
        room = width_of(words, SIZE) / 2 + 2
        if row.has(turn.start) and middle - room > x + 5:
            lengths.append(text(middle, top - 3, words))
            brackets += f"H{number(middle - room)}M{number(middle + room)} {top - 6}"
        brackets += f"H{number(end)}{'v6' if turn.stop <= row.stop else ''}"
    if ground:
        yield f"<path class='turns' d='{ground}' fill='#deecf6'/>"
        yield f"<path d='{brackets}' fill='none' stroke='{COLOURS['user']}' stroke-width='1.5'/>"
        yield f"<g font-size='{SIZE}' text-anchor='middle'>{''.join(lengths)}</g>"


def _mutes(row: Row, mutes: list[Span]) -> Iterator[str]:
    """A hatched ground."""
    for mute in mutes:
        if mute.start <= row.stop and mute.stop >= row.start:
            x, end = row.x(mute.start), row.x(mute.stop)
            place = f"x='{number(x)}' y='{_WAVES['user']}' width='{number(max(end - x, 1))}'"
            yield f"<rect class='muted' {place} height='{_WAVE}' fill='url(#muted)'/>"


def _words(row: Row, story: Story) -> Iterator[str]:
    words = [word for word in story.words if row.has(word.t)]
    place = place_words if PLOT / row.seconds >= _EVERY_WORD else place_phrases
    placed = place(words, row.x, WIDTH - 12)
    if not placed:
        return
    yield f"<path d='{''.join(map(_leader, placed))}' fill='none' stroke='#bbb'/>"
    yield f"<g class='halo' font-size='{WORD_SIZE}'>"
    yield from (text(each.x, _baseline(each), each.text) for each in placed)
    yield "</g>"


def _leader(placed: Placed) -> str:
    """From the moment to its word."""
    end = _baseline(placed) - WORD_SIZE + 2
    tick = f"M{number(placed.tick)} {_WORDS - 3}"
    if abs(placed.x - placed.tick) < 1:
        return f"{tick}V{number(end)}"
    return f"{tick}v3L{number(placed.x + 2)} {number(end)}"


def _baseline(placed: Placed) -> int:
    return _WORDS + (placed.line + 1) * _LINE - 2


def _lag(row: Row, lags: list[tuple[float, float | None]]) -> Iterator[str]:
    end = row.x(row.stop)
    for index, (name, colour) in enumerate(BANDS.items()):
        height = _LAG_H / len(BANDS)
        y = _BOTTOM - (index + 1) * height
        place = f"x='{LEFT}' y='{number(y)}' width='{number(max(end - LEFT, 1))}'"
        yield f"<rect {place} height='{number(height)}' fill='{colour}'/>"
        yield text(end + 5, y + height - 4, name, size=9, fill="#555")
    limits = [_height(limit) for limit in (GOOD_MS, FAIR_MS)]
    dashes = "".join(f"M{LEFT} {number(y)}H{number(end)}" for y in limits)
    yield f"<path d='{dashes}' stroke='#aaa' stroke-dasharray='3 3'/>"
    yield text(LEFT - 10, _LAG + 4, "Lag", anchor="end", size=13, weight="bold")
    for y, limit in zip(limits, (GOOD_MS, FAIR_MS), strict=True):
        words = f"{limit:.0f} ms" if limit == FAIR_MS else f"{limit:.0f}"
        yield text(LEFT - 10, y + 3, words, anchor="end", size=9, fill="#555")
    path = "".join(outline(piece) for piece in _pieces(row, lags))
    if path:
        look = "fill='none' stroke='#222' stroke-width='1.4' clip-path='url(#plot)'"
        yield f"<path class='lag' d='{path}' {look}/>"
    known = ((lag, t) for t, lag in lags if lag is not None and row.has(t))
    worst, t = max(known, default=(0.0, 0.0))
    if worst > _TOP_MS:
        yield f"<g class='halo'>{_beyond(row.x(t), end, worst)}</g>"


def _beyond(x: float, end: float, worst: float) -> str:
    """Tells of a lag that the curve has no room for."""
    y, near = _LAG + 10, x > end - 70
    words = f"▲ {worst / 1000:.1f} s" if not near else f"{worst / 1000:.1f} s ▲"
    return text(x + (5 if near else -5), y, words, anchor="end" if near else "", size=SIZE)


def _pieces(row: Row, lags: list[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """The curve, the worst of each column, broken where nothing is known. It comes from the row
    before, and goes on in the next."""
    pieces: list[list[tuple[float, float]]] = []
    newest: float | None = None
    for t, lag in lags:
        if not row.start - _GAP_SECONDS <= t <= row.stop + _GAP_SECONDS:
            continue
        if lag is None:
            newest = None
            continue
        x, y = float(int(row.along(t))), _height(lag)
        if newest is None or t - newest > _GAP_SECONDS:
            pieces.append([(x - 1, y), (x, y)])  # also of a single one there is something to see
        elif x == pieces[-1][-1][0]:
            pieces[-1][-1] = (x, min(y, pieces[-1][-1][1]))
        else:
            pieces[-1].append((x, y))
        newest = t
    return pieces


def _height(lag_ms: float) -> float:
    return _BOTTOM - min(max(lag_ms, 0.0), _TOP_MS) / _TOP_MS * _LAG_H


def _marks(row: Row, marks: list[Mark]) -> Iterator[str]:
    """Under each side what happened to it, with a line up to the moment when it did."""
    lines, badges = "", ""
    for side, lane in _WAVES.items():
        bottom, y = lane + _WAVE, lane + _WAVE + _STRIP / 2
        for each in place_marks([mark for mark in marks if mark.side == side], row.x):
            look = f"fill='none' stroke='{KINDS[each.kind].colour}'"
            line = f"M{number(each.tick)} {lane}V{bottom}L{number(each.x)} {number(y)}"
            if each.kind == "reset":
                line = f"M{number(each.tick)} {_AXIS}V{_BOTTOM}"
                look += " stroke-width='1.5' stroke-dasharray='6 3'"
            lines += f"<path d='{line}' {look}/>"
            badges += badge(each.x, y, each.kind, _told(each))
            if len(each.marks) > 1:
                badges += text(each.x + 9, y + 3.3, str(len(each.marks)))
    if badges:
        yield f"{lines}<g font-size='{SIZE}' font-weight='bold'>{badges}</g>"


def _told(each: Badge) -> str:
    """What a badge says to whoever points at it."""
    first = each.marks[0]
    more = f" (and {len(each.marks) - 1} more)" if len(each.marks) > 1 else ""
    return clean(f"{clock(first.t, 1)} {first.what}{more}")
