"""The lag compensator: decisions that keep the talk close to now. Numbers and a clock go in,
decisions come out: no threads, no sound.

Lag is frames that wait: before the model, or at the speaker. After a stall there are too many, and
each that is left out brings the talk 80 ms nearer. In this order:

1. Of what waits for the model, the user's silence is left out (`InputPolicy`). Moshi's voice does
   not suffer: the model does not step, so no time passes for it. This also helps where it is the
   speaker that is behind, for what the model does not step need not be played.
2. Of what waits at the speaker, Moshi's pauses are cut (`PlayoutControl`).
3. If no pause comes, Moshi's speech is played up to 1.1 times faster, at the same pitch.
4. Words are lost only where the machine can't keep up with them in the long run: the user's, evenly
   and never more than three frames in a row. Or where so much waits that the talk has lost its
   sense: then all but the newest goes.

At the speaker some sound waits on purpose: the margin. It follows how late frames come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from heapq import nlargest
from itertools import pairwise
from statistics import median

from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.session.activity import Activity

# The input side.

START_FRAMES = 3
"""So many frames waiting (the newest included), and silence is left out..."""
STOP_FRAMES = 1
"""...until no more than this wait."""
TIDY_FRAMES = 6
"""With no more than this waiting, the frame before a word and the edge after it are kept: words
begin and end softly, and a listener wants to hear that there is a pause."""
CEILING_FRAMES = 38
"""3 s. Above it everything but the newest goes..."""
CEILING_SECONDS = CEILING_FRAMES * FRAME_SECONDS
"""...as it does where the model is so slow that the newest would have to wait longer than this."""
UNREAD_SECONDS = 0.8
"""A codec that is too slow, also in batches, gets no more than this to encode."""

PATIENCE_SECONDS = 8.0
"""A backlog of speech is left to the model if it will have worked it off by then; else..."""
CLOSE_CALL_SECONDS = 0.5
"""...the newest frame shall not have to wait longer than this to be heard,"""
TOO_SLOW_SECONDS = 0.37
"""or than this, if the machine is too slow for the model beyond doubt."""
TOO_SLOW = 1.05
"""That is: if a frame takes so many times its own length."""
TOO_SLOW_START_SECONDS = 0.2
"""Such a machine leaves silence out as soon as the newest frame would wait longer than this."""
SPEECH_IN_A_ROW = 3


@dataclass(frozen=True)
class Load:
    """How the program keeps up, as far as it matters to what waits for the model."""

    pace_s: float | None = None
    """Seconds that the model takes for a frame, with the time that its decoder keeps it waiting;
    None while unknown. (Not the encoder: leaving out what it has done already does not help it.)"""
    left_s: float = 0.0
    """What is left of the step that the model is in, in seconds."""
    unread: int = 0
    """Frames that wait where they can't be looked at yet; newer than those that can."""
    surplus_s: float = 0.0
    """Sound that waits at the speaker without need, in seconds."""

    @property
    def too_slow(self) -> bool:
        """Beyond doubt."""
        return self.pace_s is not None and self.pace_s >= TOO_SLOW * FRAME_SECONDS

    def wait_s(self, frames: int) -> float:
        """How long the last of so many frames has to wait until the model has heard it."""
        return self.left_s + frames * (self.pace_s or 0.0)


class InputPolicy:
    """Which of the waiting frames the model shall not hear."""

    def __init__(self) -> None:
        self._shedding = False
        self._doomed = 0  # frames that are still to go because there were far too many

    def choose(
        self, waiting: Sequence[tuple[Activity, int]], load: Load, ahead: int = 0
    ) -> int | None:
        """The index of the next frame to leave out; None: all that wait shall be heard.

        To be asked again after each that was left out.

        Args:
            waiting: oldest first: what is heard in a frame, and how many frames of speech were left
                out directly before it.
            ahead: frames that wait at the speaker without need.
        """
        total = len(waiting) + load.unread
        if self._must_empty(len(waiting), load):
            return 0
        late = total + ahead
        start = late >= START_FRAMES
        if load.too_slow:
            start = start or (total > STOP_FRAMES and load.wait_s(total) > TOO_SLOW_START_SECONDS)
        self._shedding = start or (self._shedding and late > STOP_FRAMES)
        if self._shedding and (index := _silence(waiting, late, ahead)) is not None:
            return index
        return _least_harm(waiting) if _speech_must_go(total, load) else None

    def _must_empty(self, here: int, load: Load) -> bool:
        total = here + load.unread
        much = load.too_slow and total > STOP_FRAMES and load.wait_s(total) > CEILING_SECONDS
        # Counted, for with an encoder that is just fast enough there is always something unread.
        self._doomed = total - 1 if total > CEILING_FRAMES or much else min(self._doomed, total - 1)
        if self._doomed <= 0 or not here:
            return False
        self._doomed -= 1
        return True


