"""Lag over time as an SVG picture: one panel for each scenario, one line for each policy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from moshi_tui.bench.figures import Lags
from moshi_tui.bench.runs import Results, Run
from moshi_tui.svg import opening, text

STYLES = {
    "ours": ("#0072b2", "", 2.2),
    "none": ("#d55e00", "7 4", 1.5),
    "web": ("#007a57", "2 2.5", 1.8),
    "cli": ("#aa4488", "9 3 2 3", 1.5),
}
"""Colour (told apart by the colour-blind; after Okabe and Ito), dashes, width."""
TOP_S = 2.5
"""Highest lag drawn; the same for all panels, so that they can be compared."""

_COLUMNS = 2
_PANEL_W, _PANEL_H = 400, 150
_LEFT, _TOP = 56, 76
_GAP_X, _GAP_Y = 64, 74
_POINTS = 400


def draw(results: Results, titles: dict[str, str], policies: dict[str, str]) -> str:
    """The picture as text; `titles` of scenarios and `policies` by name."""
    rows = max(1, -(-len(results.runs) // _COLUMNS))
    width = _LEFT + _COLUMNS * _PANEL_W + (_COLUMNS - 1) * _GAP_X + 20
    height = _TOP + rows * (_PANEL_H + _GAP_Y) - 18
    parts = [
        opening(width, height, "Lag over time"),
        text(_LEFT, 24, "Lag: from the end of a frame at the microphone to its answer", size=14),
        *_legend(policies),
    ]
    for index, (name, runs) in enumerate(results.runs.items()):
        x = _LEFT + index % _COLUMNS * (_PANEL_W + _GAP_X)
        y = _TOP + index // _COLUMNS * (_PANEL_H + _GAP_Y)
        parts.append(f"<svg x='{x}' y='{y}' width='{_PANEL_W}' height='{_PANEL_H}' ")
        parts[-1] += "overflow='visible'>"
        parts += [*_panel(titles[name], runs), "</svg>"]
    return "\n".join([*parts, "</svg>", ""])


def _legend(policies: dict[str, str]) -> Iterator[str]:
    x = _LEFT
    for name, title in policies.items():
        yield _line(f"M{x} 42h30", name)
        yield text(x + 36, 46, title)
        x += 50 + round(6.1 * len(title)) + 12


def _panel(title: str, runs: dict[str, Run]) -> Iterator[str]:
    seconds = max(float(run.lags.heard_s[-1]) for run in runs.values())
    unit, scale = ("min", 60.0) if seconds > 150 else ("s", 1.0)
    yield text(0, -8, title, size=12, weight="bold")
    for lag in np.arange(0, TOP_S + 0.1, 0.5):
        y = round(_PANEL_H * (1 - lag / TOP_S), 1)
        yield f"<path d='M0 {y}H{_PANEL_W}' stroke='#dddddd'/>"
        yield text(-6, y + 4, f"{lag:.1f}", anchor="end")
    yield text(-34, _PANEL_H / 2, "lag, s", anchor="middle", turn=-90)
    for at in np.arange(0, seconds / scale + 0.01, 10 if scale == 1 else 2):
        x = round(at * scale / seconds * _PANEL_W, 1)
        yield f"<path d='M{x} {_PANEL_H}v4' stroke='#888888'/>"
        yield text(x, _PANEL_H + 16, f"{at:.0f}", anchor="middle")
    yield text(_PANEL_W / 2, _PANEL_H + 31, f"time, {unit}", anchor="middle")
    yield f"<svg width='{_PANEL_W}' height='{_PANEL_H}'>"  # cuts off what is above the panel
    for name in sorted(runs, key=lambda name: name == "ours"):
        yield _line(_path(runs[name].lags, seconds), name)
    yield "</svg>"
    yield f"<path d='M0 0V{_PANEL_H}H{_PANEL_W}' fill='none' stroke='#888888'/>"
    beyond = [name for name, run in runs.items() if run.figures.most > TOP_S * 1000]
    if beyond:
        most = max(runs[name].figures.most for name in beyond) / 1000
        note = f"{', '.join(beyond)}: on to {most:.0f} s"
        yield text(_PANEL_W - 4, 16, note, anchor="end")


def _path(lags: Lags, seconds: float) -> str:
    """The line, thinned to the lowest and highest of each of `_POINTS` moments."""
    moment = (lags.heard_s / seconds * _POINTS).astype(int)
    points = []
    for part in np.split(np.arange(len(moment)), np.flatnonzero(np.diff(moment)) + 1):
        lag = lags.lag_ms[part]
        for index in sorted({int(lag.argmin()), int(lag.argmax())}):
            x = lags.heard_s[part[index]] / seconds * _PANEL_W
            y = _PANEL_H * (1 - lag[index] / 1000 / TOP_S)
            points.append(f"{x:.1f} {max(y, -50.0):.1f}")
    return "M" + "L".join(points)


def _line(path: str, name: str) -> str:
    colour, dashes, width = STYLES[name]
    dashed = f" stroke-dasharray='{dashes}'" if dashes else ""
    return (
        f"<path d='{path}' fill='none' stroke='{colour}' stroke-width='{width}'"
        f" stroke-linejoin='round'{dashed}/>"
    )
