"""Files from the Hugging Face hub, kept in the hub's own cache.

The cache is read and filled in the layout that huggingface_hub documents ("Understand caching"):
`models--owner--name/` holds `refs/<revision>` (a commit), `blobs/<etag>`,
`snapshots/<commit>/<file>` (links to blobs) and `.no_exist/<commit>/<file>`. So what another
program downloaded is found here, and the other way round. Reading it takes no network, no token
and not the half second of importing the whole library.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from moshi_tui.checkpoint.hub_errors import SPACE_HINT, Explained, quiet_library
from moshi_tui.checkpoint.transfer import FileShare, Transfer
from moshi_tui.errors import MoshiTuiError

T = TypeVar("T")

MARGIN = 256 << 20
"""Bytes that must stay free on the disk after a download."""

_TICK = 0.1  # seconds between two looks at a running transfer: progress, and whether to quit
_METADATA_TIMEOUT = 10.0  # seconds for a server to answer


@dataclass(frozen=True)
class Progress:
    """How far a download is. All in bytes; a total is None while a size is unknown."""

    file: str
    """The one that is being fetched."""
    done: int
    total: int | None
    overall_done: int
    """Over all files of this download; files that were there already don't count."""
    overall_total: int | None
    files: tuple[FileShare, ...] = ()
    """All of this download, in the order in which they are fetched."""


class Cancelled(Exception):  # noqa: N818 - not an error: the person's wish
    """The person quit during a download. What has arrived stays for the next time."""


@dataclass(frozen=True)
class RepoFile:
    """One file of a repo, at one commit."""

    repo: str
    commit: str
    name: str


@dataclass(frozen=True)
class Listing:
    """What a repo holds at a revision."""

    repo: str
    revision: str
    commit: str
    names: frozenset[str]