def unread_must_go(unread_s: float, encode_s: float | None) -> bool:
    """Whether so much sound waits for the encoder that all of it is to be left out unencoded.

    Args:
        unread_s: seconds of sound.
        encode_s: what encoding takes for a frame, in seconds; None while unknown.
    """
    if encode_s is not None and encode_s >= TOO_SLOW * FRAME_SECONDS:
        return unread_s > UNREAD_SECONDS
    return unread_s > CEILING_SECONDS


def _silence(waiting: Sequence[tuple[Activity, int]], late: int, ahead: int) -> int | None:
    """The oldest frame of silence. Not the newest of all frames: a word may follow; unless it is
    the speaker that is behind, for then the model takes each frame as it comes."""
    heard = [activity for activity, _ in waiting]
    for index, (activity, following) in enumerate(pairwise(heard)):
        in_pause = activity is Activity.PAUSE and following is not Activity.SPEECH
        if in_pause or (activity is not Activity.SPEECH and late > TIDY_FRAMES):
            return index
    return len(heard) - 1 if ahead and heard[-1:] == [Activity.PAUSE] else None


def _speech_must_go(total: int, load: Load) -> bool:
    """Whether so many waiting frames are too many even if they are speech."""
    if load.pace_s is None or total <= STOP_FRAMES:
        return False
    if load.too_slow:
        return load.wait_s(total) > TOO_SLOW_SECONDS
    # Frames go at a rate of 1 / pace_s while one comes every FRAME_SECONDS.
    surplus = 1 - load.pace_s / FRAME_SECONDS
    gone_in = total * load.pace_s / surplus if surplus > 0 else float("inf")
    return gone_in > PATIENCE_SECONDS and load.wait_s(total) > CLOSE_CALL_SECONDS


def _least_harm(waiting: Sequence[tuple[Activity, int]]) -> int | None:
    """The frame that is missed the least: without speech if there is one; else not the newest, and
    the one in the shortest row of lost ones. The oldest of several."""
    best: tuple[Activity, int, int] | None = None
    for index, (activity, lost) in enumerate(waiting):
        row = 0
        if activity is Activity.SPEECH:
            if index == len(waiting) - 1:
                continue
            row = lost + 1 + waiting[index + 1][1]
        if row <= SPEECH_IN_A_ROW and (best is None or (activity, row) < best[:2]):
            best = (activity, row, index)
    return None if best is None else best[2]


# The output side.

MARGIN_SECONDS = 0.010
"""The least that shall wait at the speaker when a frame comes, and what it starts with."""
MAX_MARGIN_SECONDS = 0.200
"""Late frames alone don't raise it above this."""
PATIENT_MARGIN_SECONDS = 0.280
"""The least where nobody waits for Moshi's answers: unbroken sound is worth more there. (A machine
without a microphone is often a virtual one, whose host takes the processor for 0.25 s at times.)"""
GUARD_SECONDS = 0.005
"""The margin is what the last minutes needed and this."""
SETTLE_FRAMES = 13
"""The first second teaches nothing: threads and screen are still starting."""
STALL_SECONDS = 0.25
"""A frame that is later than this has met a stall, which no margin could bridge."""
CALM_SECONDS = 180.0
"""How long a late frame is remembered. (A busy host takes the processor away for 50 to 100 ms once
in a minute or two; after one minute the margin had just been given up when the next time came.)"""
_CALM_BUCKETS = 12
SPREADS = 6.0
"""The margin is at least so many times the mean deviation of the frames' coming: what has not been
late yet soon will be. (Chosen on arrivals recorded on a noisy machine: fewest underruns for the
least margin.)"""
_SPREAD_FRAMES = 64
STEADY_FRAMES = 13
"""Frames after a gap or a surplus whose spread is that of catching up, not of the machine."""

DEADBAND_SECONDS = 0.010
"""Differences from the margin that are left alone."""
QUICK_SECONDS = 0.040
"""A surplus above this needs fewer frames to be believed."""
_QUICK, _SLOW = 4, 13

