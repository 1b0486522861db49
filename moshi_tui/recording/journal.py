"""events.jsonl: what happened, one JSON object a line.

The first line is the header (`type` "header", `schema` the number of this format). Each of the
others has `t` (seconds since the first sample of audio.wav), `frame` and `type`, and what belongs
to the type. They are in order of `t`. Some become known late (that the user began to speak is known
after a moment, and that they have stopped after a second of silence): such a line is put between
those that stand there already, if they are younger than `WINDOW_SECONDS`; else it stands behind
them. So whoever reads the file while it grows should begin anew now and then. A recording that was
completed ends with `type` "end".

The file is UTF-8; what is not ASCII is escaped, so that no text in it can steer a terminal, and
even half a surrogate pair comes back as it was. A number that is none (JSON has no NaN and no
infinity) is null.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moshi_tui.recording.lines import LinesFile

SCHEMA = 2
WINDOW_SECONDS = 5.0
"""How much later than others a record may come and still be put before them."""

Record = dict[str, Any]

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class Journal:
    """Writes records to a new file. `flush` raises OSError.

    Args:
        path: must not exist.
    """

    def __init__(self, path: Path) -> None:
        self.counts: Counter[str] = Counter()
        """Records by type."""
        self.newest = 0.0
        """The largest `t`."""
        self._times: list[float] = []  # of the newest lines, and of those not written yet
        self._lines: list[bytes] = []
        self._settled = 0  # bytes before them
        self._right = 0  # so many of them stand in the file as they are here
        self._file = LinesFile(path)

    @property
    def gone(self) -> bool:
        """See `LinesFile.gone`."""
        return self._file.gone

    def add(self, record: Record) -> None:
        """Keep a record for the next `flush`."""
        self.counts[record["type"]] += 1
        t: float = record.get("t", 0.0)
        place = bisect_right(self._times, t)
        self._times.insert(place, t)
        self._lines.insert(place, _line(record))
        self._right = min(self._right, place)
        self.newest = max(self.newest, t)

    def flush(self) -> None:
        """Write what was kept."""
        if self._right < len(self._lines):
            at = self._settled + sum(map(len, self._lines[: self._right]))
            self._file.put(at, b"".join(self._lines[self._right :]))
            self._right = len(self._lines)
        settled = bisect_right(self._times, self.newest - WINDOW_SECONDS)
        self._settled += sum(map(len, self._lines[:settled]))
        self._right -= settled
        del self._times[:settled], self._lines[:settled]

    def rescue(self) -> None:
        """After an error: cut off half a line. What was not written is tried again."""
        self._file.rescue()

    def close(self) -> None:
        """May be called twice."""
        self._file.close()


def _line(record: Record) -> bytes:
    try:
        text = _ENCODER.encode(record)
    except ValueError:
        text = _ENCODER.encode(_finite(record))
    return text.encode() + b"\n"


def _finite(value: Any) -> Any:
    """The same with null for whatever is no number."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_journal(path: Path) -> Iterator[Record]:
    """All records of a file; lines that are none are passed over. Raises OSError, and ValueError if
    the file is no journal: it has lines, and no record."""
    empty = found = False
    for record in read_lines(path):
        if record is None:
            empty = True
        else:
            found = True
            yield record
    if empty and not found:
        raise ValueError(f"no line of {path.name} is a record")


def read_lines(path: Path) -> Iterator[Record | None]:
    """For each line its record, or None if it is damaged: of lines that are written anew half may
    be left by a process that was killed at that moment. The last line is left out if it is not
    complete. Raises OSError."""
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield _record(line)


def _record(line: bytes) -> Record | None:
    try:
        record = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    is_one = isinstance(record, dict) and isinstance(record.get("type"), str)
    return record if is_one else None
