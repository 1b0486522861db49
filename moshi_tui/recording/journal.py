"""events.jsonl: what happened, one JSON object a line.

The first line is the header (`type` "header", `schema` the number of this format). Each of the
others has `t` (seconds since the first sample of audio.wav), `frame` and `type`, and what belongs
to the type. They stand in the order in which they became known, so `t` may step back a little. A
recording that was completed ends with `type` "end".

The file is UTF-8; what is not ASCII is escaped, so that no text in it can steer a terminal, and
even half a surrogate pair comes back as it was.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

SCHEMA = 1

Record = dict[str, Any]


class Journal:
    """Appends records to a new file. `flush` raises OSError.

    Args:
        path: must not exist.
    """

    def __init__(self, path: Path) -> None:
        self.counts: Counter[str] = Counter()
        """Records by type."""
        self._lines: list[bytes] = []
        self._whole = 0  # bytes of complete lines in the file
        self._file = path.open("xb", buffering=0)

    @property
    def gone(self) -> bool:
        """Somebody has deleted the file (POSIX; elsewhere an open file can't be deleted)."""
        return os.fstat(self._file.fileno()).st_nlink == 0

    def add(self, record: Record) -> None:
        """Keep a record for the next `flush`."""
        self.counts[record["type"]] += 1
        self._lines.append(json.dumps(record, separators=(",", ":")).encode() + b"\n")

    def flush(self) -> None:
        """Write what was kept."""
        rest = memoryview(b"".join(self._lines))
        self._lines.clear()
        written = len(rest)
        while rest:  # a disk that is nearly full takes a part
            rest = rest[self._file.write(rest) :]
        self._whole += written

    def rescue(self) -> None:
        """After an error: cut off half a line."""
        with suppress(OSError):
            self._file.truncate(self._whole)
            self._file.seek(self._whole)

    def close(self) -> None:
        """May be called twice."""
        self._file.close()


def read_journal(path: Path) -> Iterator[Record]:
    """All records of a file; the last line is left out if it is not complete. Raises OSError, and
    ValueError if the file is no journal."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)
