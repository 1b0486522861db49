"""Our own policy: the very objects that a live talk uses, on the virtual clock."""

from __future__ import annotations

import numpy as np

from moshi_tui.audio.levels import block_levels
from moshi_tui.audio.playout import Playout
from moshi_tui.audio.ring import Pcm, Ring
from moshi_tui.bench.machine import SPEAKER_PHASE_S
from moshi_tui.bench.policies import NOTHING, Policy, Source
from moshi_tui.bench.talk import BLOCK
from moshi_tui.frames import SAMPLE_RATE
from moshi_tui.session.activity import SpeechDetector
from moshi_tui.session.backlog import Backlog
from moshi_tui.session.lag import Load
from moshi_tui.session.playback import Placed, Playback

RING_SECONDS = 4.0
BATCH = 5


class OurInbox:
    """`Backlog` and `SpeechDetector`, as the encode thread uses them."""

    def __init__(self) -> None:
        self._detector = SpeechDetector()
        self._backlog: Backlog[int] = Backlog()

    def add(self, frame: int, pcm: Pcm, load: Load) -> list[int]:
        """Append; returns what the model shall not hear."""
        self._backlog.add(frame, max(self._detector.update(block_levels(pcm))))
        return [shed.item for shed in self._backlog.shed(load)]

    def take(self) -> int | None:
        """The oldest."""
        return self._backlog.take()


class OurQueue:
    """`Playback`, `Ring` and `Playout`, as the decode thread and the speaker's callback use
    them."""

    def __init__(self) -> None:
        self.cuts: list[tuple[int, int]] = []
        self.gained_ms = 0.0
        self.slowed_ms = 0.0
        self.fastest = 1.0
        """The highest speed that a frame was played at."""
        self._playback = Playback()
        self._ring = Ring(round(RING_SECONDS * SAMPLE_RATE), overwrite=False)
        self._playout = Playout(self._ring, SAMPLE_RATE)
        self._of = np.zeros(SAMPLE_RATE, np.int32)  # by position in the ring, for ever
        self._joins: list[tuple[int, int]] = []  # by position in the ring
        self._popped: list[int] = []  # position in the ring at the start of each block

    @property
    def underruns(self) -> int:
        """As the speaker counts them."""
        return self._playout.underruns

    @property
    def margin_s(self) -> float:
        """As `Playback` has it now."""
        return self._playback.margin_s

    @property
    def surplus_s(self) -> float:
        """As the engine says it."""
        waiting_s = self._ring.fill / SAMPLE_RATE - self._playback.margin_s
        return max(0.0, min(self._playback.surplus_s, waiting_s))

    def push(self, pcm: Pcm, source: Source, now: float, pace_s: float | None) -> None:
        """Do what `Playback` decides."""
        placed = self._playback.place(
            pcm, self._slack_s(now), now, pace_s, self._playout.gap / SAMPLE_RATE
        )
        self._note(placed, source)
        sources = _sources(placed, source)
        at = self._ring.pushed
        accepted = self._ring.push(placed.pcm)
        if accepted < len(sources):
            gone = sources[accepted:]
            self.cuts.append((int(gone[0]), int(gone[-1]) + 1))
        while len(self._of) < at + accepted:
            self._of = np.concatenate((self._of, np.zeros_like(self._of)))
        self._of[at : at + accepted] = sources[:accepted]
        self._joins += [(at + start, length) for start, length in placed.splices]

    def _slack_s(self, now: float) -> float:
        """As the speaker says it."""
        if self._ring.dry:
            return 0.0
        next_block_at = SPEAKER_PHASE_S + len(self._popped) * BLOCK / SAMPLE_RATE
        left_s = next_block_at - now
        return self._ring.fill / SAMPLE_RATE + max(0.0, left_s)

    def _note(self, placed: Placed, source: Source) -> None:
        for change in placed.changes:
            if change.count:
                first = int(source[0]) + change.start
                self.cuts.append((first, first + change.count))
            elif change.ms > 0:
                self.gained_ms += change.ms
                self.fastest = max(self.fastest, len(source) / (len(source) - change.ms * 24))
            else:
                self.slowed_ms -= change.ms

    def fill(self, out: Pcm, source: Source) -> None:
        """The callback."""
        before = self._ring.popped
        self._playout.fill(out)
        got = self._ring.popped - before
        source[:got] = self._of[before : before + got]
        self._popped.append(before)

    def waiting(self) -> Source:
        """What is still in the ring."""
        waiting: Source = self._of[self._ring.popped : self._ring.pushed]
        return np.compress(waiting != NOTHING, waiting)

    def splices(self) -> list[tuple[int, int]]:
        """Those of `Playback` that were played, in the speaker's positions."""
        starts = np.array(self._popped)
        played = [join for join in self._joins if join[0] + join[1] <= self._ring.popped]
        places = []
        for start, length in played:
            block = int(np.searchsorted(starts, start, "right")) - 1
            places.append((block * BLOCK + start - int(starts[block]), length))
        return places


def _sources(placed: Placed, source: Source) -> Source:
    """Which of the frame's samples each of `placed.pcm` is; faster or slower parts are taken to be
    so evenly over the frame."""
    kept: Source = source
    for change in placed.changes:
        if change.count:
            kept = np.concatenate((kept[: change.start], kept[change.start + change.count :]))
    length = len(placed.pcm) - placed.lead
    if length != len(kept):
        kept = np.take(kept, np.arange(length) * len(kept) // length)
    lead: Source = np.full(placed.lead, NOTHING, np.int32)
    return np.concatenate((lead, kept))


OURS = Policy("ours", "moshi-tui", OurInbox, OurQueue, BATCH)
