"""What a run comes to, in numbers. All of it from what was played and heard, and from the truth
about where there was speech: nothing is taken from what a policy says about itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moshi_tui.audio.ring import Pcm
from moshi_tui.bench.machine import Trace
from moshi_tui.bench.policies import NOTHING, Source
from moshi_tui.bench.scenarios import Scenario
from moshi_tui.bench.talk import BLOCK, BLOCK_MS, Talk, Track
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE

BEFORE_S = 3.0
"""The lag before a stall: the median of so many seconds ahead of it."""
AFTER_S, AFTER_LENGTH_S = 3.0, 0.5
"""The lag after it: the median of so many seconds, so long after its end."""

FADE = 120
"""Samples of the speaker's fades where it runs dry and where sound returns (audio/playout.py)."""
FASTEST = 1.1
"""Times: as fast as Moshi's speech may be played."""
AROUND = 2
"""Samples looked at beside a splice."""

NEARBY = 480
"""Samples (20 ms): where speed was changed, sources are known that well only."""
_SPEED_STEP = 8

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Lags:
    """The lag of each frame that was heard, in the order of hearing."""

    heard_s: Array
    """[frames]: when its first sample was in the air."""
    lag_ms: Array
    """[frames]: since the last sample of the user's frame that it answers."""

    def between(self, start_s: float, stop_s: float) -> float | None:
        """Median of the frames heard in that time, ms; None if there are none."""
        inside = self.lag_ms[(self.heard_s >= start_s) & (self.heard_s < stop_s)]
        return float(np.median(inside)) if len(inside) else None

    def first_from(self, start_s: float) -> float | None:
        """Lag of the first frame heard from then on, ms."""
        later = self.lag_ms[self.heard_s >= start_s]
        return float(later[0]) if len(later) else None


@dataclass(frozen=True)
class Jumps:
    """Differences between neighbouring samples: how much splices stand out."""

    worst: float
    """The largest at any splice, full scale 1."""
    limit: float
    """99.9th percentile of Moshi's own signal."""
    places: int
    """Splices looked at."""
    standing_out: int
    """Those with a jump above the limit and above every jump that Moshi's own sound has within
    `NEARBY` samples of either side."""


@dataclass(frozen=True)
class Figures:
    """One run. Lags and times in ms."""

    before: float | None
    """The lag before the (first) stall; None without one, as is `after`."""
    after: float | None
    median: float
    most: float
    final: float
    """Median of the last second's frames."""
    user_lost: float
    """Speech that the model never heard."""
    moshi_lost: float
    """Speech that was never played."""
    moshi_cut: float
    """All that was left out on Moshi's side, pauses included."""
    gained: float
    """Time won by playing faster..."""
    slowed: float
    """...and given away by playing slower or longer pauses."""
    shed: float
    """Percentage of the user's frames that the model was not given."""
    shed_silent: float | None
    """Percentage of these without any speech."""
    hasty: float
    """Percentage of these with speech, shed while one without waited (and was not the newest)."""
    longest_row: int
    """Frames with speech in them, shed one after the other."""
    underruns: int
    gaps: float
    """Silence played because nothing was there, between the first and the last sound."""
    longest_gap: float
    """The longest of them."""
    gaps_in_speech: float
    """The part of it that broke into Moshi's speech."""
    least: float | None
    """The least that a stall could have left behind, 3 s after it, without any speech lost and with
    Moshi's at most 1.1 times faster: see `_least_left`."""
    jumps: Jumps

    @property
    def change(self) -> float | None:
        """What the stall left behind."""
        return None if self.before is None or self.after is None else self.after - self.before


