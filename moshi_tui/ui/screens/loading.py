"""From the command to the first frame. Painted before anything else, so it is made of little."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import Screen

from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import Loading
from moshi_tui.ui.widgets.download import DownloadList, ProgressLine
from moshi_tui.ui.widgets.error import ErrorPanel
from moshi_tui.ui.widgets.flow import KeyLine
from moshi_tui.ui.widgets.stages import StageList

_BESIDE_FILES = 14
"""Lines that are not for files: stages, bars, borders, keys."""


class LoadingScreen(Screen[None]):
    """The stages of loading with the progress of the current one; if it fails, where and why.

    Args:
        ascii: for a terminal without block characters.
        clock: seconds; injected by tests.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,r", "retry", "Try again", show=False),
    ]
    DEFAULT_CSS = """
    LoadingScreen {
        align: center middle;
        overflow: hidden;
    }
    LoadingScreen #loading {
        width: 76;
        max-width: 100%;
        height: auto;
        padding: 1 2;
        border: round $frame;
        border-title-style: bold;
        border-title-color: $foreground;
    }
    LoadingScreen DownloadList, LoadingScreen ProgressLine {
        margin-top: 1;
    }
    LoadingScreen ErrorPanel {
        width: 76;
        max-width: 100%;
        max-height: 60%;
    }
    LoadingScreen KeyLine {
        dock: bottom;
        padding: 0 1;
    }
    LoadingScreen.-short #loading {
        padding: 0 1;
    }
    LoadingScreen.-short DownloadList, LoadingScreen.-failed DownloadList,
    LoadingScreen.-failed ProgressLine {
        display: none;
    }
    LoadingScreen.-failed.-short #loading {
        display: none;
    }
    LoadingScreen.-failed.-short ErrorPanel {
        max-height: 1fr;
    }
    LoadingScreen.-ascii #loading {
        border: ascii $frame;
    }
    """
    VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-high")]  # noqa: RUF012 - as Screen declares it

    class Retry(Message):
        """The person wants to try again: make another engine, and call `restart`."""

    def __init__(self, *, ascii: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(classes="-ascii" if ascii else None)
        self._ascii = ascii
        self._clock = clock
        self._began = clock()
        self._error: ErrorPanel | None = None
        self._stages = StageList(ascii=ascii)
        self._files = DownloadList(ascii=ascii)
        self._progress = ProgressLine(ascii=ascii)
        self._keys = KeyLine()

    def compose(self) -> ComposeResult:
        """Stages, files, progress, keys."""
        with Vertical(id="loading") as box:
            box.border_title = "moshi-tui"
            yield self._stages
            yield self._files
            yield self._progress
        yield self._keys

    def on_mount(self) -> None:
        """Time begins."""
        self.restart()
        self.set_interval(0.25, self._tick)

    def on_resize(self) -> None:
        """Files take what room there is."""
        self._files.most = max(1, self.size.height - _BESIDE_FILES)
        self._files.redraw()

    def show(self, loading: Loading) -> None:
        """A stage has begun or gone on."""
        if self._error is None:
            self._stages.show(loading.stage, loading.detail, self._clock())
            self._files.show(loading.download)
            self._progress.show(loading.fraction, loading.download)

    def fail(self, error: MoshiTuiError, stage: str = "") -> None:
        """Loading has ended with an error, in the current stage or in `stage`; the first one is
        shown."""
        if self._error is not None:
            return
        self._error = panel = ErrorPanel("Enter tries again, q quits", ascii=self._ascii)
        self._stages.fail(stage)
        self._keys.show(("Enter", "Try again"), ("q", "Quit"))
        self.add_class("-failed")
        panel.show(error)
        self.mount(panel, before=self._keys)
        panel.focus()

    def restart(self) -> None:
        """As if it had just begun: another engine loads now."""
        if self._error is not None:
            self._error.remove()
            self._error = None
        self.remove_class("-failed")
        self._began = self._clock()
        self._stages.restart(self._began)
        self._files.show(None)
        self._progress.show(None, None)
        self._progress.tick(0.0)
        self._keys.show(("q", "Quit"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is nothing to try again before something has failed."""
        return action != "retry" or self._error is not None

    def action_retry(self) -> None:
        """Let the app begin anew."""
        self.post_message(self.Retry())

    def _tick(self) -> None:
        if self._error is None:
            self._progress.tick(self._clock() - self._began)
