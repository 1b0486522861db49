"""Who sounded when, and what it says of Moshi's taking turns.

Times are seconds of the talk as a listener beside the user hears it: the user's sound when it is
made, Moshi's when it is played.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from eval_words import normal
from phrases_words import SHARED

RATE = 24_000
FRAME_S = 0.08
HOP = 240
HOP_S = HOP / RATE
WINDOW = 960
"""40 ms."""
ACTIVE_DBFS = -45.0
PAUSE_S = 0.2
"""After less silence than this, sound goes on; after more, it begins."""
ANSWER_S = 1.5
STOP_S = 0.5
SILENT_S = 0.3
HEED_S = 0.3
"""After the user's onset, for which Moshi may still begin: it cannot have heard it."""
INTERRUPT_S = (1.0, 2.5)
"""After an answer has begun, between which the user interrupts it."""
NAMES = {word.lower() for words in SHARED.values() for word in words if word.isalpha()}
"""Words that Moshi may say again when it has heard them: days, food, animals and so on."""
BACKCHANNEL_S = 1.0
BACKCHANNEL_WORDS = 2

Run = tuple[float, float]
"""Start and end of a stretch of sound."""


@dataclass(frozen=True)
class Turn:
    """Of the user: from the first to the last moment at which it sounds."""

    start: float
    end: float
    text: str
    interrupts: bool


@dataclass
class Talk:
    """What happened in one talk."""

    user: np.ndarray
    """[n] float32 at `RATE`, as Moshi's microphone had it."""
    moshi: np.ndarray
    """[n], as it was heard."""
    turns: list[Turn]
    words: list[tuple[str, float]]
    """Moshi's, with punctuation, and when their sound is to begin."""

    @property
    def text(self) -> str:
        """All that Moshi said."""
        return " ".join(word for word, _ in self.words)


