"""Which weights a recording was made with: enough to see that others are not the same."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from moshi_tui.recording.journal import Record

_PART = 1 << 20
"""Bytes at either end of the file that count: the beginning has the names and shapes of all
tensors, the end a part of their values. All of 15 GB would take half a minute."""


def describe_weights(path: Path) -> Record:
    """`file` (its name), `bytes` and `fingerprint`: 16 hex digits of the SHA-256 over the size (8
    bytes, little end first), the first and the last megabyte. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest = hashlib.sha256(size.to_bytes(8, "little"))
        for at in (0, max(0, size - _PART)):
            file.seek(at)
            digest.update(file.read(_PART))
    return {"file": path.name, "bytes": size, "fingerprint": digest.hexdigest()[:16]}
