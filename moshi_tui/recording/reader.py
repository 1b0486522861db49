"""A recording on disk, opened for reading: also one that was broken off, or still grows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.codes import Codes, read_codes
from moshi_tui.recording.files import AUDIO, EVENTS
from moshi_tui.recording.journal import SCHEMA, Record, read_lines

Pcm = npt.NDArray[np.float32]

_NO_RECORDING = "Name a folder that --record has made: moshi-YYYYMMDD-HHMMSS."


class Recording:
    """What was recorded. Opening it reads the events; sound and codes are read when asked for.

    Not thread-safe: `sound` moves in a file.

    Args:
        folder: the recording's own.

    The constructor raises MoshiTuiError if it is none, or not one that this version can read.
    """

    header: Record
    """The first line of events.jsonl."""
    records: list[Record]
    """The others, by `t`."""
    damaged_lines: int
    """Lines of events.jsonl that are no record, and were passed over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.header, self.records, self.damaged_lines = _events(folder)
            (folder / AUDIO).stat()  # libsndfile does not say that a file is missing
            self._sound = soundfile.SoundFile(folder / AUDIO)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _not_one(folder, error) from error
        except (OSError, ValueError, soundfile.LibsndfileError) as error:
            raise _unreadable(folder, error) from error

    @property
    def complete(self) -> bool:
        """It was ended, not broken off."""
        return bool(self.records) and self.records[-1]["type"] == "end"

    @property
    def damage(self) -> str:
        """What to tell of `damaged_lines`; empty if there are none."""
        if not self.damaged_lines:
            return ""
        lines = "line is" if self.damaged_lines == 1 else "lines are"
        return f"{self.folder / EVENTS}: {self.damaged_lines} {lines} damaged and left out"

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return self.samples / self.rate

    @property
    def samples(self) -> int:
        """The same in samples a side."""
        return int(self._sound.frames)

    @property
    def rate(self) -> int:
        """Samples a second."""
        return int(self._sound.samplerate)

    def sound(self, start: int, count: int) -> Pcm:
        """Both sides from sample `start` on: [count, 2] float32, the user left and Moshi right;
        silence beyond either end. Raises MoshiTuiError."""
        out = np.zeros((count, 2), np.float32)
        first, last = max(0, start), min(start + count, self.samples)
        if first >= last:
            return out
        try:
            self._sound.seek(first)
            got = self._sound.read(last - first, dtype="float32", always_2d=True)
        except (OSError, soundfile.LibsndfileError) as error:
            raise _unreadable(self.folder, error) from error
        out[first - start : first - start + len(got)] = got
        return out

    def codes(self) -> Codes:
        """What the model heard and said, step by step. Raises MoshiTuiError."""
        try:
            return read_codes(self.folder, self.header["codes"]["user"])
        except FileNotFoundError as error:
            raise MoshiTuiError(
                "No codes in the recording",
                f"{self.folder} has neither codes.npz nor codes.npy.",
                "The model can only be run again on a recording that has them.",
            ) from error
        except (OSError, ValueError, LookupError, TypeError, MemoryError) as error:
            raise _unreadable(self.folder, error) from error

    def close(self) -> None:
        """May be called twice."""
        self._sound.close()


def _events(folder: Path) -> tuple[Record, list[Record], int]:
    """The header, the other records, and how many lines are damaged."""
    header, *lines = list(read_lines(folder / EVENTS)) or [None]
    if header is None or header["type"] != "header":
        raise ValueError(f"{EVENTS} has no header")
    if not isinstance(header.get("schema"), int):
        raise ValueError(f"the header of {EVENTS} names no schema")
    if header["schema"] > SCHEMA:
        raise MoshiTuiError(
            "Recorded by a newer moshi-tui",
            f"{folder} has format {header['schema']}, this version reads up to {SCHEMA}.",
            "Update moshi-tui.",
        )
    records = [record for record in lines if record is not None]
    return header, records, len(lines) - len(records)


def _not_one(folder: Path, error: OSError) -> MoshiTuiError:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        return MoshiTuiError("No recording", f"{folder} {what}.", _NO_RECORDING)
    inside = sorted(each.name for each in folder.glob("moshi-*") if (each / EVENTS).exists())
    hint = f"It holds recordings; name one, e.g. {folder / inside[-1]}" if inside else _NO_RECORDING
    missing = Path(str(error.filename or EVENTS)).name
    return MoshiTuiError("No recording", f"{folder} has no {missing}.", hint)


def _unreadable(folder: Path, error: Exception) -> MoshiTuiError:
    return MoshiTuiError("Cannot read the recording", f"{folder}: {error}.", _NO_RECORDING)
