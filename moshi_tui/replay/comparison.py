"""What came of running the model again on a recording, in numbers and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from moshi_tui.clock import clock
from moshi_tui.frames import FRAME_SECONDS

MOST_GAPS = 5
"""So many are told one by one."""


@dataclass(frozen=True)
class Difference:
    """Where the new run first leaves the recorded one."""

    step: int
    """Since the last reset, from 0."""
    t: float
    """When its frame was heard, in seconds of the recording; may be before it."""
    what: str
    """"text", "codebook 3"."""
    recorded: str
    """The token with its word, or the code."""
    now: str
    """The same of the new run."""


@dataclass(frozen=True)
class Gap:
    """Steps that can't be compared, since the model's memory before them is not known."""

    t: float
    """Where they begin, in seconds of the recording."""
    steps: int
    why: str


@dataclass(frozen=True)
class Comparison:
    """A new run beside the recorded one."""

    model: str
    """What ran, on what."""
    steps: int
    """That were compared."""
    equal: int
    """Text and codes are the same."""
    texts: int
    """Text tokens that are the same."""
    frames: int
    """Frames of codes that are the same."""
    codebooks: int
    """Of such a frame."""
    first: Difference | None
    """None: all that was compared is equal."""
    gaps: tuple[Gap, ...]
    seconds: float
    """What the compared steps took."""

    @property
    def same(self) -> bool:
        """No step that was compared differs."""
        return self.first is None

    def lines(self) -> Iterator[str]:
        """The report. What a vocabulary says in it is not cleaned."""
        yield self.model
        if self.first is not None:
            first = self.first
            yield f"first difference at step {first.step}, {moment(first.t)}: {first.what}"
            yield f"  recorded  {first.recorded}"
            yield f"  now       {first.now}"
        yield (
            f"{self.equal} of {self.steps} steps equal "
            f"({self.texts} text tokens, {self.frames} frames of {self.codebooks} codes), "
            f"{self._speed} times real time"
        )
        for gap in self.gaps[:MOST_GAPS]:
            yield f"{gap.steps} steps from {moment(gap.t)} on not compared: {gap.why}"
        more = self.gaps[MOST_GAPS:]
        if more:
            steps = sum(gap.steps for gap in more)
            yield f"{steps} steps in {len(more)} more places not compared"

    @property
    def _speed(self) -> str:
        return f"{self.steps * FRAME_SECONDS / max(self.seconds, 1e-9):.1f}"


def moment(t: float) -> str:
    """Seconds as mm:ss.mmm, or h:mm:ss.mmm. Below 0: a recording that begins in a talk has the
    codes of what was before it."""
    words = clock(abs(round(t, 3)), 3)
    return words if t >= 0 else f"{words} before the recording begins"
