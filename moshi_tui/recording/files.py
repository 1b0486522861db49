"""The three files of a recording, as they are being written."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moshi_tui.frames import SAMPLE_RATE
from moshi_tui.recording.journal import Journal, Record
from moshi_tui.recording.timeline import Timeline
from moshi_tui.recording.transcript import TranscriptFile
from moshi_tui.recording.wav import WavFile

AUDIO = "audio.wav"
EVENTS = "events.jsonl"
TRANSCRIPT = "transcript.txt"


class Files:
    """What is being written. Belongs to the recorder's thread.

    A transcript that can't be written does not end a recording, since it can be made of the events:
    it is tried again each time.

    Args:
        folder: where they are made. The constructor raises OSError, as `write` and `flush` do.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.timeline = Timeline()
        self.untold: OSError | None = None
        """Why the transcript lacks something."""
        with ExitStack() as opened:
            self.wav = WavFile(folder / AUDIO, SAMPLE_RATE, 2)
            opened.callback(self.wav.close)
            self.journal = Journal(folder / EVENTS)
            opened.callback(self.journal.close)
            self._transcript = TranscriptFile(folder / TRANSCRIPT)
            opened.callback(self._transcript.close)
            self._opened = opened.pop_all()

    @property
    def seconds(self) -> float:
        """Length of the sound so far."""
        return self.wav.frames / SAMPLE_RATE

    def add(self, record: Record) -> None:
        """A record, not written yet."""
        self.journal.add(record)
        self._transcript.transcript.add(record)

    def write(self, at: int, pcm: npt.NDArray[np.int16]) -> None:
        """Sound [n, 2] from sample `at` on."""
        if self.wav.gone or self.journal.gone:
            raise _gone(self.folder)
        self.wav.write(at, pcm)

    def flush(self) -> None:
        """What was added."""
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
        self.journal.rescue()

    def close(self) -> None:
        """Let go of the files, also if one of them can't be closed. Raises OSError."""
        self._opened.close()


def _gone(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