class Hub:
    """The hub and its cache, for one person waiting.

    Every method is called on one thread; what talks to the network does so on a thread of its own,
    so that a stalled connection can't keep anybody from quitting. `HF_ENDPOINT` and `HF_HUB_CACHE`
    are read here, the other variables of huggingface_hub by itself.

    Args:
        progress: called about ten times a second during a download.
        cancelled: asked as often; True makes the running method raise `Cancelled`.
    """

    def __init__(
        self,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        from huggingface_hub import constants

        self.endpoint = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
        self.cache = Path(os.environ.get("HF_HUB_CACHE") or constants.HF_HUB_CACHE).expanduser()
        self._progress = progress
        self._cancelled = cancelled

    # ---- the cache: no network, no token

    def snapshot(self, repo: str, revision: str) -> Path | None:
        """The folder of the cached files of a revision (not all of the repo's, perhaps)."""
        folder = self._folder(repo) / "snapshots" / self._commit(repo, revision)
        return folder if folder.is_dir() else None

    def known_absent(self, repo: str, revision: str, name: str) -> bool:
        """Whether the cache remembers that the repo has no such file at that revision."""
        return (self._folder(repo) / ".no_exist" / self._commit(repo, revision) / name).is_file()

    def remember(self, listing: Listing, absent: Iterable[str] = ()) -> None:
        """Note in the cache which commit a revision is, and which files it lacks.

        Call it when the files are there: until then the revision stays what it was, and an older
        complete snapshot can still be used without a network.

        Raises:
            MoshiTuiError: the cache can't be written.
        """
        folder = self._folder(listing.repo)
        with self._explained(listing.repo, listing.revision):
            for name in absent:
                marker = folder / ".no_exist" / listing.commit / name
                marker.parent.mkdir(parents=True, exist_ok=True)
                marker.touch()
            if listing.revision != listing.commit:
                ref = folder / "refs" / listing.revision
                ref.parent.mkdir(parents=True, exist_ok=True)
                unfinished = ref.with_name(f"{ref.name}.{os.getpid()}.tmp")
                unfinished.write_text(listing.commit)
                os.replace(unfinished, ref)

    # ---- the network

    def listing(self, repo: str, revision: str) -> Listing:
        """Ask the hub what a repo holds.

        Raises:
            NoNetworkError: it can't be asked.
            MoshiTuiError: no such repo or revision, no access, a server in trouble.
            Cancelled: the person quit.
        """
        quiet_library()
        with self._explained(repo, revision):
            return self._abroad(partial(self._list, repo, revision))

    def fetch(self, files: Sequence[RepoFile]) -> list[Path]:
        """Bring files into the cache, those that are not there yet, and return their paths.

        Args:
            files: what to bring; the repos need not be the same.

        Raises:
            NoNetworkError: the hub can't be reached, or not any more.
            MoshiTuiError: no access, not enough disk space, a damaged download and the like.
            Cancelled: the person quit; the rest is fetched the next time.
        """
        return self._bring(files, report=True)

    def fetch_config(self, file: RepoFile) -> Path:
        """As `fetch`, for the one small file that says which others there are: no `progress`."""
        return self._bring([file], report=False)[0]

    def look_up(self, files: Sequence[RepoFile]) -> dict[RepoFile, Transfer]:
        """Ask the hub about those of `files` that have no name in the cache yet, one HEAD each.

        The bytes themselves may be there all the same, as `Transfer.blob`. Raises as `fetch`.
        """
        quiet_library()
        transfers: dict[RepoFile, Transfer] = {}
        for file in files:
            if not self._path(file).is_file():
                with self._explained(file.repo, file.commit, file.name):
                    transfers[file] = self._abroad(partial(self._look_up, file))
        return transfers

    def _bring(self, files: Sequence[RepoFile], *, report: bool) -> list[Path]:
        transfers = self.look_up(files)
        missing = [transfer for transfer in transfers.values() if not transfer.blob.exists()]
        self._check_space(missing)
        for transfer in missing:
            tick = partial(self._report, transfer, missing) if report else None
            with self._explained(transfer.repo, "", transfer.name):
                try:
                    self._abroad(transfer.run, tick)
                finally:
                    transfer.stop.set()
        for file, transfer in transfers.items():
            with self._explained(file.repo, file.commit, file.name):
                _place(transfer.blob, self._path(file))
        return [self._path(file) for file in files]

    def _folder(self, repo: str) -> Path:
        return self.cache / f"models--{repo.replace('/', '--')}"

    def _commit(self, repo: str, revision: str) -> str:
        ref = self._folder(repo) / "refs" / revision
        return ref.read_text().strip() if ref.is_file() else revision

    def _path(self, file: RepoFile) -> Path:
        return self._folder(file.repo) / "snapshots" / file.commit / file.name

    def _explained(self, repo: str, revision: str, name: str = "") -> Explained:
        return Explained(self.endpoint, self.cache, repo, revision, name)

    def _abroad(self, work: Callable[[], T], tick: Callable[[], None] | None = None) -> T:
        """Run `work` on another thread, keeping an eye on `cancelled` and calling `tick`.

        The thread is a daemon: one that hangs in a dead connection does not hold up the end of the
        program.
        """
        result: Future[T] = Future()

        def body() -> None:
            try:
                result.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed over to the caller's thread
                result.set_exception(error)

        if self._cancelled():
            raise Cancelled
        threading.Thread(target=body, name="hub", daemon=True).start()
        while True:
            finished = wait([result], timeout=_TICK).done
            if tick is not None:
                tick()
            if finished:
                return result.result()
            if self._cancelled():
                raise Cancelled

    def _report(self, current: Transfer, all_of_them: Sequence[Transfer]) -> None:
        if self._progress is None:
            return
        sizes = [transfer.size for transfer in all_of_them]
        self._progress(
            Progress(
                file=current.name,
                done=current.done,
                total=current.size,
                overall_done=sum(transfer.done for transfer in all_of_them),
                overall_total=None if None in sizes else sum(size or 0 for size in sizes),
                files=tuple(transfer.share for transfer in all_of_them),
            )
        )

    def _check_space(self, missing: Sequence[Transfer]) -> None:
        needed = sum(max(0, (transfer.size or 0) - transfer.done) for transfer in missing)
        if not needed:
            return
        free = free_space(self.cache)
        if free < needed + MARGIN:
            raise MoshiTuiError(
                "Not enough disk space",
                f"{size_words(needed)} are still to be downloaded to {self.cache}. That needs "
                f"{size_words(needed + MARGIN)} free; {size_words(free)} are.",
                SPACE_HINT,
            )

    # ---- on the other thread

    def _list(self, repo: str, revision: str) -> Listing:
        from huggingface_hub import HfApi

        info = HfApi(endpoint=self.endpoint).model_info(
            repo, revision=revision, timeout=_METADATA_TIMEOUT
        )
        if info.sha is None or info.siblings is None:
            raise ValueError("the answer names no commit or no files")
        names = frozenset(sibling.rfilename for sibling in info.siblings)
        return Listing(repo, revision, info.sha, names)

    def _look_up(self, file: RepoFile) -> Transfer:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        url = hf_hub_url(file.repo, file.name, revision=file.commit, endpoint=self.endpoint)
        about = get_hf_file_metadata(url, timeout=_METADATA_TIMEOUT, endpoint=self.endpoint)
        # The etag becomes a file's name.
        if about.etag is None or not re.fullmatch(r"\w[\w.-]*", about.etag):
            raise ValueError(f"{about.etag!r} is no usable etag")
        folder = self._folder(file.repo)
        return Transfer(
            repo=file.repo,
            name=file.name,
            url=url,
            blob=folder / "blobs" / about.etag,
            lock=self.cache / ".locks" / folder.name / f"{about.etag}.lock",
            size=about.size,
        )


def free_space(folder: Path) -> int:
    """Bytes that are free where `folder` is, or would be. Raises OSError."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free


def _place(blob: Path, pointer: Path) -> None:
    """Give the blob its name in the snapshot."""
    pointer.parent.mkdir(parents=True, exist_ok=True)
    pointer.unlink(missing_ok=True)  # a dead link
    try:
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        os.replace(blob, pointer)  # a file system without links, e.g. exFAT


def size_words(count: int) -> str:
    """A number of bytes to read."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
