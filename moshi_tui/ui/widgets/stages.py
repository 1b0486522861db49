"""How far loading has come."""

from __future__ import annotations

from collections.abc import Sequence

from moshi_tui.clean import clean
from moshi_tui.session.events import Loading
from moshi_tui.ui.widgets.flow import Flow, cut
from moshi_tui.ui.widgets.panel import Row, spread

_NAMES = {
    "files": "Files",
    "weights": "Weights",
    "codec": "Codec",
    "warm-up": "Warm-up",
    "sound": "Sound",
}
_NAME = max(map(len, _NAMES.values())) + 2
_LOOKS = {"done": "good", "current": "strong", "pending": "quiet", "failed": "poor"}
_MARKS = {"done": "✓", "current": "▸", "pending": "·", "failed": "✗"}
_ASCII_MARKS = {"done": "+", "current": ">", "pending": ".", "failed": "x"}


class StageList(Flow):
    """The stages in order: done and how long it took, current with its detail, still to come."""

    def __init__(self, *, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ascii = ascii
        self._took: dict[str, float] = {}
        self._began = 0.0
        self._stage = Loading.STAGES[0]
        self._detail = ""
        self._failed = ""  # the stage

    def restart(self, now: float) -> None:
        """Everything is still to come. `now` in seconds of any clock."""
        self._took = {}
        self._began = now
        self._stage, self._detail, self._failed = Loading.STAGES[0], "", ""
        self.redraw()

    def show(self, stage: str, detail: str, now: float) -> None:
        """`stage` (of `Loading.STAGES`) has begun or gone on; `detail` in the engine's words."""
        if stage != self._stage:
            self._took[self._stage] = now - self._began
            self._began = now
        self._stage, self._detail = stage, clean(detail)
        self.redraw()

    def fail(self, stage: str = "") -> None:
        """The current stage is where it ended; or `stage`, known beforehand to be impossible."""
        self._failed = stage or self._stage
        self.redraw()

    def lay_out(self, width: int) -> Sequence[Row]:
        """A line a stage: mark, name, detail or time."""
        current = Loading.STAGES.index(self._stage) if self._stage in Loading.STAGES else 0
        marks = _ASCII_MARKS if self._ascii else _MARKS
        rows: list[Row] = []
        for index, stage in enumerate(Loading.STAGES):
            if stage == self._failed:
                state = "failed"
            elif index == current:
                state = "pending" if self._failed else "current"
            else:
                state = "done" if index < current else "pending"
            look = _LOOKS[state]
            name: Row = ((f"{marks[state]} ", look), (_NAMES[stage].ljust(_NAME), look))
            if index == current:
                rows.append((*name, (cut(self._detail, width - _NAME - 2, ascii=self._ascii), "")))
            elif stage in self._took and state == "done":
                rows.append(spread(name, ((span(self._took[stage]), "quiet"),), width))
            else:
                rows.append(name)
        return rows


def span(seconds: float) -> str:
    """ "0.4 s", "12 s", "2 min 50 s", "1 h 5 min"."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
