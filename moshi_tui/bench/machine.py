"""The simulated machine: microphone, encoder, model, decoder and speaker on a virtual clock.

Sound is real on both sides and so is all code that decides what is skipped or cut; only the time
that encoding, stepping and decoding take is made up. Step number n of the model says frame n of
Moshi's side, whichever of the user's frames were skipped before.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from moshi_tui.audio.ring import Pcm
from moshi_tui.bench.policies import NOTHING, Policy, Queue, Source
from moshi_tui.bench.scenarios import Pace, Scenario
from moshi_tui.bench.talk import BLOCK, Talk
from moshi_tui.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from moshi_tui.session.lag import Load

Item = TypeVar("Item")

INPUT_LATENCY_S = 0.02
"""From the air to the microphone's ring."""
OUTPUT_LATENCY_S = 0.02
"""From the speaker's callback to the air."""
CODEC_S = 0.008
"""Encoding or decoding one frame (the NumPy codec)."""
BATCH_COST = (1.0, 0.71, 0.61, 0.57, 0.53)
"""Cost a frame of a codec call with 1 to 5 frames, measured for rustymimi (FACTS.md: 79, 56, 48 and
42 ms for 1, 2, 3 and 5; 4 by interpolation)."""
MICROPHONE_FRAMES = 50
"""What the microphone's ring holds: 4 s. The oldest is lost when it is full."""
SPEAKER_PHASE_S = 0.0037
"""The speaker's callbacks don't begin where the microphone's frames do."""


