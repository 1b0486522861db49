"""The codes of a recording: what the model heard and said, step by step.

While it is written they are rows of `codes.npy`, which NumPy can read at every moment; a recording
that is complete has them as named arrays in `codes.npz` (`Codes`) instead.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

CODES = "codes.npz"
GROWING_CODES = "codes.npy"

COLUMNS = ("epoch", "step", "seed", "frame", "text")
"""The first columns of a row, int32 each; the user's codes and then Moshi's follow. `seed` is the
bit pattern of 32 unsigned bits."""

Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class CodedStep:
    """One step of the model, as it happens. The fields are those of `Codes`."""

    epoch: int
    step: int
    seed: int
    frame: int
    text: int
    user: Ints
    """[n_user]."""
    moshi: Ints | None
    """[n_generated]; None while the delays fill."""

    def row(self, n_moshi: int) -> npt.NDArray[np.int32]:
        """Its row of `codes.npy`, [columns]; `n_moshi`: how many codes Moshi has in a row."""
        n_user, first = len(self.user), len(COLUMNS)
        row = np.full(first + n_user + n_moshi, -1, np.int32)
        seed = self.seed if self.seed < 1 << 31 else self.seed - (1 << 32)
        row[:first] = (self.epoch, self.step, seed, self.frame, self.text)
        row[first : first + n_user] = self.user
        if self.moshi is not None:
            row[first + n_user :] = self.moshi
        return row


@dataclass(frozen=True)
class Codes:
    """One entry for each step of the model, oldest first: n of them."""

    epoch: Ints
    """[n]: how many resets there were before it, since the talk began."""
    step: Ints
    """[n]: its number since the last reset, from 0. A hole means that steps are missing: the disk
    was too slow."""
    seed: Ints
    """[n] uint32: the seed in use."""
    frame: Ints
    """[n]: number of the user's frame that it heard. Frames that the model never heard are left
    out."""
    text: Ints
    """[n]: the text token."""
    user: Ints
    """[n, n_user]: the user's codes, as the model heard them."""
    moshi: Ints
    """[n, n_generated]: the frame for the codec that the step gave; -1 while the delays fill."""

    def __len__(self) -> int:
        return len(self.step)

    @classmethod
    def from_rows(cls, rows: Ints, n_user: int) -> Codes:
        """Rows [n, columns] of `codes.npy`; `n_user`: how many of the columns are the user's."""
        named = {name: rows[:, index] for index, name in enumerate(COLUMNS)}
        named["seed"] = named["seed"].astype(np.int32).view(np.uint32)
        user = rows[:, len(COLUMNS) : len(COLUMNS) + n_user]
        return cls(**named, user=user, moshi=rows[:, len(COLUMNS) + n_user :])

    def arrays(self) -> Mapping[str, Ints]:
        """By the names that they have in `codes.npz`."""
        return dict(vars(self))


def read_codes(folder: Path, n_user: int) -> Codes:
    """The codes of a recording, complete or broken off.

    Args:
        folder: the recording's.
        n_user: how many codes the user has in a row, by the header.

    Raises OSError (FileNotFoundError if it has none), and ValueError if they can't be read.
    """
    try:
        with (folder / CODES).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Codes(**{name: arrays[name] for name in Codes.__dataclass_fields__})
    except FileNotFoundError:
        return Codes.from_rows(np.load(folder / GROWING_CODES, allow_pickle=False), n_user)
    except KeyError as error:
        raise ValueError(f"{CODES} has no array {error}") from error
    except (EOFError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{CODES}: {error}") from error
