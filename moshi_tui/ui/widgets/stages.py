"""How far loading has come."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import set_cell_size
from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from moshi_tui.clean import clean
from moshi_tui.session.events import Loading

_DONE, _CURRENT, _PENDING, _FAILED = "✓", "▸", "·", "✗"


class StageList(Widget):
    """The stages in order: done, current with its detail, still to come."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "stage-list--done",
        "stage-list--current",
        "stage-list--pending",
        "stage-list--failed",
    }
    DEFAULT_CSS = """
    StageList {
        height: auto;
    }
    StageList > .stage-list--done {
        color: $text-success;
    }
    StageList > .stage-list--current {
        color: $foreground;
        text-style: bold;
    }
    StageList > .stage-list--pending {
        color: $foreground-muted;
    }
    StageList > .stage-list--failed {
        color: $text-error;
        text-style: bold;
    }
    """

    stage: reactive[str] = reactive(Loading.STAGES[0])
    """The current one of `Loading.STAGES`."""
    detail: reactive[str] = reactive("")
    """What is being done, in the engine's words."""
    failed: reactive[bool] = reactive(False)
    """The current stage is where it ended."""

    def validate_detail(self, detail: str) -> str:
        """Fit for a terminal."""
        return clean(detail)

    def render(self) -> RenderResult:
        """A line a stage: mark, name, detail."""
        current = Loading.STAGES.index(self.stage) if self.stage in Loading.STAGES else 0
        lines = []
        for index, stage in enumerate(Loading.STAGES):
            if index < current:
                mark, style = _DONE, "done"
            elif index > current:
                mark, style = _PENDING, "pending"
            elif self.failed:
                mark, style = _FAILED, "failed"
            else:
                mark, style = _CURRENT, "current"
            name = (f"{mark} {stage:<9}", self.get_visual_style(f"stage-list--{style}"))
            detail = self.detail if index == current else ""
            room = max(0, self.size.width - 13)
            lines.append(Content.assemble(name, "  ", set_cell_size(detail, room), end=""))
        return Content("\n").join(lines)