@dataclass
class Trace:
    """What happened in one run. Times in seconds, on the virtual clock."""

    played: Pcm
    """[n]: what the speaker's callback handed out."""
    source: Source
    """[n]: which sample of Moshi's side each of these is; NOTHING where it is none."""
    stepped: npt.NDArray[np.int64]
    """[steps]: the user's frame that each step heard."""
    shed: list[int] = field(default_factory=list)
    """Frames of the user that the model was never given."""
    hasty: int = 0
    """Of these, frames with speech in them that went while one without waited, too."""
    waiting: list[int] = field(default_factory=list)
    """Frames of the user still on their way to the model at the end."""
    captured: int = 0
    """Frames of the user in all."""
    decoded: int = 0
    """Moshi's frames that came to the speaker's queue."""
    queue: Queue | None = None
    """The speaker's side of the policy, as it stood at the end."""
    stall_ends: list[float] = field(default_factory=list)

    def captured_at(self, frame: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """When the last sample of a frame of the user was in the air."""
        return np.asarray((frame + 1) * FRAME_SECONDS - INPUT_LATENCY_S, np.float64)

    def heard_at(self, position: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """When samples of `played` were in the air."""
        first = SPEAKER_PHASE_S + OUTPUT_LATENCY_S
        return np.asarray(first + position / SAMPLE_RATE, np.float64)


def simulate(talk: Talk, scenario: Scenario, policy: Policy, seed: int = 0) -> Trace:
    """Let `talk` happen as `scenario` says, with `policy` against the lag."""
    return _Run(talk, scenario, policy, seed).trace()


class _Agenda:
    """The virtual clock: what is to happen when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, time: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (time, next(self._order), what))

    def run(self, until: float) -> None:
        while self._heap and self._heap[0][0] < until:
            self.now, _, what = heapq.heappop(self._heap)
            what()


class _Worker(Generic[Item]):
    """A thread that takes items, is busy for a while, and hands them on."""

    def __init__(
        self,
        agenda: _Agenda,
        pace: Pace,
        take: Callable[[], list[Item]],
        seconds: Callable[[int], float],
        done: Callable[[list[Item]], None],
    ) -> None:
        self.busy_with: list[Item] = []
        self.pace_s: float | None = None
        """Median seconds an item of the last calls, known when they are over."""
        self._agenda = agenda
        self._pace = pace
        self._take = take
        self._seconds = seconds
        self._done = done
        self._times: deque[float] = deque(maxlen=25)
        self._began = 0.0
        self._waits = False

    @property
    def began(self) -> float | None:
        """When it began with what it is busy with."""
        return self._began if self.busy_with else None

    def poke(self) -> None:
        """Something may be there to take."""
        now = self._agenda.now
        start = self._pace.frozen_until(now)
        if self.busy_with or self._waits:
            return
        if start > now:
            self._waits = True
            self._agenda.at(start, self._thaw)
            return
        self.busy_with = self._take()
        if self.busy_with:
            self._began = now
            seconds = self._seconds(len(self.busy_with))
            self._agenda.at(self._pace.end(now, seconds), self._finish)

    def _thaw(self) -> None:
        self._waits = False
        self.poke()

    def _finish(self) -> None:
        items, self.busy_with = self.busy_with, []
        self._times.append((self._agenda.now - self._began) / len(items))
        self.pace_s = median(self._times)
        self._done(items)
        self.poke()


class _Run:
    """One simulation; its methods are the callbacks and the threads' work."""

    def __init__(self, talk: Talk, scenario: Scenario, policy: Policy, seed: int) -> None:
        self._talk = talk
        self._scenario = scenario
        self._agenda = _Agenda()
        self._pace = pace = Pace(scenario, seed)
        self._batch = policy.batch
        self._inbox = policy.make_inbox()
        self._queue = policy.make_queue()
        self._microphone: deque[int] = deque()
        self._said: deque[int] = deque()
        self._captured = 0
        self._decoded = 0
        self._stepped: list[int] = []
        self._shed: list[int] = []
        self._hasty = 0
        self._waiting: list[int] = []  # what is in the inbox
        silent = talk.user.frame_speech_ms == 0
        self._silent = np.append(silent, np.ones(2, np.bool_))  # frames begun at the end
        self._encoder = _Worker(
            self._agenda, pace, self._read_microphone, _codec_seconds, self._encoded
        )
        self._model = _Worker(
            self._agenda, pace, self._take_heard, self._step_seconds, self._has_stepped
        )
        self._decoder = _Worker(self._agenda, pace, self._take_said, _codec_seconds, self._play)
        blocks = int((scenario.seconds - SPEAKER_PHASE_S) * SAMPLE_RATE / BLOCK) + 1
        self._played = np.zeros((blocks, BLOCK), np.float32)
        self._source = np.full((blocks, BLOCK), NOTHING, np.int32)
        self._block = 0

    def trace(self) -> Trace:
        self._agenda.at(FRAME_SECONDS, self._capture)
        self._agenda.at(SPEAKER_PHASE_S, self._tick)
        self._agenda.run(self._scenario.seconds)
        rest = [*self._model.busy_with, *self._waiting]
        rest += [*self._encoder.busy_with, *self._microphone]
        return Trace(
            self._played[: self._block].reshape(-1),
            self._source[: self._block].reshape(-1),
            np.array(self._stepped, np.int64),
            self._shed,
            self._hasty,
            rest,
            self._captured,
            self._decoded,
            self._queue,
            self._pace.stall_ends,
        )

    # The callbacks.

    def _capture(self) -> None:
        if len(self._microphone) == MICROPHONE_FRAMES:
            self._shed.append(self._microphone.popleft())
        self._microphone.append(self._captured)
        self._captured += 1
        self._agenda.at((self._captured + 1) * FRAME_SECONDS, self._capture)
        self._encoder.poke()

    def _tick(self) -> None:
        if self._block < len(self._played):
            self._queue.fill(self._played[self._block], self._source[self._block])
            self._block += 1
            self._agenda.at(SPEAKER_PHASE_S + self._block * BLOCK / SAMPLE_RATE, self._tick)

    # The threads.

    def _read_microphone(self) -> list[int]:
        frames = min(len(self._microphone), self._batch)
        return [self._microphone.popleft() for _ in range(frames)]

    def _encoded(self, frames: list[int]) -> None:
        unread = len(self._microphone) + len(frames)
        for done, frame in enumerate(frames, 1):
            load = self._load(unread - done)
            self._waiting.append(frame)
            self._note_shed(self._inbox.add(frame, self._talk.user.frame(frame), load))
        self._model.poke()

    def _note_shed(self, shed: list[int]) -> None:
        for frame in shed:
            self._waiting.remove(frame)
            silence_waits = any(self._silent[other] for other in self._waiting[:-1])
            self._hasty += silence_waits and not self._silent[frame]
        self._shed += shed

    def _load(self, unread: int) -> Load:
        """What the encode thread knows of the others."""
        pace_s, began, left_s = self._model.pace_s, self._model.began, 0.0
        if pace_s is not None and began is not None:
            left_s = max(0.0, began + pace_s - self._agenda.now)
        return Load(pace_s, left_s, unread, self._queue.surplus_s)

    def _take_heard(self) -> list[int]:
        frame = self._inbox.take()
        if frame is None:
            return []
        self._waiting.remove(frame)
        return [frame]

    def _step_seconds(self, frames: int) -> float:
        return self._pace.step_s(self._agenda.now)

    def _has_stepped(self, frames: list[int]) -> None:
        self._said.append(len(self._stepped))
        self._stepped += frames
        self._decoder.poke()

    def _take_said(self) -> list[int]:
        return [self._said.popleft() for _ in range(min(len(self._said), self._batch))]

    def _play(self, steps: list[int]) -> None:
        for step in steps:
            source = np.arange(step * FRAME_SAMPLES, (step + 1) * FRAME_SAMPLES, dtype=np.int32)
            self._queue.push(
                self._talk.moshi.frame(step), source, self._agenda.now, self._model.pace_s
            )
            self._decoded += 1


def _codec_seconds(frames: int) -> float:
    return CODEC_S * frames * BATCH_COST[frames - 1]
