"""Which weights a recording was made with: enough to see that others are not the same."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from moshi_tui.recording.journal import Record

_PARTS, _PART = 64, 1 << 16
"""So many parts of so many bytes count, spread evenly: the first has the names and shapes of the
tensors, the others a little of many. All of 15 GB would take half a minute."""


def describe_weights(path: Path) -> Record:
    """`file` (its name), `bytes` and `fingerprint`: 16 hex digits of the SHA-256 over the size (8
    bytes, little end first) and 64 parts of 64 KB, the first and the last bytes among them (of a
    smaller file: all of it). Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest = hashlib.sha256(size.to_bytes(8, "little"))
        last = max(0, size - _PART)
        whole = size <= _PARTS * _PART
        for part in range(_PARTS):
            file.seek(part * _PART if whole else last * part // (_PARTS - 1))
            digest.update(file.read(_PART))
    return {"file": path.name, "bytes": size, "fingerprint": digest.hexdigest()[:16]}
