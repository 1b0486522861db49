"""What happens again and again within seconds, told in one line of the transcript.

One stall brings dozens of skips, and a volume that is turned up many steps. A `Collected` takes the
records that follow one another, and has words for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from moshi_tui.recording.journal import Record

WORTH_TELLING_MS = 300.0
"""Less than this is hardly noticed: events.jsonl has it."""
APART_SECONDS = 2.5
"""What is further apart has nothing to do with each other."""
LONGEST_SECONDS = 60.0
"""Where it never ends by itself, each minute says what it has lost."""


class Collected(ABC):
    """Records of one type, from the first one on; in order of `t`, in seconds."""

    def __init__(self, first: Record) -> None:
        self._began: float = first["t"]
        self.newest: float = self._began
        """When the last one was."""
        self.take(first)

    def joins(self, record: Record) -> bool:
        """Whether a record belongs to it."""
        t: float = record["t"]
        return t - self.newest <= APART_SECONDS and t - self._began < LONGEST_SECONDS

    def add(self, record: Record) -> None:
        """One more."""
        self.newest = record["t"]
        self.take(record)

    @abstractmethod
    def take(self, record: Record) -> None:
        """Note what one of them says."""

    @property
    @abstractmethod
    def words(self) -> str:
        """All of them; empty as long as that is not worth telling."""


class Skips(Collected):
    """Time made up for, on both sides."""

    def __init__(self, first: Record) -> None:
        self._ms = dict.fromkeys(_SKIPPED, 0.0)
        super().__init__(first)

    def take(self, record: Record) -> None:
        """See `Collected`."""
        self._ms[record["side"], record["kind"]] += record["ms"]

    @property
    def words(self) -> str:
        """How much in all, and of what."""
        total = sum(self._ms.values())
        if total < WORTH_TELLING_MS:
            return ""
        parts = (f"{_seconds(ms)} {_SKIPPED[kind]}" for kind, ms in self._ms.items() if ms >= 50)
        return f"Caught up {_seconds(total)}: {', '.join(parts)}"


class Underruns(Collected):
    """Moshi interrupted by silence."""

    def __init__(self, first: Record) -> None:
        self._times = 0
        self._ms = 0.0
        super().__init__(first)

    def take(self, record: Record) -> None:
        """See `Collected`."""
        self._times += 1
        self._ms += record["ms"]

    @property
    def words(self) -> str:
        """For how long, and how often."""
        if self._ms < WORTH_TELLING_MS:
            return ""
        times = f", {self._times} times" if self._times > 1 else ""
        return f"Moshi was interrupted for {_seconds(self._ms)}{times}"


class Volumes(Collected):
    """Steps of the volume."""

    def take(self, record: Record) -> None:
        """See `Collected`."""
        self._db: float = record["db"]

    @property
    def words(self) -> str:
        """The last one."""
        return f"Volume: {self._db:+.0f} dB" if round(self._db) else "Volume: 0 dB"


COLLECTED: dict[str, type[Collected]] = {
    "skip": Skips,
    "underrun": Underruns,
    "volume": Volumes,
}
"""By the type of the records."""

_SKIPPED = {
    ("user", "silence"): "of your silence left out",
    ("user", "speech"): "of your speech left out",
    ("moshi", "silence"): "of Moshi's pauses left out",
    ("moshi", "speech"): "of Moshi's speech left out",
    ("moshi", "speed"): "by playing Moshi faster",
}


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f} s"
