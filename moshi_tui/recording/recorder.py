"""One recording: a folder that is being written, by a thread of its own.

What is to be written goes into a bounded queue, so that nobody who speaks or computes ever waits
for the disk. Twice a second the thread brings the files up to date: whoever kills the process
finds files that are valid and lack less than a second. Whatever goes wrong on it ends the
recording, and is told.

    audio.wav       24 kHz, 16 bit, stereo: left the user as the model heard it (silence while
                    muted; frames that the model skipped are there), right Moshi as it was played
                    (cut, hurried, with its gaps, as loud as it was)
    microphone.wav  only where that is asked for: the same, mono, of the microphone as captured,
                    muted or not
    events.jsonl    what happened (journal.py)
    codes.npy       what the model heard and said, step by step (codes.py); at the end codes.npz
    transcript.txt  the talk to read (transcript.py); at the end also transcript.vtt

All sound is on one clock: what stands side by side was at the mouth and at the ear at the same
moment. Up to now its end is preliminary: sound that arrives late (the program stood still) is put
in its place afterwards.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import SAMPLE_RATE
from moshi_tui.recording.codes import Ints
from moshi_tui.recording.completing import complete, subtitle
from moshi_tui.recording.files import AUDIO, MICROPHONE, Contents, Files
from moshi_tui.recording.folder import broken_off, folder_name, make_folder, phrase
from moshi_tui.recording.journal import SCHEMA, Record
from moshi_tui.recording.timeline import Pcm

log = logging.getLogger(__name__)

SYNC_SECONDS = 0.5
"""Between two moments at which the files are up to date."""
QUEUE_ITEMS = 2048
"""Half a minute of a talk: both sides, codes, and what happens."""
NUMBERS_SECONDS = 1.0
FARTHEST_SECONDS = 60.0
"""Nothing is placed further ahead of now: such a time stamp is wrong."""

COMPLETE_SECONDS = 30.0
"""A recording that was stopped is complete by then, however long it is and however slow the
disk."""

_TAIL = SAMPLE_RATE // 2
"""The user's sound is on its way for a moment: a recording that is stopped ends with what has
arrived of it, at most so much earlier."""

_THREAD = "recorder"

E = TypeVar("E")


@dataclass(frozen=True)
class Wishes(Generic[E]):
    """What the recorder asks and tells. All of it is called on the recorder's thread."""

    header: Callable[[], Record]
    """What the first line says beyond what the recorder knows."""
    describe: Callable[[E, float], Iterable[Record]]
    """Records of an event that was noted at a moment of the clock. Each with `at`, by the same
    clock, in place of `t`."""
    numbers: Callable[[], Record]
    """A record to be made once a second."""
    frame: Callable[[], int]
    """Number of the newest frame."""
    started: Callable[[Path], None]
    """The folder is there."""
    stopped: Callable[[Path, float, MoshiTuiError | None, str], None]
    """The recording is over: folder, its length in seconds, why it ended by itself, the same in two
    words. The last call, and there is exactly one."""
    gaps: Callable[[Path], None] = field(default=lambda folder: None)
    """The disk was too slow: something is missing. Called once."""
    close: Callable[[], Iterable[Record]] = field(default=tuple)
    """The recording ends: records, as of `describe`, of what was still going on."""


