"""Every key of the screen, once: the bindings, the line at the bottom, the help screen, the command
palette and `moshi-tui keys` are all made from this table.

Imports nothing of Textual, so that `moshi-tui keys` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["talk", "read", "screen"]

GROUPS: dict[Group, str] = {"talk": "The talk", "read": "Reading", "screen": "The screen"}
"""Headings, in order."""


@dataclass(frozen=True)
class Key:
    """One key, or several that do the same."""

    keys: str
    """Textual's names, separated by commas."""
    shown: str
    """How a person writes it."""
    action: str
    """The action that it runs."""
    label: str
    """Two words at most, for the line at the bottom and the palette; empty: in neither."""
    help: str
    """What it does, as a sentence without its full stop."""
    group: Group
    footer: bool = False
    """Shown at the bottom, in the order of the table, as far as there is room."""
    on_failure: bool = False
    """Still of use after the talk has ended with an error."""
    short: str = ""
    """The label where there is little room."""

    @property
    def name(self) -> str:
        """How it is written where there is room for one only."""
        return self.shown.split()[0]


KEYS: tuple[Key, ...] = (
    Key("m", "m", "mute", "Mute", "Mute and unmute: Moshi hears silence", "talk", footer=True),
    Key(
        "space",
        "space",
        "hold_to_talk",
        "Hold to talk",
        "Hold to talk: Moshi hears you while it is down, and silence from then on. Where the "
        "terminal does not repeat keys: press to talk, press again to stop",
        "talk",
        footer=True,
        short="Talk",
    ),
    Key(
        "r",
        "r",
        "reset",
        "Reset",
        "Reset: Moshi forgets the talk so far (asks first while recording)",
        "talk",
        footer=True,
    ),
    Key("c", "c", "record", "Record", "Start and stop recording", "talk", footer=True),
    Key("d", "d", "devices", "Devices", "Choose microphone and speaker, try them", "talk", True),
    Key(
        "up,down",
        "↑ ↓",
        "",
        "",
        "Read back in the conversation, line by line",
        "read",
        on_failure=True,
    ),
    Key("pageup,pagedown", "PgUp PgDn", "", "", "The same, page by page", "read", on_failure=True),
    Key("home", "Home", "", "", "Go to the beginning", "read", on_failure=True),
    Key("end", "End", "", "", "Go to the end, and follow it again", "read", on_failure=True),
    Key(
        "shift+up,shift+down,K,J",
        "Shift+↑ Shift+↓",
        "",
        "",
        "Select, entry by entry (where the terminal keeps those keys for itself: K and J; or with "
        "the mouse)",
        "read",
        on_failure=True,
    ),
    Key(
        "slash",
        "/",
        "search",
        "Search",
        "Search the conversation; Enter or ↑ for the one before, ↓ for the next, Esc to leave",
        "read",
        footer=True,
        on_failure=True,
    ),
    Key("s", "s", "save", "Save", "Save the conversation as a text file", "read", True, True),
    Key(
        "y",
        "y",
        "copy",
        "Copy",
        "Copy what is selected; without a selection the whole conversation. (Some terminals let no "
        "program write to the clipboard: save instead)",
        "read",
        on_failure=True,
    ),
    Key("t", "t", "compact", "Compact", "The compact view, and back", "screen", footer=True),
    Key("plus,equals_sign", "+", "volume(2)", "Louder", "Play Moshi 2 dB louder", "talk", True),
    Key("minus,underscore", "-", "volume(-2)", "Softer", "Play Moshi 2 dB softer", "talk", True),
    Key(
        "ctrl+p",
        "Ctrl+P",
        "command_palette",
        "Palette",
        "All actions and themes by name",
        "screen",
        footer=True,
        on_failure=True,
    ),
    Key("question_mark,f1", "? F1", "help", "Help", "This list", "screen", True, True),
    Key("q,ctrl+q,ctrl+c", "q Ctrl+C", "quit", "Quit", "Leave the talk", "screen", True, True),
)


def as_text() -> str:
    """The list on paper: `moshi-tui keys`."""
    width = max(len(key.shown) for key in KEYS) + 2
    lines: list[str] = []
    for group, heading in GROUPS.items():
        lines += ["", heading] if lines else [heading]
        lines += [f"  {key.shown:<{width}}{key.help}" for key in KEYS if key.group == group]
    return "\n".join(lines) + "\n"
