"""What is pushed to the speaker for each decoded frame: the decisions of `lag.py`, done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from moshi_tui.audio.levels import block_levels
from moshi_tui.audio.ring import Pcm
from moshi_tui.audio.stretch import TimeScale, cut, repeat
from moshi_tui.frames import FRAME_SECONDS, SAMPLE_RATE
from moshi_tui.session.activity import BLOCK_SECONDS, Activity, SpeechDetector
from moshi_tui.session.events import SkipKind
from moshi_tui.session.lag import (
    MARGIN_SECONDS,
    PATIENT_MARGIN_SECONDS,
    How,
    Plan,
    PlayoutControl,
)

BLOCK = round(BLOCK_SECONDS * SAMPLE_RATE)
OVERLAP = BLOCK // 2
"""5 ms: length of a crossfade in a pause, and of a fade-in."""
HANGOVER_SECONDS = 0.06
"""What follows Moshi's words for so long is not cut."""
FLOOR_LIMIT_DB = -45.0
"""Moshi's voice has no room behind it: what is louder than this is no background."""


@dataclass(frozen=True)
class Change:
    """A frame was made shorter or longer."""

    kind: SkipKind
    ms: float
    """By how much it is shorter; below 0: longer."""
    start: int
    """Where in the frame a stretch of `count` samples was cut out (0 and 0 unless it was)."""
    count: int


@dataclass(frozen=True)
class Placed:
    """A frame, ready for the speaker."""

    pcm: Pcm
    """[n], of any length; silence ahead of it included."""
    lead: int = 0
    """Samples of that silence."""
    late_s: float = 0.0
    """For how long the speaker had nothing to play before; 0: no underrun."""
    changes: tuple[Change, ...] = ()
    splices: tuple[tuple[int, int], ...] = ()
    """Start and length of each place in `pcm` where sound was joined."""


class Playback:
    """Moshi's side of the lag compensator. Belongs to one thread (decode).

    Args:
        patient: whether nobody waits for Moshi's answers now; asked at each frame.
    """

    def __init__(self, patient: Callable[[], bool] = lambda: False) -> None:
        self._patient = patient
        self.speed = 1.0
        """Of the frame placed last: above 1 faster."""
        self._control = PlayoutControl()
        self._detector = SpeechDetector(hangover_s=HANGOVER_SECONDS, floor_limit_db=FLOOR_LIMIT_DB)
        self._scale = TimeScale()
        self._rise = np.linspace(0, 1, OVERLAP, dtype=np.float32)

    @property
    def margin_s(self) -> float:
        """What shall wait at the speaker when a frame comes, in seconds."""
        return self._control.margin_s

    @property
    def surplus_s(self) -> float:
        """What waits at the speaker without need, in seconds (any thread)."""
        return self._control.surplus_s

    def reset(self) -> None:
        """The speaker was flushed: begin anew. What is known of the frames' jitter stays."""
        self._control.restart()
        self._detector.reset()
        self._scale.reset()
        self.speed = 1.0

    def place(
        self,
        pcm: Pcm,
        slack_s: float,
        now: float,
        pace_s: float | None = None,
        gap_s: float = 0.0,
    ) -> Placed:
        """Decide how to play `pcm` [1920], and do it.

        Args:
            slack_s: seconds until the speaker has nothing to play, 0 if that is so already.
            now: seconds, by any clock.
            pace_s: seconds that the model takes for a frame, None while unknown.
            gap_s: for how long the speaker has had nothing to play, in all, ever.
        """
        self._control.least_s = PATIENT_MARGIN_SECONDS if self._patient() else MARGIN_SECONDS
        late_s = self._control.arrived(now, slack_s, gap_s, pace_s)
        start, room = self._pause(pcm)
        plan = self._control.plan(now, max(0, room - OVERLAP) / SAMPLE_RATE)
        done = self._carry_out(plan, pcm, start)
        self._control.wrote(len(done.pcm) / SAMPLE_RATE)
        return self._with_lead(done, round(plan.lead_s * SAMPLE_RATE), late_s)

    def _pause(self, pcm: Pcm) -> tuple[int, int]:
        """Start and length, in samples, of the longest pause in the frame."""
        heard = self._detector.update(block_levels(pcm, BLOCK))
        best = (0, 0)
        at = 0
        for activity, blocks in groupby(heard):
            length = len(list(blocks))
            if activity is Activity.PAUSE and length > best[1]:
                best = (at, length)
            at += length
        return best[0] * BLOCK, best[1] * BLOCK

    def _carry_out(self, plan: Plan, pcm: Pcm, start: int) -> Placed:
        count = round(abs(plan.change_s) * SAMPLE_RATE)
        self.speed = 1.0
        if count == 0:
            return Placed(self._scale.process(pcm, 1.0))
        if plan.how is How.SPEED:
            return self._at_speed(pcm, FRAME_SECONDS / (FRAME_SECONDS + plan.change_s))
        self._scale.skip(pcm)
        if plan.change_s > 0:
            longer = repeat(pcm, start, count, OVERLAP)
            change = _change("silence", -count, 0, 0)
            return Placed(longer, changes=(change,), splices=((start + count, OVERLAP),))
        if plan.how is How.DROP:
            start, count = 0, len(pcm) - 2 * OVERLAP
        shorter = cut(pcm, start, count, OVERLAP)
        change = _change("speech" if plan.how is How.DROP else "silence", count, start, count)
        return Placed(shorter, changes=(change,), splices=((start, OVERLAP),))

    def _at_speed(self, pcm: Pcm, speed: float) -> Placed:
        self.speed = speed
        scaled = self._scale.process(pcm, speed)
        gained = len(pcm) - len(scaled)
        changes = (_change("speed", gained, 0, 0),) if gained else ()
        return Placed(scaled, changes=changes, splices=tuple(self._scale.splices))

    def _with_lead(self, done: Placed, lead: int, late_s: float) -> Placed:
        if not lead:
            return Placed(done.pcm, 0, late_s, done.changes, done.splices)
        pcm = np.concatenate((np.zeros(lead, np.float32), done.pcm))
        pcm[lead : lead + OVERLAP] *= self._rise[: len(pcm) - lead]
        splices = ((lead, OVERLAP), *((at + lead, length) for at, length in done.splices))
        return Placed(pcm, lead, late_s, done.changes, splices)


def _change(kind: SkipKind, samples: int, start: int, count: int) -> Change:
    return Change(kind, samples * 1000 / SAMPLE_RATE, start, count)
