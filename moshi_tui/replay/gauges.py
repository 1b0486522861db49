"""The numbers of a recorded talk, as they were at a moment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_RATE
from moshi_tui.recording.journal import Record
from moshi_tui.replay.fields import (
    SIDES,
    checked,
    flag,
    number,
    number_or_none,
    one_of,
    text,
    whole,
    words,
)
from moshi_tui.session.events import SessionInfo
from moshi_tui.session.stats import RECORDED, Skips, Stats

_READ: dict[str, Callable[[Record, str], Any]] = {
    "number": number,
    "number or none": number_or_none,
    "count": whole,
}


@dataclass(frozen=True)
class _Ends:
    """Microphone and speaker from a moment on."""

    muted: bool | None = None
    """None: nothing was said of it yet."""
    microphone: str = ""
    speaker: str = ""
    microphone_lost: str = ""
    speaker_lost: str = ""


class Gauges:
    """Looks numbers up. It does not change, so any thread may ask.

    Args:
        header, records: of the recording.
        folder: of the recording, for error messages.

    The constructor raises MoshiTuiError if one of them is not as it should be.
    """

    def __init__(self, header: Record, records: Sequence[Record], folder: Path) -> None:
        self.info = _info(header, folder)
        """What was running."""
        self._lags: list[Record] = []
        self._lag_times: list[float] = []
        self._ends = [_Ends(None, self.info.microphone, self.info.speaker)]
        self._end_times = [0.0]
        checked(records, folder, self._add)
        self._first_muted = next((e.muted for e in self._ends if e.muted is not None), True)

    def at(self, position_s: float) -> Stats:
        """All but what is heard and how loud it is played."""
        ends = self._ends[max(0, bisect_right(self._end_times, position_s) - 1)]
        newest = bisect_right(self._lag_times, position_s) - 1
        return Stats(
            frames=int(position_s * FRAME_RATE),
            frame=int(position_s * FRAME_RATE),
            elapsed_s=position_s,
            # A talk that is unmuted first was muted when the recording began.
            muted=not self._first_muted if ends.muted is None else ends.muted,
            microphone=ends.microphone,
            speaker=ends.speaker,
            microphone_lost=ends.microphone_lost,
            speaker_lost=ends.speaker_lost,
            **(_timing(self._lags[newest]) if newest >= 0 else {}),
        )

    def lag_ms(self, position_s: float) -> float | None:
        """The lag alone; None where it is not known."""
        newest = bisect_right(self._lag_times, position_s) - 1
        lag = self._lags[newest].get("lag_ms") if newest >= 0 else None
        return None if lag is None else float(lag)

    def _add(self, record: Record) -> None:
        kind = text(record, "type")
        if kind == "lag":
            _timing(record)  # complains now rather than later
            self._lag_times.append(number(record, "t"))
            self._lags.append(record)
        elif kind in ("mute", "device", "device_lost"):
            self._end_times.append(number(record, "t"))
            self._ends.append(_changed(self._ends[-1], record))


def _changed(ends: _Ends, record: Record) -> _Ends:
    """As they are after this record."""
    if record["type"] == "mute":
        return replace(ends, muted=flag(record, "muted"))
    why = words(record, "why") if record["type"] == "device_lost" else ""
    if one_of(record, "side", SIDES) == "input":
        return replace(ends, microphone=words(record, "name"), microphone_lost=why)
    return replace(ends, speaker=words(record, "name"), speaker_lost=why)


def _timing(record: Record) -> dict[str, Any]:
    """The fields of `Stats` that a record of the type "lag" has."""
    fields = {name: _READ[kind](record, name) for name, kind in RECORDED.items() if name in record}
    if "health" in record:
        fields["health"] = words(record, "health")
    if "skips" in record:
        skips = record["skips"]
        names = [name for name in Skips.__dataclass_fields__ if name in skips]
        fields["skips"] = Skips(**{name: number(skips, name) for name in names})
    return fields


def _info(header: Record, folder: Path) -> SessionInfo:
    try:
        devices = header["devices"]
        return SessionInfo(
            model=words(header, "model"),
            quant=words(header, "quant"),
            device=words(header, "device"),
            codec=words(header, "codec"),
            microphone=words(devices, "input"),
            speaker=words(devices, "output"),
            seed=whole(header, "seed"),
            runner=words(header, "runner") if "runner" in header else "",
        )
    except (KeyError, ValueError, TypeError) as error:
        raise MoshiTuiError(
            "Cannot read the recording",
            f"{folder}: the header of events.jsonl: {error}.",
            "Mend that line.",
        ) from error
