"""Which files make up a checkpoint, and getting them: folders, single files, the hub's cache, the
hub.

`resolve` turns what a person chose (`config.CheckpointOptions`) into paths; `plan` says what of
it would have to be downloaded.
"""

from moshi_tui.checkpoint.hub import Cancelled, Progress, size_words
from moshi_tui.checkpoint.plan import Plan, PlannedFile, plan
from moshi_tui.checkpoint.sizes import usual_bytes
from moshi_tui.checkpoint.sources import CheckpointFiles, resolve
from moshi_tui.checkpoint.transfer import FileShare

__all__ = [
    "Cancelled",
    "CheckpointFiles",
    "FileShare",
    "Plan",
    "PlannedFile",
    "Progress",
    "plan",
    "resolve",
    "size_words",
    "usual_bytes",
]
