"""What the machine does to the talk: how long steps take, and when something stands still."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

STALL_S = 2.0
"""Length of the long stall."""
STALL_AT_S = 20.0


@dataclass(frozen=True)
class Stall:
    """Something stands still for a while."""

    at_s: float
    seconds: float
    whole: bool = False
    """The whole process but for the sound's callbacks stands still; else the step that begins next
    takes so much longer."""


@dataclass(frozen=True)
class Scenario:
    """One story to try the policies on. Times in seconds."""

    name: str
    title: str
    seconds: float = 60.0
    fastest_step_s: float = 0.055
    slowest_step_s: float = 0.055
    """Steps last between these two, evenly distributed."""
    stalls: tuple[Stall, ...] = ()


@dataclass(frozen=True)
class Sweep:
    """A scenario with one stall, tried at many moments of many talks."""

    name: str
    title: str
    stall: Stall
    moments: int = 20
    apart_s: float = 1.7
    talks: int = 5
    before_s: float = 10.0
    """Time simulated before the stall, and after it."""
    after_s: float = 10.0

    @property
    def talk_seconds(self) -> float:
        """Length of the talks that hold all moments."""
        return self.before_s + (self.moments - 1) * self.apart_s + self.stall.seconds + self.after_s

    def scenario(self) -> Scenario:
        """One case of it, as seen from its beginning."""
        seconds = self.before_s + self.stall.seconds + self.after_s
        stall = replace(self.stall, at_s=self.before_s)
        return Scenario(self.name, self.title, seconds, stalls=(stall,))

    def starts(self) -> list[float]:
        """Where in each talk a case begins."""
        return [index * self.apart_s for index in range(self.moments)]


SCENARIOS = (
    Scenario("steady", "steady: 55 ms a step"),
    Scenario("stall", "the model stalls for 2 s at 20 s", stalls=(Stall(STALL_AT_S, STALL_S),)),
    Scenario(
        "freeze",
        "the whole process stalls for 2 s at 20 s",
        stalls=(Stall(STALL_AT_S, STALL_S, whole=True),),
    ),
    Scenario(
        "hiccups",
        "the model stalls for 0.5 s every 10 s",
        stalls=tuple(Stall(at, 0.5) for at in (10.0, 20.0, 30.0, 40.0, 50.0)),
    ),
    Scenario("slow", "too slow: 100 ms a step, 10 min", 600.0, 0.1, 0.1),
    Scenario("jitter", "jitter: 30 to 130 ms a step", 60.0, 0.03, 0.13),
)
SWEEPS = (
    Sweep("stall-sweep", "the model stalls for 2 s: {cases} cases", Stall(0.0, STALL_S)),
    Sweep(
        "freeze-sweep",
        "the whole process stalls for 2 s: {cases} cases",
        Stall(0.0, STALL_S, whole=True),
    ),
)


def quick(story: Scenario | Sweep) -> Scenario | Sweep:
    """A shorter version, for a first look."""
    if isinstance(story, Sweep):
        return replace(story, moments=5, apart_s=6.8, talks=2)
    return replace(story, seconds=min(story.seconds, 120.0))


class Pace:
    """How long things take in one run of a scenario; every policy meets the same numbers."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._scenario = scenario
        self._rng = np.random.default_rng(seed)
        self._stalls = [stall for stall in scenario.stalls if not stall.whole]
        self._freezes = [stall for stall in scenario.stalls if stall.whole]
        self.stall_ends: list[float] = [each.at_s + each.seconds for each in self._freezes]
        """When each stall was over; those of a step are known once the step has begun."""

    def step_s(self, now: float) -> float:
        """Seconds of the model step that begins now."""
        low, high = self._scenario.fastest_step_s, self._scenario.slowest_step_s
        seconds = low + (high - low) * float(self._rng.random())
        if self._stalls and now >= self._stalls[0].at_s:
            seconds += self._stalls.pop(0).seconds
            self.stall_ends.append(now + seconds)
        return seconds

    def frozen_until(self, now: float) -> float:
        """When work can begin: now, or the end of the standstill."""
        for freeze in self._freezes:
            if freeze.at_s <= now < freeze.at_s + freeze.seconds:
                return freeze.at_s + freeze.seconds
        return now

    def end(self, start: float, seconds: float) -> float:
        """When work begun at `start` is done."""
        end = start + seconds
        for freeze in self._freezes:
            if start < freeze.at_s < end:
                end += freeze.seconds
        return end