class Recorder(Generic[E]):
    """Begins to record when made; `stop` completes it. Any thread may call any method.

    Args:
        base: the folder in which the recording's own is made, absolute.
        contents: what there will be to record.
        clock: seconds; sound is placed by it.
        wall: the time of day, for the folder's name and the header.
    """

    def __init__(
        self,
        base: Path,
        contents: Contents,
        wishes: Wishes[E],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        self.dropped = 0
        """What did not fit into the queue."""
        self.origin = clock()
        """Moment of the first sample."""
        self._base = base
        self._contents = contents
        self._wishes = wishes
        self._clock = clock
        self._wall = wall
        self._queue: queue.Queue[Callable[[Files], None]] = queue.Queue(QUEUE_ITEMS)
        self._until: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=_THREAD, daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float | None:
        """Length by now; None once it is over."""
        if self.over or self._until is not None:
            return None
        return max(0.0, self._clock() - self.origin)

    @property
    def over(self) -> bool:
        """It is complete, or has ended by itself."""
        return self._over.is_set()

    def heard(self, at: float, pcm: Pcm, raw: Pcm | None = None) -> None:
        """The user's sound [n] float32; its first sample was at the microphone then. `raw`: the
        same as captured [n], kept if the contents say so."""
        if at < self._clock() + FARTHEST_SECONDS:
            self._put(lambda files: files.heard(self._sample(at), pcm, raw))

    def played(self, at: float, pcm: Pcm) -> None:
        """Moshi's; its first sample will be heard then. To be called before that."""
        if at < self._clock() + FARTHEST_SECONDS:
            self._put(lambda files: files.timeline.moshi.place(self._sample(at), pcm))

    def silenced(self, at: float) -> None:
        """What `played` has announced for later than this will not be heard."""
        self._put(lambda files: files.timeline.moshi.cut(self._sample(at)))

    def coded(self, rows: Ints) -> None:
        """What the model has heard and said: rows [n, columns] of codes.npy."""
        self._put(lambda files: files.coded(rows))

    def note(self, event: E) -> None:
        """Something has happened now."""
        now = self._clock()
        self._put(lambda files: self._describe(files, event, now))

    def stop(self) -> None:
        """End it now. Returns at once; `stopped` is told."""
        if self._until is None:
            self._until = self._clock()
            with suppress(queue.Full):
                self._queue.put_nowait(lambda files: None)  # wakes the thread

    def join(self, timeout: float) -> bool:
        """Wait until it is complete and `stopped` was told; returns whether that is so."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _put(self, item: Callable[[Files], None]) -> None:
        if self._until is not None or self._over.is_set():
            return
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self.dropped += 1

    def _sample(self, at: float) -> float:
        return (at - self.origin) * SAMPLE_RATE

    # The thread.

    def _run(self) -> None:
        folder, seconds, short = self._base, 0.0, ""
        error: MoshiTuiError | None = None
        try:
            wall = self._wall()
            folder = self._base / folder_name(wall)
            folder = make_folder(self._base, wall)
            seconds, error, short = self._record(folder, wall)
        except MoshiTuiError as refusal:
            error, short = refusal, phrase(refusal.__cause__ or refusal)
        except Exception as failure:
            log.exception("recorder thread")
            error, short = broken_off(folder, failure), phrase(failure)
        self._over.set()
        self._wishes.stopped(folder, seconds, error, short)

    def _record(self, folder: Path, wall: datetime) -> tuple[float, MoshiTuiError | None, str]:
        """Write until stopped; returns the length, and why it ended by itself."""
        files = Files(folder, self._contents)
        try:
            failure = self._write(files, wall)
            failure = self._end(files, failure)
        finally:
            with suppress(OSError):
                files.close()
        if failure is not None:
            subtitle(folder)
            return files.seconds, broken_off(folder, failure), phrase(failure)
        return files.seconds, complete(folder, self._contents.n_user, files.untold), ""

    def _write(self, files: Files, wall: datetime) -> Exception | None:
        try:
            files.add(self._header(wall))
            self._sync(files)
            self._wishes.started(files.folder)
            self._loop(files)
            self._complete(files)
        except Exception as failure:
            log.exception("recorder thread")
            files.rescue()
            return failure
        return None

    def _loop(self, files: Files) -> None:
        told = False
        sync_at = numbers_at = self._clock()
        while self._until is None:
            now = self._clock()
            if now >= numbers_at:
                late = now - numbers_at
                numbers_at = now + NUMBERS_SECONDS - late % NUMBERS_SECONDS
                self._add(files, {"at": now, **self._wishes.numbers()})
            if now >= sync_at:
                sync_at = now + SYNC_SECONDS
                self._sync(files)
                if self.dropped and not told:
                    told = True
                    self._wishes.gaps(files.folder)
            with suppress(queue.Empty):
                self._queue.get(timeout=max(0.01, min(sync_at, numbers_at) - now))(files)

    def _sync(self, files: Files) -> None:
        """Bring the files up to date."""
        self._mix(files, max(0, round(self._sample(self._clock()))))
        files.flush()

    def _mix(self, files: Files, now: int) -> None:
        """Write the sound up to `now`, in pieces: after a standstill it is a lot."""
        stop = -1
        while stop < now:
            self._drain(files)  # the talk goes on meanwhile
            stop = files.mix(now)

    def _drain(self, files: Files) -> None:
        """Whatever has been told by now."""
        for _ in range(QUEUE_ITEMS):
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            item(files)

    def _complete(self, files: Files) -> None:
        """The last sounds, and the end of both sides."""
        assert self._until is not None
        self._drain(files)
        end = max(0, round(self._sample(self._until)))
        arrived = files.timeline.user.end
        if 0 < arrived < end <= arrived + _TAIL:
            end = arrived
        self._mix(files, end)
        files.trim(end)

    def _end(self, files: Files, failure: Exception | None) -> Exception | None:
        """The last lines; returns what has gone wrong by now. On a full disk there may be no room
        for them."""
        try:
            for record in self._wishes.close():
                self._add(files, record)
            end = max(files.seconds, files.journal.newest)
            record = {
                "seconds": round(files.seconds, 3),
                "counts": dict(files.journal.counts),
                "dropped": self.dropped,
                "totals": files.totals.record(),
                "error": None if failure is None else phrase(failure),
            }
            at, frame = self.origin + end, self._wishes.frame()
            self._add(files, {"at": at, "frame": frame, "type": "end", **record})
            files.flush()
        except Exception as error:
            log.exception("recorder thread")
            files.rescue()
            return failure or error
        return failure

    def _describe(self, files: Files, event: E, now: float) -> None:
        for record in self._wishes.describe(event, now):
            self._add(files, record)

    def _add(self, files: Files, record: Record) -> None:
        """With `t` in place of `at`."""
        at = record.pop("at")
        files.add({"t": max(0.0, round(at - self.origin, 3)), **record})

    def _header(self, wall: datetime) -> Record:
        contents = self._contents
        return {
            "type": "header",
            "schema": SCHEMA,
            "started": wall.isoformat(timespec="milliseconds"),
            "audio": {"file": AUDIO, "rate": SAMPLE_RATE, "channels": ["user", "moshi"]},
            **self._wishes.header(),
            "codes": {"user": contents.n_user, "moshi": contents.n_moshi},
            "microphone": MICROPHONE if contents.raw else None,
        }


def all_complete(timeout: float) -> bool:
    """Wait until every recording of this process that was stopped is complete, at most so many
    seconds; returns whether that is so."""
    deadline = time.monotonic() + timeout
    threads = [thread for thread in threading.enumerate() if thread.name == _THREAD]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)
