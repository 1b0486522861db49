"""The one exception that a person is meant to read."""

from __future__ import annotations


class MoshiTuiError(Exception):
    """What went wrong, said for the person at the terminal.

    Args:
        title: a few words, e.g. "Checkpoint is truncated".
        message: what was found, with names and numbers.
        hint: what to do next: a command or a setting; empty if there is nothing to do.

    Before the screen is up it ends as lines on stderr and exit status 1; inside as a notification
    or an error screen.
    """

    def __init__(self, title: str, message: str, hint: str = "") -> None:
        super().__init__(title, message, hint)
        self.title = title
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.title}: {self.message}"
        return f"{text}\n{self.hint}" if self.hint else text


class UsageError(MoshiTuiError):
    """The words themselves can't be meant: options that contradict each other, an unknown name.

    Before the screen is up it ends with exit status 2, as a mistyped option does.
    """
