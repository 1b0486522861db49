"""What the variables MOSHI_TUI_… say."""

from __future__ import annotations

from collections.abc import Mapping

from moshi_tui.clean import clean
from moshi_tui.config import OPTIONS
from moshi_tui.errors import UsageError
from moshi_tui.paths import CONFIG_VARIABLE
from moshi_tui.settings.layers import Given
from moshi_tui.settings.nearest import nearest
from moshi_tui.settings.values import BadValueError, fields_of, from_text

PREFIX = "MOSHI_TUI_"


def read(environ: Mapping[str, str]) -> dict[str, Given]:
    """The layer of the variables; one that is empty counts as not set.

    Raises UsageError for a value that can't be.
    """
    layer = {}
    for option in OPTIONS:
        text = environ.get(option.variable, "")
        if not text:
            continue
        try:
            for each, said in fields_of(option, text):
                value = said if said is True else from_text(each, said)
                layer[each.key] = Given(value, option.variable)
        except BadValueError as error:
            raise UsageError(
                "Wrong value in the environment",
                f"{option.variable}={clean(text)}: expected {error}",
                f"Set it to that, or leave it out: unset {option.variable}",
            ) from None
    return layer


def unknown(environ: Mapping[str, str]) -> list[str]:
    """A line for each variable with our prefix that nobody knows."""
    known = {CONFIG_VARIABLE, *(option.variable for option in OPTIONS)}
    lines = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            # Compared without what all of them begin with, or else everything is near.
            near = nearest(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known])
            also = f" (did you mean {PREFIX}{near}?)" if near else ""
            lines.append(f"no setting {clean(name)}{also}")
    return lines
