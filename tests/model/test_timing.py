from __future__ import annotations

import numpy as np

from moshi_tui.demo.checkpoint import demo_config
from moshi_tui.model.config import LmConfig
from moshi_tui.model.random_weights import random_model
from moshi_tui.model.timing import (
    BLOCK,
    ROUND,
    SETTLE,
    Codes,
    Ours,
    interleave,
    time_calls,
    time_steps_from,
    time_warm_up,
    user_codes,
)

SMALL = LmConfig.from_dict({**demo_config(), "context": 20})
CODES = np.zeros((3, 8), dtype=np.int64)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Played:
    """A stream of which each step takes as long as it was told."""

    def __init__(self, clock: Clock, seconds: float, said: list[str], name: str = "") -> None:
        self.clock, self.seconds, self.said, self.name = clock, seconds, said, name

    def seek(self, steps: int) -> None:
        self.clock.now += 1000  # whatever it takes, no step pays for it
        self.said.append(f"{self.name}@{steps}")

    def step(self, codes: Codes) -> None:
        self.clock.now += self.seconds
        self.said.append(self.name)


def test_calls_end_with_their_number_or_with_the_time() -> None:
    clock = Clock()

    def call() -> None:
        clock.now += 0.25

    assert time_calls(call, 3, limit_s=100, clock=clock) == [250.0] * 3
    assert len(time_calls(call, 100, limit_s=1, clock=clock)) == 4
    assert len(time_calls(call, 100, limit_s=0, clock=clock)) == 1


def test_steps_begin_again_at_their_place_every_round() -> None:
    clock, said = Clock(), list[str]()
    stream = Played(clock, 0.5, said)
    times = time_steps_from(stream, 50, CODES, 2 * ROUND + 1, limit_s=10_000, clock=clock)
    assert times == [500.0] * (2 * ROUND + 1)
    assert [i for i, each in enumerate(said) if each] == [0, ROUND + 1, 2 * ROUND + 2]
    assert len(time_steps_from(stream, 50, CODES, 9, limit_s=0, clock=clock)) == 1


def test_two_streams_take_turns_and_who_begins_changes() -> None:
    clock, said = Clock(), list[str]()
    ours, theirs = Played(clock, 0.5, said, "a"), Played(clock, 2.0, said, "b")
    times = interleave(ours, theirs, 7, CODES, 2 * BLOCK, limit_s=1e9, clock=clock)
    assert times == ([500.0] * 2 * BLOCK, [2000.0] * 2 * BLOCK)
    assert [each for each in said if "@" in each] == ["b@7", "a@7", "a@7", "b@7"]
    assert said.count("a") == 2 * (BLOCK + SETTLE)
    few = interleave(ours, theirs, 7, CODES, 2 * BLOCK, limit_s=0, clock=clock)
    assert [len(each) for each in few] == [BLOCK, BLOCK]
    assert [
        len(each) for each in interleave(ours, theirs, 7, CODES, 3, limit_s=9, clock=clock)
    ] == [
        3,
        3,
    ]


def test_a_warm_model_is_told_in_parts_and_steps_from_any_place() -> None:
    ticks = iter(range(100))
    model = random_model(SMALL, None)
    said = list[str]()
    generator, warm = time_warm_up(
        model, seed=1, runner="mlx", say=said.append, clock=lambda: next(ticks)
    )
    assert said
    assert "reset" in warm.parts
    assert set(warm.parts.values()) == {1000.0}
    assert warm.first == 1000.0
    assert warm.seconds == len(warm.parts)
    assert generator.runner.name == "mlx"
    stream = Ours(generator)
    stream.seek(SMALL.context)
    stream.step(user_codes(model, 1, seed=1)[0])
    assert generator.context_used == SMALL.context


def test_what_a_user_says_is_in_range_and_the_seed_decides_it() -> None:
    model = random_model(SMALL, None)
    codes = user_codes(model, 50, seed=1)
    assert codes.shape == (50, SMALL.n_user)
    assert 0 <= codes.min() < codes.max() < SMALL.card
    assert np.array_equal(codes, user_codes(model, 50, seed=1))
    assert not np.array_equal(codes, user_codes(model, 50, seed=2))