PATIENT_SECONDS = 1.5
"""How long a pause is waited for before speech is hurried."""
GOOD_PAUSE_SECONDS = 0.3
"""A pause of this length is worth as much patience again, a shorter one less."""
MIN_PAUSE_SECONDS = 0.030
"""A pause worth cutting."""
FASTEST, SLOWEST = 1.1, 0.75
"""Limits of the speed at which speech is played."""
GENTLE = 0.93
"""The slowest speed for refilling the margin alone."""
COARSE_SECONDS = 0.025
"""Margin on top while speech is stretched all the time: it gets longer in whole periods of the
voice, so that the frames' lengths vary by so much."""
HOPELESS_SECONDS = 0.2
"""At such a pace there are gaps anyway: stretching would only make it worse."""
DROP_SECONDS = 3.0
"""With more than this waiting at the speaker, speech goes, too."""


class How(Enum):
    """What is done to a frame that shall be shorter or longer."""

    PAUSE = "silence"
    """A pause in it is cut or drawn out."""
    SPEED = "speed"
    """All of it is played faster or slower."""
    DROP = "speech"
    """As much of it as possible is dropped."""


@dataclass(frozen=True)
class Plan:
    """How to play one frame."""

    lead_s: float = 0.0
    """Silence to be played ahead of it."""
    change_s: float = 0.0
    """How much longer it shall become; below 0: shorter."""
    how: How = How.SPEED


