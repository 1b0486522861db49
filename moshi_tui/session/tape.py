"""The tape: hands the talk to a recorder, as long as one runs.

The stages and the engine tell it everything that happens; it knows whether to record.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from moshi_tui.audio.ring import Pcm
from moshi_tui.config import Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import SAMPLE_RATE
from moshi_tui.recording.codes import CodedStep
from moshi_tui.recording.files import MICROPHONE, Contents
from moshi_tui.recording.folder import base_folder
from moshi_tui.recording.journal import Record
from moshi_tui.recording.recorder import Recorder, Wishes
from moshi_tui.session.events import (
    DeviceLost,
    Event,
    Muted,
    Notice,
    RecordingStarted,
    RecordingStopped,
    WasReset,
)
from moshi_tui.session.heading import Moment, Talk, heading
from moshi_tui.session.scribe import Scribe, Told, lag
from moshi_tui.session.stats import Stats
from moshi_tui.session.steps import Steps

CLOSE_SECONDS = 0.4
"""What a recording gets to be completed in when the talk ends."""


ANNOUNCED_BLOCKS = 100
"""8 s of Moshi's sound: more is never on its way to the ear."""


class Tape:
    """Starts and stops recordings, and feeds the one that runs. Every method may be called on any
    thread, and none waits but `close`.

    Args:
        settings: where to record to, whether to begin at once, how tokens are drawn.
        listener: the engine's; gets every event, and those of the recording on its thread.
        clock: the session's.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        listener: Callable[[Event], None] = lambda event: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.error = ""
        """Why the last recording ended by itself, in a few words."""
        self._settings = settings or Settings()
        self._base = base_folder(self._settings.recording)
        self._wanted = self._settings.recording.record
        self._listener = listener
        self._clock = clock
        self._lock = threading.Lock()
        self._talk: Talk | None = None
        self._seed: Callable[[], int] = lambda: 0  # in use now
        self._recorder: Recorder[Told] | None = None  # which is being fed
        self._unfinished: list[Recorder[Told]] = []  # that one, and those being completed
        self._number = 0  # of recordings begun
        self._steps = Steps()
        self._announced: deque[tuple[float, Pcm]] = deque(maxlen=ANNOUNCED_BLOCKS)
        self._heard_last = (0, 0.0)  # number of the newest frame of the user, and when it ended

    @property
    def seconds(self) -> float | None:
        """Length of the recording by now; None while there is none."""
        recorder = self._recorder
        return None if recorder is None else recorder.seconds

    def ready(self, talk: Talk) -> None:
        """Sound begins to flow, and with it a recording that was asked for before."""
        with self._lock:
            self._talk = talk
            self._seed = lambda: talk.parts.generator.seed
            if self._wanted:
                self._begin(talk)

    def start(self) -> None:
        """Record from now on, or from the beginning of the talk. Nothing if one is under way."""
        with self._lock:
            self._wanted = True
            if self._talk is not None and self._recorder is None:
                self._begin(self._talk)

    def stop(self) -> None:
        """Complete the recording. Nothing if there is none."""
        with self._lock:
            self._wanted = False
            recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.stop()

    def end(self) -> None:
        """The talk is over: complete the recording, begin no other."""
        with self._lock:
            self._talk = None
        self.stop()

    def close(self) -> None:
        """The same; waits until all recordings are on disk, at most 0.4 s."""
        self.end()
        deadline = time.monotonic() + CLOSE_SECONDS
        for recorder in self._unfinished:
            recorder.join(max(0.0, deadline - time.monotonic()))

    # What the talk tells.

    def emit(self, event: Event) -> None:
        """Something has happened: for the listener, and for the recording."""
        recorder = self._recorder
        if recorder is not None:
            recorder.note(Told(event, self._seed()))
        if isinstance(event, WasReset):
            with self._lock:
                self._steps.forget()
        self._listener(event)

    def heard(self, frame: int, captured_at: float, pcm: Pcm, raw: Pcm) -> None:
        """The model hears this frame; its last sample was at the microphone at that moment. `raw`:
        as the microphone captured it, muted or not."""
        self._heard_last = (frame, captured_at)
        recorder = self._recorder
        if recorder is not None:
            recorder.heard(captured_at - len(pcm) / SAMPLE_RATE, pcm, raw)

    def coded(self, step: CodedStep) -> None:
        """The model has made a step. Told on the thread on which it is reset, too."""
        with self._lock:
            if self._talk is None:
                return
            row = step.row(self._talk.parts.generator.config.dep_q)
            self._steps.add(row)
            if self._recorder is not None:
                self._recorder.coded(row[None])

    def played(self, at: float, pcm: Pcm) -> None:
        """Moshi's sound; its first sample will be heard at that moment."""
        with self._lock:
            announced, now = self._announced, self._clock()
            announced.append((at, pcm))
            while announced and announced[0][0] + len(announced[0][1]) / SAMPLE_RATE < now:
                announced.popleft()
            if self._recorder is not None:
                self._recorder.played(at, pcm)

    def silenced(self, at: float) -> None:
        """From that moment on nothing is heard of what Moshi has said so far."""
        with self._lock:
            for _ in range(len(self._announced)):
                start, pcm = self._announced.popleft()
                if start < at:
                    self._announced.append((start, pcm[: round((at - start) * SAMPLE_RATE)]))
            if self._recorder is not None:
                self._recorder.silenced(at)

    # The recording. `_begin` is called with the lock held.

    def _begin(self, talk: Talk) -> None:
        self.error = ""
        self._number += 1
        stats, config = talk.stats(), talk.parts.generator.config
        moment = Moment.of(talk, self._heard_last[0], stats.volume_db)
        scribe = Scribe(
            newest=lambda: self._heard_last,
            since=self._clock(),
            lag_ms=lambda: talk.stats().lag_ms,
            delay=config.max_delay,
        )
        wishes: Wishes[Told] = Wishes(
            header=lambda: heading(self._settings, talk, moment),
            describe=scribe.describe,
            close=scribe.close,
            numbers=lambda: self._numbers(talk),
            frame=lambda: self._heard_last[0],
            started=self._started,
            stopped=partial(self._stopped, self._number),
            gaps=self._gaps,
        )
        raw = self._settings.recording.record_raw
        contents = Contents(config.n_user, config.dep_q, raw, self._steps.rows())
        self._recorder = Recorder(self._base, contents, wishes, clock=self._clock)
        unfinished = [recorder for recorder in self._unfinished if not recorder.over]
        self._unfinished = [*unfinished, self._recorder]
        for at, pcm in self._announced:  # said already, and heard from now on
            self._recorder.played(at, pcm)
        for event in _so_far(stats, moment.frame):
            self._recorder.note(Told(event, moment.seed))

    def _numbers(self, talk: Talk) -> Record:
        return {"frame": self._heard_last[0], **lag(talk.stats())}

    def _started(self, folder: Path) -> None:
        self._listener(RecordingStarted(self._heard_last[0], folder))
        if self._settings.recording.record_raw:
            what = f"{MICROPHONE} also has what you say while muted."
            self.emit(Notice("Recording the microphone as captured", what))

    def _stopped(
        self, number: int, folder: Path, seconds: float, error: MoshiTuiError | None, short: str
    ) -> None:
        with self._lock:
            if number == self._number:  # else another one has begun
                self._recorder = None
                self.error = short
        self._listener(RecordingStopped(self._heard_last[0], folder, seconds, error))

    def _gaps(self, folder: Path) -> None:
        self.emit(
            Notice(
                "The recording has gaps",
                f"{folder} can't be written as fast as we talk.",
                "Record to another disk: --record DIR.",
            )
        )


def _so_far(stats: Stats, frame: int) -> Iterator[Event]:
    """What was told before the recording begins and still holds."""
    if stats.muted:
        yield Muted(frame, True)
    if stats.microphone_lost:
        yield DeviceLost(frame, "input", stats.microphone, stats.microphone_lost)
    if stats.speaker_lost:
        yield DeviceLost(frame, "output", stats.speaker, stats.speaker_lost)
