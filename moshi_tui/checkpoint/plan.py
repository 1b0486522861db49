"""What of a checkpoint is on this machine, and what would have to be downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from moshi_tui.checkpoint.hub import Hub, Listing, RepoFile
from moshi_tui.checkpoint.sources import locate
from moshi_tui.checkpoint.transfer import Transfer
from moshi_tui.config import CheckpointOptions


@dataclass(frozen=True)
class PlannedFile:
    """One of the files that a checkpoint is made of."""

    name: str
    repo: str
    """Where it is still to be fetched from; empty for a file that is there."""
    size: int | None
    """In bytes; None where the hub does not say."""
    there: int
    """Bytes that are on this machine, also those of a download that broke off."""
    cached: bool
    """Whether it is complete on this machine (in the cache, or where an option says)."""


@dataclass(frozen=True)
class Plan:
    """What `resolve` would do."""

    files: tuple[PlannedFile, ...]
    """Language model, codec, text tokenizer."""
    label: str
    """As `CheckpointFiles.label`."""
    cache: Path
    """The hub's cache, into which the missing files would go."""
    endpoint: str
    """The hub."""

    @property
    def missing(self) -> tuple[PlannedFile, ...]:
        """What is still to be fetched."""
        return tuple(file for file in self.files if not file.cached)

    @property
    def to_fetch(self) -> int | None:
        """Bytes that are still to come; None if the hub does not say all sizes."""
        if any(file.size is None for file in self.missing):
            return None
        return sum(max(0, (file.size or 0) - file.there) for file in self.missing)


def plan(options: CheckpointOptions, *, cancelled: Callable[[], bool] = lambda: False) -> Plan:
    """Find out what `resolve` would download, without downloading it.

    Asks the hub only if something is missing: what the repo holds, and one HEAD for each file.
    The one thing it may fetch is a repo's `config.json`, a few KB, which names the other files.

    Args:
        options: as for `resolve`; `demo` is not looked at either.
        cancelled: asked ten times a second while the hub is; True ends it.

    Raises:
        MoshiTuiError: as `resolve` would: contradicting options, no network, no such repo.
        Cancelled: `cancelled` said so.
    """
    survey = _Survey(cancelled)
    files = locate(options, lambda: survey)
    return Plan(
        files=tuple(survey.planned(path) for path in (files.moshi, files.mimi, files.tokenizer)),
        label=files.label,
        cache=survey.cache,
        endpoint=survey.endpoint,
    )


class _Survey(Hub):
    """A hub that asks about files instead of fetching them: `locate` gets the paths that they
    would have."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        super().__init__(cancelled=cancelled)
        self._nameless: dict[Path, Transfer] = {}

    def fetch(self, files: Sequence[RepoFile]) -> list[Path]:
        for file, transfer in self.look_up(files).items():
            self._nameless[self._path(file)] = transfer
        return [self._path(file) for file in files]

    def remember(self, listing: Listing, absent: Iterable[str] = ()) -> None:
        """Nothing: the files that this would vouch for are not there."""

    def planned(self, path: Path) -> PlannedFile:
        """What there is to know about a file that `locate` named."""
        asked = self._nameless.get(path)
        if asked is None:
            size = path.stat().st_size
            return PlannedFile(path.name, "", size, size, True)
        if asked.blob.exists():  # its bytes are there, by another name
            size = asked.blob.stat().st_size
            return PlannedFile(asked.name, "", size, size, True)
        return PlannedFile(asked.name, asked.repo, asked.size, asked.done, False)