class LateFrames:
    """How late frames came in the last minutes."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, list[float]]] = deque()
        self._worst_s = 0.0
        self._spread_s = 0.0
        self._count = 0

    @property
    def needed_s(self) -> float:
        """What would have been enough for nearly all of them: some times the usual spread, and the
        second worst. The very worst counts half, for it may have been an accident."""
        return max(self._worst_s, SPREADS * self._spread_s)

    def spread(self, off_s: float) -> None:
        """A frame came so much earlier or later than usual, in a time without stalls."""
        self._count = min(self._count + 1, _SPREAD_FRAMES)
        self._spread_s += (min(abs(off_s), STALL_SECONDS / 4) - self._spread_s) / self._count

    def add(self, now: float, late_s: float) -> None:
        """A frame came `late_s` later than usual."""
        bucket = int(now / (CALM_SECONDS / _CALM_BUCKETS))
        while self._buckets and self._buckets[0][0] <= bucket - _CALM_BUCKETS:
            self._buckets.popleft()
        if not self._buckets or self._buckets[-1][0] != bucket:
            self._buckets.append((bucket, []))
        worst = self._buckets[-1][1]
        worst.append(late_s)
        worst.sort(reverse=True)
        del worst[2:]
        first, second = nlargest(
            2, (0.0, 0.0, *(late for _, kept in self._buckets for late in kept))
        )
        self._worst_s = max(second, first / 2)


class PlayoutControl:
    """Keeps what waits at the speaker near the margin, and the margin near what is needed.

    For each frame, in order: `arrived`, `plan`, `wrote`. What matters is the slack: the sound that
    still waits when a frame comes. Its median over the last second is held near the margin.
    """

    def __init__(self) -> None:
        self.least_s = MARGIN_SECONDS
        """The margin is never less."""
        self._needed_s = 0.0
        self._late = LateFrames()
        self._gap = 0.0
        self.restart()

    def restart(self) -> None:
        """Begin anew with an empty speaker; the margin stays."""
        self.surplus_s = 0.0
        """What waits at the speaker without need."""
        self._slacks: deque[float] = deque(maxlen=_SLOW)
        self._behind = False
        self._patient_since = 0.0
        self._waiting = 0.0
        self._lead = 0.0
        self._period = FRAME_SECONDS
        self._frames = 0
        self._steady = 0

    @property
    def margin_s(self) -> float:
        """What shall wait at the speaker when a frame comes (any thread)."""
        return max(self.least_s, min(MAX_MARGIN_SECONDS, self._needed_s))

    @property
    def _wanted(self) -> float:
        """What should wait now when a frame comes."""
        return self.margin_s + (COARSE_SECONDS if self._period > FRAME_SECONDS else 0.0)

    def arrived(self, now: float, slack_s: float, gap_s: float, pace_s: float | None) -> float:
        """A frame is there.

        Args:
            now: by any clock.
            slack_s: seconds until the speaker has nothing to play, 0 if that is so already.
            gap_s: for how long the speaker has had nothing to play, in all, ever.
            pace_s: as `Load.pace_s`.

        Returns for how many seconds the speaker has had nothing to play just now: above 0 it is an
        underrun.
        """
        slow = pace_s is not None and FRAME_SECONDS < pace_s <= HOPELESS_SECONDS
        self._period = pace_s if slow and pace_s is not None else FRAME_SECONDS
        first = self._frames == 0
        dry = 0.0 if first else gap_s - self._gap
        if slack_s > 0 and self._lead:
            dry = 0.0  # the end of the gap before the last frame, not another one
        self._gap = gap_s
        self._frames += 1
        if self._slacks and self._frames > SETTLE_FRAMES:
            # What waits without need may get less without a frame being late.
            usual = median(self._slacks)
            disturbed = self.surplus_s > QUICK_SECONDS or len(self._slacks) < _SLOW
            self._steady = 0 if disturbed else self._steady + 1
            if self._steady > STEADY_FRAMES:
                self._late.spread(usual - slack_s)
            self._learn(now, min(usual, self._wanted) - slack_s + dry, pace_s)
        self._waiting = slack_s
        self._lead = 0.0
        if first or (dry and slack_s <= 0):
            self._slacks.clear()
            self._lead = self._wanted
        self._slacks.append(slack_s + self._lead)
        return dry

    def _learn(self, now: float, late_s: float, pace_s: float | None) -> None:
        # Where the model is too slow, every frame is late and no margin helps.
        too_slow = pace_s is not None and pace_s >= TOO_SLOW * FRAME_SECONDS
        if late_s > STALL_SECONDS or too_slow:
            late_s = 0.0
        self._late.add(now, late_s)
        self._needed_s = self._late.needed_s + GUARD_SECONDS

    def plan(self, now: float, pause_s: float) -> Plan:
        """What to do with the frame that has arrived; `pause_s`: how much of it can be cut."""
        surplus = self._surplus()
        self.surplus_s = max(0.0, surplus)
        if surplus <= DEADBAND_SECONDS:
            self._behind = False
            return Plan(self._lead, *self._lengthen(pause_s))
        if not self._behind:
            self._behind, self._patient_since = True, now
        if pause_s >= MIN_PAUSE_SECONDS:
            cut_s = min(surplus, pause_s)
            patience = cut_s * PATIENT_SECONDS / GOOD_PAUSE_SECONDS
            self._patient_since = min(now, self._patient_since + patience)
            return Plan(self._lead, -cut_s, How.PAUSE)
        if self._waiting > DROP_SECONDS:
            return Plan(self._lead, -FRAME_SECONDS, How.DROP)
        if now - self._patient_since < PATIENT_SECONDS:
            return Plan(self._lead)
        return Plan(self._lead, FRAME_SECONDS / FASTEST - FRAME_SECONDS)

    def _surplus(self) -> float:
        """What waits at the speaker without need."""
        slacks = list(self._slacks)
        quick = min(slacks[-_QUICK:]) - self._wanted
        if len(slacks) >= _QUICK and quick > QUICK_SECONDS:
            return quick
        return median(slacks) - self._wanted if len(slacks) == _SLOW else 0.0

    def _lengthen(self, pause_s: float) -> tuple[float, How]:
        """Refill the margin before it is needed; and make up for a model that is too slow."""
        too_little = self._wanted - median(self._slacks)
        if self._period > FRAME_SECONDS:
            wanted = self._period - FRAME_SECONDS + max(-0.01, min(0.01, too_little))
            slowest = SLOWEST
        elif too_little > min(DEADBAND_SECONDS, self._wanted / 2):
            wanted, slowest = too_little, GENTLE
        else:
            return 0.0, How.SPEED
        if pause_s >= MIN_PAUSE_SECONDS:
            return max(0.0, min(wanted, pause_s)), How.PAUSE
        return max(0.0, min(wanted, FRAME_SECONDS / slowest - FRAME_SECONDS)), How.SPEED

    def wrote(self, frame_s: float) -> None:
        """The frame was given to the speaker, `frame_s` long (without the silence ahead of it)."""
        shift = frame_s - self._period
        self._slacks = deque((slack + shift for slack in self._slacks), maxlen=_SLOW)
        self.surplus_s = max(0.0, self.surplus_s + min(0.0, shift))
