"""What has been drawn once and has not changed is not drawn again.

Textual renders every widget that lies in the rectangle around all changes, and those beneath it, 15
times a second on the screen of the talk. It keeps the lines of a widget, but puts them together
anew each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Region
from textual.strip import Strip

if TYPE_CHECKING:
    from textual.widget import Widget

    Base = Widget
else:  # Textual takes component classes, CSS and type names from the first base that is a widget
    Base = object

_KEPT_CROPS = 8


class Kept(Base):
    """A widget whose lines are kept until it is refreshed. To stand before the widget that it
    mends: `class Panel(Kept, Widget)`."""

    _crops: dict[Region, list[Strip]] | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        """See `Widget.render_lines`."""
        if self._crops is None or len(self._crops) > _KEPT_CROPS:
            self._crops = {}
        if crop not in self._crops:
            self._crops[crop] = super().render_lines(crop)
        return self._crops[crop]

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Kept:
        """See `Widget.refresh`."""
        self._crops = None
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self

    def notify_style_update(self) -> None:
        """Colours may be others."""
        super().notify_style_update()
        self._crops = None
