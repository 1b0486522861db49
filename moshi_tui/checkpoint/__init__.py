"""Which files make up a checkpoint, and getting them: folders, single files, the hub's cache, the
hub.

`resolve` turns what a person chose (`config.CheckpointOptions`) into paths.
"""

from moshi_tui.checkpoint.hub import Cancelled, Progress
from moshi_tui.checkpoint.sources import CheckpointFiles, resolve

__all__ = ["Cancelled", "CheckpointFiles", "Progress", "resolve"]
