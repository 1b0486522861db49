"""All layers together: what `cli` asks for."""

from __future__ import annotations

import os

from moshi_tui import paths
from moshi_tui.errors import MoshiTuiError
from moshi_tui.settings import environment, file
from moshi_tui.settings.contradictions import refuse_contradictions
from moshi_tui.settings.layers import Layer, Merged, merge


def load(flags: Layer) -> Merged:
    """The settings of this start.

    Raises MoshiTuiError for whatever is wrong in any layer, UsageError for what contradicts itself.
    """
    path = paths.config_file()
    if os.environ.get(paths.CONFIG_VARIABLE) and not path.exists():
        raise MoshiTuiError(
            "No such settings file",
            f"{file.name_of(path)}, named by --config or {paths.CONFIG_VARIABLE}",
            f"Make it: {file.edit(path)}",
        )
    merged = merge(flags, environment.read(os.environ), file.read(path))
    refuse_contradictions(
        merged.settings.checkpoint, lambda name: merged.said(f"checkpoint.{name}")
    )
    return merged
