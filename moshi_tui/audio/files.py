"""Sound files: any of them in, 24 kHz mono WAV out."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile

from moshi_tui.audio.resample import Resampler
from moshi_tui.audio.ring import Pcm
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE

HIGHEST_RATE = 768_000
"""The highest that sound cards have; the filter for an odd rate above it would take gigabytes."""
_CHUNK_SECONDS = 0.5


def read_audio(path: Path) -> Pcm:
    """The whole file as [n] float32, 24 kHz, mono (channels averaged).

    Needs twice the memory of the result for a moment; `AudioReader` needs none to speak of.
    Raises MoshiTuiError if the file is missing, not sound, damaged or empty.
    """
    with AudioReader(path) as reader:
        return np.concatenate(list(reader.chunks()))


class AudioReader:
    """Reads a sound file piece by piece as 24 kHz mono; iterate over it for frames.

    Any format, rate and number of channels that libsndfile knows. Samples that are not finite
    become 0. The constructor raises MoshiTuiError if the file is missing, not sound or empty;
    reading on raises it if the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open(path)
        self.rate: int = self._file.samplerate
        """Of the file."""
        self.channels: int = self._file.channels
        self.seconds: float = self._file.frames / self.rate
        """Length that the file's header states."""
        self.samples = 0
        """Handed out so far, at 24 kHz; the exact length once all is read."""
        if self.rate > HIGHEST_RATE:
            self.close()
            raise MoshiTuiError(
                "Sample rate out of reach", f"{path}: {self.rate} Hz.", "Convert it to 48000 Hz."
            )
        if self._file.frames == 0:
            self.close()
            raise MoshiTuiError("Empty sound file", f"{path} holds no sound.", "Name another.")

    def __iter__(self) -> Iterator[Pcm]:
        """Frames [1920] float32; the last one is filled up with silence."""
        pending = np.zeros(0, np.float32)
        for chunk in self.chunks():
            pending = np.concatenate((pending, chunk))
            whole = len(pending) - len(pending) % FRAME_SAMPLES
            yield from pending[:whole].reshape(-1, FRAME_SAMPLES)
            pending = pending[whole:]
        if len(pending):
            yield np.pad(pending, (0, FRAME_SAMPLES - len(pending)))

    def chunks(self) -> Iterator[Pcm]:
        """Pieces [n] float32 of about half a second, at 24 kHz."""
        resampler = Resampler(self.rate, SAMPLE_RATE)
        size = max(1, round(self.rate * _CHUNK_SECONDS))
        while True:
            try:
                block = self._file.read(size, dtype="float32", always_2d=True)
            except soundfile.SoundFileError as error:
                raise _unreadable(self.path, error) from error
            if len(block) == 0:
                break
            np.nan_to_num(block, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
            piece = resampler.process(np.mean(block, axis=1, dtype=np.float32))
            self.samples += len(piece)
            yield piece
        rest = resampler.flush()
        self.samples += len(rest)
        yield rest

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class WavWriter:
    """Writes 24 kHz mono 16-bit WAV; a file of that name is replaced.

    The header is brought up to date once a second of sound, so the file can be played even if
    the process is killed. Raises MoshiTuiError if the file can't be written (folder missing, disk
    full); afterwards only `close` makes sense.

    Args:
        path: the file.
        shown: what errors call it, if not that: nobody has named "out.wav.part".
    """

    def __init__(self, path: Path, shown: Path | None = None) -> None:
        self.path = path
        self._shown = shown or path
        self.samples = 0
        """Written so far."""
        self._stated = 0
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise _unwritable(self._shown, error) from error
        try:
            self._state()
        except MoshiTuiError:
            self._let_go()
            raise

    def write(self, pcm: Pcm) -> None:
        """Append `pcm` [n] float32; what is beyond -1 to 1 is clipped."""
        data = np.rint(np.clip(pcm, -1.0, 1.0) * 32767.0).astype("<i2")
        try:
            self._file.write(data.tobytes())
        except OSError as error:
            raise _unwritable(self._shown, error) from error
        self.samples += len(pcm)
        if self.samples - self._stated >= SAMPLE_RATE:
            self._state()

    def close(self) -> None:
        """Complete the file. May be called twice. Raises MoshiTuiError if the disk is full."""
        if self._file.closed:
            return
        try:
            self._state()
        finally:
            self._let_go()

    def _state(self) -> None:
        """Write everything out, then a header that says how much that is."""
        try:
            self._file.flush()
            self._file.seek(0)
            self._file.write(_wav_header(self.samples))
            self._file.flush()
            self._file.seek(0, 2)
        except OSError as error:
            raise _unwritable(self._shown, error) from error
        self._stated = self.samples

    def _let_go(self) -> None:
        # Closing writes the buffer again; if that fails, _state has already said so.
        with suppress(OSError):
            self._file.close()

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _open(path: Path) -> soundfile.SoundFile:
    if not path.exists():
        raise MoshiTuiError("No such sound file", f"{path} does not exist.", "Check the path.")
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is no regular file"
        raise MoshiTuiError("Not a sound file", f"{path} {what}.", "Name a file.")
    if path.stat().st_size == 0:
        raise MoshiTuiError("Empty sound file", f"{path} has no bytes.", "Name another file.")
    try:
        return soundfile.SoundFile(os.fsencode(path))  # names need not be UTF-8
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> MoshiTuiError:
    # The text of libsndfile's error begins with the name as Python writes bytes: b'in.wav'.
    why = getattr(error, "error_string", "") or str(error)
    return MoshiTuiError(
        "Unreadable sound file",
        f"{path}: {why.rstrip('.')}.",
        "WAV, FLAC, Ogg and MP3 work; convert others, e.g. with ffmpeg.",
    )


def _unwritable(path: Path, error: OSError) -> MoshiTuiError:
    return MoshiTuiError(
        "Can't write sound file",
        f"{path}: {error.strerror or error}.",
        "Choose another place, or make room on the disk.",
    )


def _wav_header(samples: int) -> bytes:
    """RIFF header of 16-bit mono PCM; beyond 4 GB (24 hours) the size stays at its maximum."""
    size = min(2 * samples, 0xFFFFFFFF - 36)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + size, b"WAVE"),
        *(b"fmt ", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16),
        *(b"data", size),
    )
