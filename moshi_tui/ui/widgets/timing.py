"""Whether the program keeps up, in numbers and a word."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult, RenderResult
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.session.catchup import duration
from moshi_tui.session.stats import Stats

GOOD_MS = 250.0
"""A lag below it is good: as in a talk between two rooms."""
FAIR_MS = 500.0
"""A lag below it is fair; from here on people talk over each other."""

_LABEL = 10  # cells of a label
_SPAN_SECONDS = 60
_FULL_MS = 600.0
_BUDGET_MS = round(FRAME_SECONDS * 1000)
_BARS = "▁▂▃▄▅▆▇█"


def lag_word(lag_ms: float | None) -> str:
    """ "good", "fair" or "poor"; empty while unknown."""
    if lag_ms is None:
        return ""
    return "good" if lag_ms < GOOD_MS else "fair" if lag_ms < FAIR_MS else "poor"


class Readout(Widget):
    """One line: label, value, and a word that judges it."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "readout--label",
        "readout--good",
        "readout--fair",
        "readout--poor",
    }
    DEFAULT_CSS = """
    Readout {
        height: 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    Readout > .readout--label {
        color: $foreground-muted;
    }
    Readout > .readout--good {
        color: $text-success;
    }
    Readout > .readout--fair {
        color: $text-warning;
    }
    Readout > .readout--poor {
        color: $text-error;
        text-style: bold;
    }
    """

    value: reactive[str] = reactive("–")
    """Rounded to what is shown, so that the same number draws nothing."""
    word: reactive[str] = reactive("")
    """"good", "fair", "poor" or empty."""

    def __init__(self, label: str, tooltip: str | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._label = label
        self.tooltip = tooltip

    def render(self) -> RenderResult:
        """Label, value, and the word on the right."""
        gap = " " * max(1, self.size.width - _LABEL - cell_len(self.value) - len(self.word))
        return Content.assemble(
            (self._label.ljust(_LABEL), self.get_visual_style("readout--label")),
            self.value,
            (gap + self.word, self.get_visual_style(f"readout--{self.word}")) if self.word else "",
            end="",
        )


class SidesReadout(Vertical):
    """A value for the microphone's side and one for the speaker's: on one line if they fit, else on
    two; on none where there is neither."""

    DEFAULT_CSS = """
    SidesReadout {
        height: auto;
    }
    """

    def __init__(self, label: str, tooltip: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._first, self._second = Readout(label, tooltip), Readout("", tooltip)

    def compose(self) -> ComposeResult:
        """Two lines, of which the second is seldom needed."""
        yield self._first
        yield self._second

    def show(self, into: str, out: str) -> None:
        """Take the newest values in; an empty one is left out."""
        both = "  ".join(filter(None, (into, out)))
        fits = _LABEL + cell_len(both) <= self.size.width or not self.size.width
        self._first.value = both if fits else into
        self._second.value = "" if fits else out
        self._second.display = not fits
        self.display = bool(both)


class LagHistory:
    """The worst lag of each of the last 60 seconds."""

    def __init__(self) -> None:
        self._seconds: deque[float | None] = deque(maxlen=_SPAN_SECONDS)
        self._now = -1

    def add(self, elapsed_s: float, lag_ms: float | None) -> None:
        """A lag measured `elapsed_s` after the start; seconds without one stay empty."""
        second = int(elapsed_s)
        if second < self._now:
            self._seconds.clear()
            self._now = -1
        for _ in range(min(second - self._now, _SPAN_SECONDS)):
            self._seconds.append(None)
        self._now = second
        if lag_ms is not None and self._seconds:
            self._seconds[-1] = max(lag_ms, self._seconds[-1] or 0.0)

    def bars(self, width: int) -> str:
        """`width` characters at most, newest on the right; full height is 600 ms and more."""
        width = min(width, _SPAN_SECONDS)
        seconds = [None] * (_SPAN_SECONDS - len(self._seconds)) + list(self._seconds)
        edges = [_SPAN_SECONDS * column // width for column in range(width + 1)] if width else []
        bars = ""
        for left, right in pairwise(edges):
            known = [lag for lag in seconds[left:right] if lag is not None]
            height = min(1.0, max(known) / _FULL_MS) if known else None
            bars += " " if height is None else _BARS[int(height * (len(_BARS) - 1))]
        return bars


class LagSparkline(Widget):
    """The last minute of the lag."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"lag-sparkline--label"}
    DEFAULT_CSS = """
    LagSparkline {
        height: 1;
        color: $primary;
    }
    LagSparkline > .lag-sparkline--label {
        color: $foreground-muted;
    }
    """

    bars: reactive[str] = reactive("")
    """Block characters: the same ones draw nothing."""

    _LABEL = " 60 s"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._history = LagHistory()

    def show(self, elapsed_s: float, lag_ms: float | None) -> None:
        """Take the newest lag in."""
        self._history.add(elapsed_s, lag_ms)
        self.bars = self._history.bars(self.size.width - len(self._LABEL))

    def render(self) -> RenderResult:
        """Bars, and how long they reach back."""
        return Content.assemble(
            self.bars, (self._LABEL, self.get_visual_style("lag-sparkline--label")), end=""
        )


class TimingPanel(Vertical):
    """Lag first; what explains it below, cut where the height does not allow more."""

    DEFAULT_CSS = """
    TimingPanel {
        height: 1fr;
        padding: 0 1;
        overflow: hidden;
        border: round $foreground 30%;
        border-title-color: $foreground;
    }
    """
    BORDER_TITLE = "Timing"

    def compose(self) -> ComposeResult:
        """A line a number."""
        lag = "From the end of what you say to the start of the answer, devices included"
        yield Readout("lag", lag, id="lag")
        yield LagSparkline(id="lag-history")
        yield Readout("step", "What the model takes for a frame of 80 ms", id="step")
        yield SidesReadout(
            "skipped",
            "Left out to catch up: in, what Moshi did not hear of you; out, what you did not hear "
            "of Moshi. With ! there was speech in it, else it was silence",
            id="skipped",
        )
        yield SidesReadout(
            "dropped",
            "Sound lost because a buffer was full: in, of the microphone; out, for the speaker",
            id="dropped",
        )
        yield Readout("underruns", "How often there was nothing to play", id="underruns")
        yield Readout("context", "What Moshi remembers of the talk", id="context")
        yield Readout("backlog", "Heard by the microphone, not yet by Moshi", id="backlog")
        playout = "Kept waiting for the speaker in case a frame is late; speed if it is not 1"
        yield Readout("playout", playout, id="playout")
        yield Readout("encode", "What the codec takes for a frame of yours", id="encode")
        yield Readout("decode", "What the codec takes for a frame of Moshi's", id="decode")
        xruns = "How often the system lost sound: in, of the microphone; out, for the speaker"
        yield SidesReadout("xruns", xruns, id="xruns")
        yield Readout("devices", "Their part of the lag: microphone + speaker", id="devices")
        yield Readout("memory", "What the model occupies", id="memory")

    def show(self, stats: Stats) -> None:
        """Take the newest numbers in."""
        lag = self.query_one("#lag", Readout)
        lag.value, lag.word = _ms(stats.lag_ms), lag_word(stats.lag_ms)
        self.query_one(LagSparkline).show(stats.elapsed_s, stats.lag_ms)
        skips = stats.skips
        into, out = f"{stats.input_latency_ms:.0f}", f"{stats.output_latency_ms:.0f}"
        values = {
            "step": "–" if stats.step_ms is None else f"{stats.step_ms:.0f} / {_BUDGET_MS} ms",
            "underruns": str(stats.underruns),
            "context": f"{_seconds(stats.context_frames)} of {_seconds(stats.context_size)} s",
            "backlog": f"{stats.backlog_frames * FRAME_SECONDS * 1000:.0f} ms",
            "playout": f"{stats.playout_ms:.0f} ms{_speed(stats.playout_speed)}",
            "encode": _ms(stats.encode_ms),
            "decode": _ms(stats.decode_ms),
            "devices": f"{into} + {out} ms",
            "memory": f"{stats.memory_bytes / 1e9:.1f} GB" if stats.memory_bytes else "–",
        }
        sides = {
            "skipped": (
                f"in {_skipped(skips.user_ms, skips.user_speech_ms)}",
                f"out {_skipped(skips.moshi_ms, skips.moshi_speech_ms)}",
            ),
            "dropped": (
                f"in {_span(stats.dropped_input_ms)}" if stats.dropped_input_ms else "",
                f"out {_span(stats.dropped_output_ms)}" if stats.dropped_output_ms else "",
            ),
            "xruns": (f"in {stats.input_overflows}", f"out {stats.output_underflows}"),
        }
        for name, value in values.items():
            self.query_one(f"#{name}", Readout).value = value
        for name, (user, moshi) in sides.items():
            self.query_one(f"#{name}", SidesReadout).show(user, moshi)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"


def _seconds(frames: int) -> str:
    return f"{frames * FRAME_SECONDS:.0f}"


def _span(ms: float) -> str:
    return f"{ms:.0f} ms" if 0.5 <= ms < 999.5 else duration(ms) if ms >= 0.5 else "0"


def _skipped(ms: float, speech_ms: float) -> str:
    return f"{_span(ms)}{' !' if speech_ms else ''}"


def _speed(speed: float) -> str:
    factor = f"{speed:.2f}".rstrip("0").rstrip(".")
    return "" if factor == "1" else f" {factor}x"
