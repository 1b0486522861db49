"""The files of a recording, as they are being written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moshi_tui.frames import SAMPLE_RATE
from moshi_tui.recording.code_file import CodeFile
from moshi_tui.recording.codes import COLUMNS, GROWING_CODES, Ints
from moshi_tui.recording.journal import Journal, Record
from moshi_tui.recording.timeline import Pcm, Timeline, Track
from moshi_tui.recording.totals import Totals
from moshi_tui.recording.transcript import TranscriptFile
from moshi_tui.recording.wav import WavFile

AUDIO = "audio.wav"
MICROPHONE = "microphone.wav"
EVENTS = "events.jsonl"
TRANSCRIPT = "transcript.txt"


@dataclass(frozen=True)
class Contents:
    """What there is to record."""

    n_user: int
    """Codes of the user in a step."""
    n_moshi: int
    """The same of Moshi."""
    raw: bool = False
    """Also the microphone as captured."""
    before: tuple[Ints, ...] = ()
    """Rows of codes.npy, from before the recording begins, that belong to it."""


class Files:
    """What is being written. Belongs to the recorder's thread.

    A transcript that can't be written does not end a recording, since it can be made of the events:
    it is tried again each time.

    Args:
        folder: where they are made. The constructor raises OSError, as `write` and `flush` do.
    """

    def __init__(self, folder: Path, contents: Contents) -> None:
        self.folder = folder
        self.timeline = Timeline()
        self.totals = Totals()
        self.untold: Exception | None = None
        """Why the transcript lacks something."""
        self._raw = Track()  # the microphone as captured; on the clock of `timeline`
        with ExitStack() as opened:
            self.wav = WavFile(folder / AUDIO, SAMPLE_RATE, 2)
            opened.callback(self.wav.close)
            self._microphone: WavFile | None = None
            if contents.raw:
                self._microphone = WavFile(folder / MICROPHONE, SAMPLE_RATE, 1)
                opened.callback(self._microphone.close)
            self.journal = Journal(folder / EVENTS)
            opened.callback(self.journal.close)
            width = len(COLUMNS) + contents.n_user + contents.n_moshi
            self._codes = CodeFile(folder / GROWING_CODES, width)
            opened.callback(self._codes.close)
            self._transcript = TranscriptFile(folder / TRANSCRIPT)
            opened.callback(self._transcript.close)
            self._opened = opened.pop_all()
        self._add_rows(contents.before)

    @property
    def seconds(self) -> float:
        """Length of the sound so far."""
        return self.wav.frames / SAMPLE_RATE

    def add(self, record: Record) -> None:
        """A record, not written yet."""
        self.journal.add(record)
        self.totals.add(record)
        self._transcript.transcript.add(record)

    def heard(self, at: float, pcm: Pcm, raw: Pcm | None) -> None:
        """The user's sound [n] from sample `at` on, and the same as captured; not written yet."""
        user = self.timeline.user
        user.place(at, pcm)
        if raw is not None and self._microphone is not None:
            # Where the other one has gone, which follows the jitter of the moments in its own way.
            self._raw.place(user.end - len(raw), raw)

    def coded(self, rows: Ints) -> None:
        """New steps of the model: rows [n, columns] of codes.npy, not written yet."""
        self.totals.steps += len(rows)
        self._add_rows((rows,))

    def mix(self, now: int) -> int:
        """Write the sound up to sample `now`, or a piece of it; returns up to where."""
        microphone, timeline = self._microphone, self.timeline
        written = (self.wav, microphone, self.journal, self._codes)
        if any(file is not None and file.gone for file in written):
            raise _gone(self.folder)
        start, stop = timeline.settled, timeline.stop(now)
        self.wav.write(start, timeline.mix(stop))
        if microphone is not None:
            microphone.write(start, _as_int16(self._raw.read(start, stop)))
        timeline.settle(now, stop)
        self._raw.forget(timeline.settled)
        return stop

    def trim(self, end: int) -> None:
        """Let the sound end at this sample, if it is longer."""
        self.wav.trim(end)
        if self._microphone is not None:
            self._microphone.trim(end)

    def flush(self) -> None:
        """What was added."""
        self._codes.flush()
        self.journal.flush()
        try:
            if self._transcript.gone:
                raise _gone(self._transcript.path)
            self._transcript.update()
        except OSError as error:
            self.untold = error
        else:
            self.untold = None

    def rescue(self) -> None:
        """After an error: make valid what is there."""
        self.wav.rescue()
        if self._microphone is not None:
            self._microphone.rescue()
        self._codes.rescue()
        self.journal.rescue()

    def close(self) -> None:
        """Let go of the files, also if one of them can't be closed. Raises OSError."""
        self._opened.close()

    def _add_rows(self, rows: Iterable[Ints]) -> None:
        for each in rows:
            self._codes.add(each)


def _as_int16(pcm: Pcm) -> npt.NDArray[np.int16]:
    """[n] as one channel [n, 1]."""
    mono: npt.NDArray[np.int16] = np.rint(np.clip(pcm, -1.0, 1.0) * 32767.0).astype(np.int16)
    return mono[:, None]


def _gone(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
