"""Hold to talk with what a terminal offers: key presses that repeat, and no word of a release.

Held down, a key comes again after the system's initial delay (0.2 to 0.7 s) and then many times a
second, if the terminal passes repeats on at all. So:

- a press begins to talk at once;
- if it comes again soon, it is being held: the talk ends when it comes no more;
- if it does not, it was a tap, or the terminal does not repeat keys. Then talking goes on until the
  key is pressed once more: a toggle.
"""

from __future__ import annotations

from typing import Literal

FIRST_REPEAT_SECONDS = 0.75
"""The longest initial delay that is met (macOS at its slowest setting aside)."""
RELEASE_SECONDS = 0.3
"""A held key that has not come for so long was let go; repeats come every 0.02 to 0.1 s."""

State = Literal["off", "silent", "pressed", "held", "latched"]
"""Not in use; in use and nobody talks; talking since a press that may become one of the two that
follow; while it is held; until the next press."""


class PushToTalk:
    """The decisions; a clock and the muting are the caller's. Times in seconds of any clock."""

    def __init__(self) -> None:
        self.state: State = "off"
        self._newest = float("-inf")
        self._deaf_until_release = False

    @property
    def talking(self) -> bool:
        """Whether Moshi shall hear the user."""
        return self.state in ("off", "pressed", "held", "latched")

    def press(self, now: float) -> None:
        """The key came: pressed, or repeated while it is held."""
        since, self._newest = now - self._newest, now
        if self._deaf_until_release and since < FIRST_REPEAT_SECONDS:
            return  # the press that ended a latched talk is still being held
        self._deaf_until_release = False
        if self.state in ("pressed", "held"):
            self.state = "held"
        elif self.state == "latched":
            self.state = "silent"
            self._deaf_until_release = True
        else:
            self.state = "pressed"

    def tick(self, now: float) -> None:
        """Time goes on: call it a few times a second while `state` is "pressed" or "held"."""
        since = now - self._newest
        if self.state == "held" and since > RELEASE_SECONDS:
            self.state = "silent"
        elif self.state == "pressed" and since > FIRST_REPEAT_SECONDS:
            self.state = "latched"

    def leave(self) -> None:
        """Back to ordinary muting."""
        self.state = "off"
        self._deaf_until_release = False