@dataclass
class Counts:
    """Sums over talks; the lists hold one value for each case that counts."""

    answered: list[bool] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    """Seconds from the user's end to the answer, of those answered."""
    stopped: list[bool] = field(default_factory=list)
    stop_times: list[float] = field(default_factory=list)
    by_chance: list[bool] = field(default_factory=list)
    waited: list[bool] = field(default_factory=list)
    named: list[bool] = field(default_factory=list)
    named_by_chance: list[bool] = field(default_factory=list)
    backchannels: int = 0

    def add(self, other: Counts) -> None:
        """Take in those of another talk."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


def active(sound: np.ndarray) -> np.ndarray:
    """[n // HOP] bool: whether the 40 ms around each moment are louder than `ACTIVE_DBFS`."""
    padded = np.pad(sound.astype(np.float64), WINDOW // 2)
    sums = np.concatenate(([0.0], np.cumsum(padded**2)))
    starts = np.arange(len(sound) // HOP) * HOP
    power = (sums[starts + WINDOW] - sums[starts]) / WINDOW
    return power > 10 ** (ACTIVE_DBFS / 10)


def runs(sounding: np.ndarray, pause_s: float = PAUSE_S) -> list[Run]:
    """The stretches of sound that are parted by at least `pause_s` of silence."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], sounding.astype(np.int8), [0]))))
    found: list[Run] = []
    for start, end in edges.reshape(-1, 2) * HOP_S:
        if found and start - found[-1][1] < pause_s - 1e-9:
            found[-1] = (found[-1][0], float(end))
        else:
            found.append((float(start), float(end)))
    return found


def measure(talk: Talk, rng: np.random.Generator) -> Counts:
    """All of a talk; `rng` chooses the moments of `by_chance`."""
    sounding = active(talk.moshi)
    parts = runs(sounding)
    length = len(talk.moshi) / RATE
    counts = Counts()
    for turn in talk.turns:
        _answer(turn, parts, length, counts)
        _stop(turn, sounding, parts, counts)
        _wait(turn, parts, talk.words, counts)
    _name(talk, counts)
    _chance(talk.turns, sounding, parts, rng, counts)
    return counts


def _answer(turn: Turn, parts: Sequence[Run], length: float, counts: Counts) -> None:
    """Answered: Moshi's sound begins (after at least `PAUSE_S` of silence) in the `ANSWER_S` after
    the user's end. Turns that end later than that before the end of the talk are left out."""
    if turn.end + ANSWER_S > length:
        return
    delays = [start - turn.end for start, _ in parts if 0 <= start - turn.end <= ANSWER_S]
    counts.answered.append(bool(delays))
    counts.delays += delays[:1]


def _stop(turn: Turn, sounding: np.ndarray, parts: Sequence[Run], counts: Counts) -> None:
    """Stopped: Moshi is silent for at least `SILENT_S`, beginning within `STOP_S` of the onset of
    a user that interrupts.

    Only counted if Moshi still sounds when the frame with the onset has been captured, which is the
    first moment at which it could be heard to react: who falls silent before that was about to.
    An answer that would have ended by itself within `STOP_S` cannot be told from one that was
    stopped: `by_chance` is how often that happens without an interruption.
    """
    reacts = (math.floor(turn.start / FRAME_S) + 1) * FRAME_S
    if not turn.interrupts or not any(start < reacts < end for start, end in parts):
        return
    silent = _silence_from(sounding, reacts)
    counts.stopped.append(silent is not None and silent - turn.start <= STOP_S)
    if silent is not None and silent < turn.end + ANSWER_S:
        counts.stop_times.append(silent - turn.start)


def _wait(
    turn: Turn, parts: Sequence[Run], words: Sequence[tuple[str, float]], counts: Counts
) -> None:
    """Waited: Moshi does not begin (after at least `PAUSE_S` of silence) between `HEED_S` after the
    user's onset and the user's end. Backchannels, at most `BACKCHANNEL_WORDS` words in at most
    `BACKCHANNEL_S` of sound, do not count against it; they are counted on their own."""
    early = False
    for start, end in parts:
        if not turn.start + HEED_S < start < turn.end:
            continue
        said = sum(start - 0.3 <= at <= end for _, at in words)
        if said <= BACKCHANNEL_WORDS and end - start <= BACKCHANNEL_S:
            counts.backchannels += 1
        else:
            early = True
    counts.waited.append(not early)


def _name(talk: Talk, counts: Counts) -> None:
    """Named: of the `NAMES` in what the user says, Moshi says one before the user speaks again. By
    chance: Moshi says one in one of its other answers of the talk, taken one by one."""
    ends = [turn.start for turn in talk.turns[1:]] + [math.inf]
    answers = [
        set(normal(" ".join(word for word, at in talk.words if turn.end <= at < end)))
        for turn, end in zip(talk.turns, ends, strict=True)
    ]
    for n, turn in enumerate(talk.turns):
        names = NAMES.intersection(normal(turn.text))
        if names and answers[n]:
            counts.named.append(not names.isdisjoint(answers[n]))
            others = answers[:n] + answers[n + 1 :]
            counts.named_by_chance += [not names.isdisjoint(other) for other in others if other]


def _chance(
    turns: Sequence[Turn],
    sounding: np.ndarray,
    parts: Sequence[Run],
    rng: np.random.Generator,
    counts: Counts,
) -> None:
    """`_stop`, for moments at which the user could have interrupted an answer and did not."""
    for turn in turns:
        answers = [run for run in parts if 0 <= run[0] - turn.end <= ANSWER_S][:1]
        for start, _ in answers:
            moment = start + rng.uniform(*INTERRUPT_S)
            reacts = (math.floor(moment / FRAME_S) + 1) * FRAME_S
            if any(t.start < moment + STOP_S + SILENT_S and t.end > start for t in turns):
                continue
            if not any(a < reacts < b for a, b in parts):
                continue
            silent = _silence_from(sounding, reacts)
            counts.by_chance.append(silent is not None and silent - moment <= STOP_S)


def _silence_from(sounding: np.ndarray, moment: float) -> float | None:
    """When the first silence of at least `SILENT_S` after `moment` begins."""
    first, needed = math.ceil(moment / HOP_S - 1e-9), round(SILENT_S / HOP_S)
    loud = np.flatnonzero(np.append(sounding[first:], True))
    begins = np.concatenate(([0], loud[:-1] + 1))
    long = np.flatnonzero(loud - begins >= needed)
    return None if not len(long) else (first + float(begins[long[0]])) * HOP_S
