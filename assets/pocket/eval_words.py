"""Words: of a transcript, recognised against said, and found in a dictionary."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby


def normal(text: str) -> list[str]:
    """The words of `text`: letters and apostrophes, lower case; what has no letter is left out."""
    kept = (re.sub(r"[^a-z']", "", word).strip("'") for word in text.lower().split())
    return [word for word in kept if word]


def distance(one: Sequence[object], other: Sequence[object]) -> int:
    """Insertions, deletions and substitutions from `one` to `other`."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        corner, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (a != b))
    return row[-1]


@dataclass(frozen=True)
class Errors:
    """What it takes to get from the words that were said to those that were heard."""

    words: int = 0
    """That were said."""
    wrong: int = 0
    """Heard as another."""
    missed: int = 0
    added: int = 0

    @classmethod
    def between(cls, said: Sequence[object], heard: Sequence[object]) -> Errors:
        """The fewest errors; among those, the fewest that are wrong or missed."""
        row = [(j, 0, 0, j) for j in range(len(heard) + 1)]
        for i, word in enumerate(said, 1):
            corner, row[0] = row[0], (i, 0, i, 0)
            for j, other in enumerate(heard, 1):
                best = corner if word == other else _more(corner, 1)
                best = min(best, _more(row[j], 2), _more(row[j - 1], 3), key=_cost)
                corner, row[j] = row[j], best
        return cls(len(said), *row[-1][1:])

    @property
    def all(self) -> int:
        """Of the three kinds."""
        return self.wrong + self.missed + self.added

    @property
    def recognised(self) -> float:
        """1 - (wrong + missed) / words."""
        return 1 - (self.wrong + self.missed) / max(1, self.words)

    @property
    def rate(self) -> float:
        """Word error rate: all errors / words."""
        return self.all / max(1, self.words)

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.words + other.words,
            self.wrong + other.wrong,
            self.missed + other.missed,
            self.added + other.added,
        )


_Path = tuple[int, int, int, int]
"""All errors; wrong, missed, added ones."""


def _more(path: _Path, kind: int) -> _Path:
    counts = list(path)
    counts[0] += 1
    counts[kind] += 1
    return counts[0], counts[1], counts[2], counts[3]


def _cost(path: _Path) -> tuple[int, int]:
    return path[0], path[1] + path[2]


def share_known(words: Sequence[str], known: Collection[str]) -> float:
    """Of `words`, the part that is in `known`, or is one of it with 's."""
    found = sum(word in known or word.removesuffix("'s") in known for word in words)
    return found / max(1, len(words))


def misses(words: Sequence[str], known: Collection[str], most: int = 12) -> list[tuple[str, int]]:
    """The most frequent of `words` that are not in `known`."""
    unknown = (w for w in words if w not in known and w.removesuffix("'s") not in known)
    return Counter(unknown).most_common(most)


def sentences(text: str) -> list[str]:
    """The sentences of `text` as their words in lower case, without marks."""
    parts = (" ".join(normal(part)) for part in re.split(r"[.?!]+", text))
    return [part for part in parts if part]


def longest_run(said: Sequence[str]) -> int:
    """How often the same sentence comes running, at most; 0 if there is none."""
    return max((len(list(same)) for _, same in groupby(said)), default=0)
