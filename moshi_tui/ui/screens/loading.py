"""From the command to the first frame."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Footer, ProgressBar

from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import Loading
from moshi_tui.ui.widgets.error import ErrorPanel
from moshi_tui.ui.widgets.stages import StageList


class LoadingScreen(Screen[None]):
    """The stages of loading with the progress of the current one; if it fails, where and why."""

    def compose(self) -> ComposeResult:
        """Stages, progress, keys."""
        with Vertical(id="stages") as box:
            box.border_title = "moshi-tui"
            yield StageList()
            yield ProgressBar(total=None, show_eta=False)
        yield ErrorPanel()
        yield Footer()

    def show(self, loading: Loading) -> None:
        """A stage has begun or gone on."""
        stages = self.query_one(StageList)
        stages.stage, stages.detail = loading.stage, loading.detail
        fraction = loading.fraction
        self.query_one(ProgressBar).update(
            total=None if fraction is None else 1.0, progress=fraction or 0.0
        )

    def fail(self, error: MoshiTuiError) -> None:
        """Loading has ended with an error."""
        self.query_one(StageList).failed = True
        self.query_one(ProgressBar).display = False
        panel = self.query_one(ErrorPanel)
        panel.show(error)
        panel.focus()
