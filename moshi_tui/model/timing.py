"""How long a model takes: to warm up, for a step, and beside another implementation.

Nothing waits four minutes for a full context: a stream is told to count so many steps as seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Protocol

import numpy as np
import numpy.typing as npt

from moshi_tui.model.generate import Generator
from moshi_tui.model.lm import Lm
from moshi_tui.model.runner import RunnerName
from moshi_tui.model.warm_up import warm_up

ROUND = 100
"""Steps after which a measurement begins again at the same place."""
BLOCK = 20
"""Steps of one implementation before it is the other's turn..."""
SETTLE = 2
"""...after so many that are not counted: the caches still hold the other's weights."""

Codes = npt.NDArray[np.int64]
Clock = Callable[[], float]


class Stream(Protocol):
    """What is timed. Belongs to the thread that loaded the model."""

    def seek(self, steps: int) -> None:
        """Count `steps` steps as seen."""
        ...

    def step(self, codes: Codes) -> None:
        """One step on the user's codes [n_user], its tokens on the host at the end."""
        ...


class Ours:
    """This program's generator as a `Stream`."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def seek(self, steps: int) -> None:
        """Count `steps` steps as seen."""
        self._generator.runner.pretend(steps)

    def step(self, codes: Codes) -> None:
        """One step."""
        self._generator.step(codes)


@dataclass(frozen=True)
class WarmUp:
    """From loaded weights to a model that is ready. All in ms."""

    parts: dict[str, float]
    """Name and time, in their order."""
    first: float
    """The first real step after it."""

    @property
    def seconds(self) -> float:
        """From its start to the first real step."""
        return sum(self.parts.values()) / 1000


def time_warm_up(
    model: Lm,
    *,
    seed: int,
    runner: RunnerName | None = None,
    say: Callable[[str], None] = lambda _: None,
    clock: Clock = time.perf_counter,
) -> tuple[Generator, WarmUp]:
    """Make a generator ready as a talk does, and time it and its first real step.

    Args:
        say: told what is going on, also from another thread.

    Raises MoshiTuiError if `runner` can't run here.
    """
    codes = user_codes(model, 1, seed)[0]
    generator, parts = warm_up(
        lambda: Generator(model, seed=seed, runner=runner),
        lambda detail, _: say(detail),
        say,
        clock,
    )
    (first,) = time_calls(lambda: generator.step(codes), 1, limit_s=0, clock=clock)
    return generator, WarmUp(parts, first)


def user_codes(model: Lm, count: int, seed: int) -> Codes:
    """What a user might say, [count, n_user]."""
    config = model.config
    return np.random.default_rng(seed).integers(0, config.card, (count, config.n_user))


def time_calls(
    call: Callable[[], object], count: int, *, limit_s: float, clock: Clock = time.perf_counter
) -> list[float]:
    """The time of each of `count` calls in ms; fewer after `limit_s` seconds, one at least."""
    times: list[float] = []
    start = clock()
    while len(times) < count and not (times and clock() - start >= limit_s):
        before = clock()
        call()
        times.append((clock() - before) * 1000)
    return times


def time_steps_from(
    stream: Stream,
    place: int,
    codes: Codes,
    count: int,
    *,
    limit_s: float,
    clock: Clock = time.perf_counter,
) -> list[float]:
    """The time of each step in ms, in rounds of `ROUND` that begin after `place` steps.

    Args:
        codes: [n, n_user], used over and over.
        count: steps; fewer after `limit_s` seconds, one at least.
    """
    times: list[float] = []
    heard = cycle(codes)
    start = clock()
    while len(times) < count and not (times and clock() - start >= limit_s):
        stream.seek(place)
        times += time_calls(
            lambda: stream.step(next(heard)),
            min(ROUND, count - len(times)),
            limit_s=limit_s - (clock() - start),
            clock=clock,
        )
    return times


def interleave(
    ours: Stream,
    theirs: Stream,
    place: int,
    codes: Codes,
    count: int,
    *,
    limit_s: float,
    clock: Clock = time.perf_counter,
) -> tuple[list[float], list[float]]:
    """Both in alternating blocks from the same place, so that a busy machine hits both.

    Returns the time of each counted step in ms: ours, theirs. As many of both; `count` in whole
    blocks, fewer after `limit_s` seconds, one block at least.
    """
    pair: tuple[tuple[Stream, list[float]], ...] = ((ours, []), (theirs, []))
    start = clock()
    size = min(BLOCK, count)
    for block in range(max(1, count // size)):
        if block and clock() - start >= limit_s:
            break
        for stream, times in pair[:: 1 if block % 2 else -1]:
            stream.seek(place)
            for i in range(SETTLE + size):
                before = clock()
                stream.step(codes[i % len(codes)])
                if i >= SETTLE:
                    times.append((clock() - before) * 1000)
    return pair[0][1], pair[1][1]
