"""`moshi-tui replay DIR --render FILE`: a whole recording as one picture, SVG or PNG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from statistics import median

import numpy as np

from moshi_tui.clean import clean
from moshi_tui.clock import clock
from moshi_tui.errors import MoshiTuiError, UsageError
from moshi_tui.recording.reader import Recording
from moshi_tui.recording.whole import write_whole
from moshi_tui.replay.drawing import HEIGHT, LEFT, NAMES, PLOT, WIDTH, Row, draw_row
from moshi_tui.replay.marks import KINDS, SIZE, badge, definitions
from moshi_tui.replay.peaks import Peaks, peaks
from moshi_tui.replay.story import Side, Story, read_story
from moshi_tui.svg import FONT, fitted, opening, text, width_of

ROW_SECONDS = (20, 30, 60, 120, 180, 300, 600, 900, 1800, 3600)
"""What a row may hold: the first of which no more than MAX_ROWS are needed."""
MAX_ROWS = 30

_SHORTEST = 5
_TOP = 96
_RIGHT = WIDTH - 20
_WHOSE: dict[Side, str] = {"user": "your side", "moshi": "Moshi's side"}
_OF_BOTH = ("skip", "faster", "device", "device_lost")
_GAIN = 8.0
"""A side that is soft is drawn so many times as high at most."""
_SHARP_SECONDS = 180.0
"""The PNG of a recording of up to so many is made half as large again."""
_STYLE = (
    "<style>.halo text{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}"
    "</style>"
)
_DEFINITIONS = (
    f"<clipPath id='plot'><rect x='{LEFT}' width='{PLOT}' height='{HEIGHT}'/></clipPath>"
    "<pattern id='muted' width='7' height='7' patternUnits='userSpaceOnUse' "
    "patternTransform='rotate(45)'><path d='M0 0V7' stroke='#888' stroke-width='2'/></pattern>"
)


def render(recording: Recording, out: Path) -> None:
    """Draw a recording into a file, which is replaced in one step if it exists.

    Takes a second or two, and half a minute for a recording of many hours.

    Args:
        recording: open; may have been broken off.
        out: ends in .svg or .png.

    Raises:
        UsageError: `out` has another ending.
        MoshiTuiError: the recording can't be read, the picture not be written, or it is to be PNG
            and there are no fonts.
    """
    suffix = out.suffix.lower()
    if suffix not in (".svg", ".png"):
        raise UsageError(
            "Cannot draw such a file", f"{out} ends neither in .svg nor in .png.", "Rename it."
        )
    if suffix == ".png":
        _check_fonts()
    svg = draw(recording)
    zoom = 1.5 if recording.seconds <= _SHARP_SECONDS else 1.0
    _write(out, _png(svg, zoom) if suffix == ".png" else svg.encode())


def draw(recording: Recording) -> str:
    """The picture as SVG. Raises MoshiTuiError."""
    story = read_story(recording)
    rows = _rows(story.seconds)
    heights = peaks(recording, rows[0].seconds / PLOT)
    gains = _gains(heights)
    name = clean(recording.folder.resolve().name)
    legend = list(_legend(story))
    top = _TOP + 22 * (len(legend) - 1)
    height = top + len(rows) * HEIGHT
    parts = [
        opening(WIDTH, height, f"{name}: a talk with Moshi"),
        f"{_STYLE}<defs>{_DEFINITIONS}",
        *definitions({mark.kind for mark in story.marks}),
        "</defs>",
        text(20, 32, fitted(name, 20, _RIGHT - 20, bold=True), size=20, weight="bold"),
        text(20, 54, fitted(_about(recording, story), 12, _RIGHT - 20), size=12, fill="#444"),
    ]
    for index, line in enumerate(legend):
        parts.append(f"<g transform='translate(20 {76 + 22 * index})'>{line}</g>")
    for index, row in enumerate(rows):
        parts.append(f"<g transform='translate(0 {top + index * HEIGHT})'>")
        columns = heights[:, index * PLOT : (index + 1) * PLOT]
        parts += [*draw_row(row, story, columns, gains), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _rows(seconds: float) -> list[Row]:
    held = float(next((each for each in ROW_SECONDS if each * MAX_ROWS >= seconds), 0))
    if not held:
        held = float(-(-seconds // MAX_ROWS))
    if seconds <= held:  # all in one row, which need not be longer than it is
        held = min(held, max(float(_SHORTEST), float(-(-seconds // 1))))
    count = max(1, int(-(-seconds // held)))
    return [
        Row(index * held, min((index + 1) * held, seconds), held, index == count - 1)
        for index in range(count)
    ]


def _gains(heights: Peaks) -> dict[Side, float]:
    """Each side is drawn as high as there is room for, but for a few clicks."""
    gains: dict[Side, float] = {}
    for index, side in enumerate(NAMES):
        loud = np.abs(heights[index]).max(axis=-1, initial=0.0)
        loud = loud[loud > 0.001]
        most = float(np.quantile(loud, 0.995)) if len(loud) else 1.0
        gains[side] = min(_GAIN, max(1.0, 1.0 / most))
    return gains


def _about(recording: Recording, story: Story) -> str:
    """What talked with whom, when, how long."""
    header = recording.header
    parts = [str(header.get(name) or "") for name in ("model", "quant", "device", "codec")]
    parts += [_date(str(header.get("started") or "")), f"length {clock(story.seconds)}"]
    if story.error:
        parts.append(f"ended by itself: {story.error}")
    elif not recording.complete:
        parts.append("broken off")
    spoken = sum(turn.stop - turn.start for turn in story.turns)
    length = f"{spoken:.0f} s" if spoken < 60 else clock(spoken)
    times = _times(len(story.turns))
    parts.append(f"you spoke {times}, {length} in all" if times else "you said nothing")
    parts.append(f"Moshi said {len(story.words):,} word{'' if len(story.words) == 1 else 's'}")
    lags = [lag for _, lag in story.lags if lag is not None]
    if lags:
        parts.append(f"lag {median(lags):.0f} ms (median), {max(lags):.0f} ms (worst)")
    return clean(" · ".join(part for part in parts if part))


def _times(count: int) -> str:
    return {0: "", 1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _date(started: str) -> str:
    try:
        return f"{datetime.fromisoformat(started):%d %B %Y %H:%M}".lstrip("0")
    except ValueError:
        return ""


def _legend(story: Story) -> Iterator[str]:
    """Its lines: what the marks mean, and how many there are of each kind and side."""
    counts = Counter((mark.kind, mark.side) for mark in story.marks)
    line, x = "", 0.0
    for kind in KINDS:
        sides: list[Side] = [side for side in NAMES if counts[kind, side]]
        for side in sides:
            words = _counted(story, kind, side, counts[kind, side])
            if x and x + 26 + width_of(words, 12) > _RIGHT - 20:
                yield line
                line, x = "", 0.0
            line += f"<g font-size='{SIZE}' font-weight='bold'>{badge(x + 8, 0, kind, words)}</g>"
            line += text(x + 21, 4, words, size=12)
            x += 21 + width_of(words, 12) + 20
    yield line or text(0, 4, "No skips, no underruns.", size=12)


def _counted(story: Story, kind: str, side: Side, count: int) -> str:
    who = f"{_WHOSE[side]}: " if kind in _OF_BOTH else ""
    ms = sum(mark.ms for mark in story.marks if (mark.kind, mark.side) == (kind, side))
    length = f" ({ms:,.0f} ms)" if kind in ("skip", "faster", "underrun") else ""
    return f"{who}{KINDS[kind].name} {_times(count)}{length}"


def _check_fonts() -> None:
    """Without a font, words would be left out without a word."""
    empty, letter = (
        _png(f"{opening(20, 20, '')}{each}</svg>", 1.0) for each in ("", text(2, 15, "M"))
    )
    if letter == empty:
        raise MoshiTuiError(
            "No fonts",
            f"For a PNG one of these must be installed: {FONT.removesuffix(', sans-serif')}.",
            "Install one (apt install fonts-dejavu-core), or write an SVG.",
        )


def _png(svg: str, zoom: float) -> bytes:
    import resvg_py  # takes its time, and is needed for nothing else

    try:
        return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=zoom))
    except ValueError as error:
        raise MoshiTuiError("Cannot draw the picture", f"{error}.", "Write an SVG.") from error


def _write(out: Path, data: bytes) -> None:
    try:
        write_whole(out, lambda beside: beside.write_bytes(data))
    except OSError as error:
        raise MoshiTuiError(
            "Cannot write the picture",
            f"{out}: {error.strerror or error}.",
            "Name another file: --render OUT.svg",
        ) from error