def lags(trace: Trace) -> Lags:
    """The lag of each frame of which anything was played.

    Where a frame's beginning was cut off, the first sample that was played counts.
    """
    at = np.flatnonzero(trace.source != NOTHING)
    source = trace.source[at]
    frames, first = np.unique(source // FRAME_SAMPLES, return_index=True)
    heard = trace.heard_at(at[first])
    began = heard - (source[first] % FRAME_SAMPLES) / SAMPLE_RATE
    captured = trace.captured_at(trace.stepped[frames])
    return Lags(heard, (began - captured) * 1000)


def figures(talk: Talk, trace: Trace, scenario: Scenario) -> Figures:
    """All numbers of one run; those about a stall where the scenario has just one.

    Raises ValueError if nothing was played.
    """
    if trace.queue is None or not np.any(trace.source != NOTHING):
        raise ValueError("nothing was played")
    series = lags(trace)
    speech_ms = talk.user.frame_speech_ms
    shed = np.array(sorted(trace.shed), np.int64)
    spoken = shed[speech_ms[shed] > 0]
    gaps, longest_gap, in_speech = _gaps(trace, talk.moshi)
    before = after = least = None
    if len(scenario.stalls) == 1 and trace.stall_ends:
        stall_at_s = scenario.stalls[0].at_s
        look = trace.stall_ends[0] + AFTER_S
        before = series.between(stall_at_s - BEFORE_S, stall_at_s)
        after = series.between(look, look + AFTER_LENGTH_S)
        if after is None:  # none of these frames was played: then the first one after them
            after = series.first_from(look)
        least = _least_left(talk, trace, stall_at_s, scenario.fastest_step_s)
    end = float(series.heard_s[-1])
    final = series.between(end - 1.0, end + 1.0)
    assert final is not None
    return Figures(
        before=before,
        after=after,
        median=float(np.median(series.lag_ms)),
        most=float(series.lag_ms.max()),
        final=final,
        user_lost=float(speech_ms[shed].sum()),
        moshi_lost=sum(_speech_ms(talk.moshi, cut) for cut in trace.queue.cuts),
        moshi_cut=sum(stop - start for start, stop in trace.queue.cuts) * 1000 / SAMPLE_RATE,
        gained=trace.queue.gained_ms,
        slowed=trace.queue.slowed_ms,
        shed=100 * len(shed) / trace.captured,
        shed_silent=100 * (1 - len(spoken) / len(shed)) if len(shed) else None,
        hasty=100 * trace.hasty / max(1, len(shed)),
        longest_row=_longest_row(spoken),
        underruns=trace.queue.underruns,
        gaps=gaps,
        longest_gap=longest_gap,
        gaps_in_speech=in_speech,
        least=least,
        jumps=jumps(trace, talk.moshi),
    )


def _least_left(talk: Talk, trace: Trace, stall_at_s: float, step_s: float) -> float:
    """What somebody who knew the future would have had left of the stall, ms.

    He sheds all of the user's silent frames and cuts all of Moshi's pauses. The rest has to go
    through the model, and then Moshi's speech through the speaker, one after the other.
    """
    begin = trace.stall_ends[0]
    first = int(np.searchsorted(trace.captured_at(np.arange(trace.captured)), stall_at_s))
    said = talk.moshi.frame_speech_ms[int(np.searchsorted(trace.stepped, first)) :]
    stepped = played = begin
    spoken = np.flatnonzero(talk.user.frame_speech_ms[first : trace.captured]) + first
    for there, speech_ms in zip(trace.captured_at(spoken), said, strict=False):
        stepped = max(stepped, there) + step_s
        start = max(played, stepped)
        if start >= begin + AFTER_S:
            return 1000 * float(start - there - step_s)
        played = start + speech_ms / FASTEST / 1000
    return 0.0


def jumps(trace: Trace, moshi: Track) -> Jumps:
    """How the splices compare with the sound itself."""
    assert trace.queue is not None
    steps = np.abs(np.diff(moshi.pcm[: trace.decoded * FRAME_SAMPLES]))
    places = [*trace.queue.splices(), *_breaks(trace.source)]
    heard = np.abs(np.diff(trace.played))
    limit = float(np.percentile(steps, 99.9))
    worst, standing_out = 0.0, 0
    for start, length in places:
        first, last = max(0, start - AROUND), start + length + AROUND
        jump = float(heard[first:last].max(initial=0.0))
        worst = max(worst, jump)
        if jump > limit:
            around = trace.source[max(0, first - AROUND) : last + AROUND]
            standing_out += jump > _largest_near(steps, around)
    return Jumps(worst, limit, len(places), standing_out)


def _largest_near(steps: Pcm, source: Source) -> float:
    """The largest jump in Moshi's own sound around the samples `source`."""
    there = source[source != NOTHING]
    if not len(there):
        return 0.0
    jumps_of_both = (
        steps[max(0, side - NEARBY) : side + NEARBY].max(initial=0.0)
        for side in (int(there[0]), int(there[-1]))
    )
    return float(max(jumps_of_both))


def _breaks(source: npt.NDArray[np.int32]) -> list[tuple[int, int]]:
    """Splices that the sources show: where sound stops, begins, or goes on somewhere else.

    At a stop and a begin the speaker fades, so those take as long as that. Steps up to a few
    samples are what a change of speed looks like.
    """
    there = source != NOTHING
    places = [(int(at) + 1, FADE) for at in np.flatnonzero(there[1:] != there[:-1])]
    joined = there[1:] & there[:-1]
    far = np.abs(np.diff(source) - 1) > _SPEED_STEP
    return places + [(int(at), 2) for at in np.flatnonzero(joined & far)]


def _gaps(trace: Trace, moshi: Track) -> tuple[float, float, float]:
    """Milliseconds of nothing between the first and the last sound; the longest; those in
    speech."""
    at = np.flatnonzero(trace.source != NOTHING)
    holes = np.flatnonzero(np.diff(at) > 1)
    lengths = (np.diff(at)[holes] - 1) * 1000 / SAMPLE_RATE
    speaking = np.append(moshi.speech, False)
    last = speaking[trace.source[at[holes]] // BLOCK]
    following = speaking[trace.source[at[holes + 1]] // BLOCK]
    longest = float(lengths.max(initial=0.0))
    return float(lengths.sum()), longest, float(lengths[last & following].sum())


def _speech_ms(track: Track, cut: tuple[int, int]) -> float:
    """Milliseconds of speech in a range of samples."""
    start, stop = cut
    blocks = np.arange(start // BLOCK, min((stop - 1) // BLOCK + 1, len(track.speech)))
    inside = np.minimum(stop, (blocks + 1) * BLOCK) - np.maximum(start, blocks * BLOCK)
    return float(inside[track.speech[blocks]].sum()) * BLOCK_MS / BLOCK


def _longest_row(frames: npt.NDArray[np.int64]) -> int:
    """The most neighbours in a sorted list of frame numbers."""
    if not len(frames):
        return 0
    rows = np.split(frames, np.flatnonzero(np.diff(frames) != 1) + 1)
    return max(len(row) for row in rows)
