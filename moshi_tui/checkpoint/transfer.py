"""One file from the hub to the disk: resumed, checked, and stopped at any moment.

Plain HTTP, not huggingface_hub's own download: since version 2 that one deletes a file that broke
off, and with hf-xet it can't be stopped from outside. For the same reason progress is what this
module counts (`Transfer.done`), and not what huggingface_hub tells its `tqdm_class`.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from moshi_tui.checkpoint.hub_errors import http_error, may_pass
from moshi_tui.errors import MoshiTuiError

RETRIES = 5
"""How often in a row a connection may break without a new byte."""
RETRY_WAIT = 1.0
"""Seconds before it is opened again."""


@dataclass(frozen=True)
class FileShare:
    """How much of a file is on this machine."""

    repo: str
    name: str
    done: int
    """Bytes; also those of a download that broke off."""
    total: int | None
    """Its size in bytes, None where the hub does not say."""


@dataclass
class Transfer:
    """A file on its way to `blobs/<etag>` of the cache.

    `run` belongs to one worker thread; any other thread may read `done` and set `stop`.
    """

    repo: str
    name: str
    url: str
    """At the hub, not where that redirects to: such addresses expire."""
    blob: Path
    """Where it will lie; the file's name is its etag."""
    lock: Path
    """The lock file that huggingface_hub takes for the same blob."""
    size: int | None
    """In bytes, None where the hub does not say."""
    done: int = 0
    """Bytes on the disk."""
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        if self.size is not None and self.part.exists():
            self.done = min(self.part.stat().st_size, self.size)

    @property
    def part(self) -> Path:
        """What has arrived; huggingface_hub 1 uses the same name and resumes it too."""
        return self.blob.with_name(f"{self.blob.name}.incomplete")

    @property
    def share(self) -> FileShare:
        """How far it is now."""
        return FileShare(self.repo, self.name, self.done, self.size)

    def run(self) -> None:
        """Receive what is missing, check it and move it into place; return early on `stop`.

        Raises:
            MoshiTuiError: the file is not what the hub announced; it is removed.
            OSError: the disk is full or can't be written.
            Exception: an error of httpx or huggingface_hub (`http_error`). What arrived stays.
        """
        from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

        self.lock.parent.mkdir(parents=True, exist_ok=True)
        self.blob.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(self.lock):
            if self.blob.exists():  # another program was quicker
                self.done = self.size or 0
                return
            self._receive_all()
            self._check()
            if not self.stop.is_set():
                os.replace(self.part, self.blob)

    def _receive_all(self) -> None:
        patience = RETRIES
        while not self.stop.is_set():
            before = self.done
            try:
                self._receive()
                break
            except http_error() as error:
                patience = RETRIES if self.done > before else patience - 1
                if not may_pass(error) or patience <= 0:
                    raise
            self.stop.wait(RETRY_WAIT)

    def _receive(self) -> None:
        """Append to the part file over one connection."""
        from huggingface_hub import constants, get_session
        from huggingface_hub.utils import (  # type: ignore[attr-defined]
            build_hf_headers,
            hf_raise_for_status,
        )

        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        with self.part.open("ab") as part:
            if self.size is None or part.tell() > self.size:
                part.truncate(0)
            self.done = os.fstat(part.fileno()).st_size
            if self.done == self.size:
                return
            if self.done:
                headers["Range"] = f"bytes={self.done}-"
            with get_session().stream(
                "GET",
                self.url,
                headers=headers,
                timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
                follow_redirects=True,
            ) as response:
                hf_raise_for_status(response)
                if response.status_code != 206:  # the whole file, whatever was asked for
                    part.truncate(0)
                    self.done = 0
                for block in response.iter_bytes():
                    if self.stop.is_set():
                        return
                    part.write(block)
                    self.done += len(block)

    def _check(self) -> None:
        """Size, and SHA-256 where the etag is one (it is for all large files)."""
        if self.stop.is_set():
            return
        size = self.part.stat().st_size
        wrong = f"{size} bytes came, not {self.size}" if self.size not in (None, size) else ""
        if not wrong and re.fullmatch(r"[0-9a-f]{64}", self.blob.name):
            digest = hashlib.sha256()
            with self.part.open("rb") as part:
                while (block := part.read(1 << 20)) and not self.stop.is_set():
                    digest.update(block)
            if digest.hexdigest() != self.blob.name and not self.stop.is_set():
                wrong = "its SHA-256 is another"
        if wrong:
            self.part.unlink()
            raise MoshiTuiError(
                "Download is damaged",
                f"{self.name} of {self.repo} is not what the hub announced: {wrong}.",
                "It has been removed; start again to download it anew.",
            )
