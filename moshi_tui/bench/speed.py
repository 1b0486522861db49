"""The measurements of `moshi-tui bench`, one part after the other, on the main thread.

A part that fails is told and the others go on; Ctrl-C ends the rest and keeps what there is.
"""

from __future__ import annotations

import logging
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np

from moshi_tui.bench.codecs import Codecs, open_codecs
from moshi_tui.bench.speed_plan import Plan
from moshi_tui.codec.base import Codes as FrameCodes
from moshi_tui.codec.base import Pcm
from moshi_tui.codec.speechlike import speechlike
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES
from moshi_tui.model import device
from moshi_tui.model.generate import Generator
from moshi_tui.model.lm import Lm
from moshi_tui.model.random_weights import need, random_model
from moshi_tui.model.timing import (
    BLOCK,
    ROUND,
    Codes,
    Ours,
    WarmUp,
    interleave,
    time_calls,
    time_steps_from,
    time_warm_up,
    user_codes,
)

log = logging.getLogger(__name__)

EARLY = 100
"""The step near the start of a talk: what is timed lies around it, 50 steps off at most."""
RESETS = 10
AGAINST_STEPS = 100
"""Of each implementation, near the start; 3/5 of them with a full context."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Spread:
    """Times of one thing, in ms, in their order."""

    ms: Sequence[float]

    @property
    def median(self) -> float:
        """The time that half of them stay below."""
        return statistics.median(self.ms)

    @property
    def p95(self) -> float:
        """The time that 95 of 100 stay below."""
        return float(np.percentile(self.ms, 95))

    @property
    def most(self) -> float:
        """The longest."""
        return max(self.ms)


@dataclass(frozen=True)
class ModelSpeed:
    """The model alone."""

    runner: str
    """Which one made the steps."""
    quantisation: str
    made_s: float
    """Seconds until the random weights were there."""
    warm_up: WarmUp
    peak_warm_up: int
    """Bytes that MLX held at most while the runner was made and warmed up."""
    early: Spread
    full: Spread
    context: int
    reset: Spread
    """Its start-up step included."""

    @property
    def ratio(self) -> float:
        """What a full context makes of a step."""
        return self.full.median / self.early.median


@dataclass(frozen=True)
class Memory:
    """In bytes, after the model's steps. What MLX holds, where nothing else is said."""

    active: int
    cache: int
    peak_steps: int
    """The most during the steps and resets."""
    peak_warm_up: int
    """The most before, since the weights were there: a runner that stacks them has them twice for a
    moment, and the ways that are tried have rings of their own."""
    peak_making: int
    """The most until then; a talk, which reads a file, has another."""
    host: int
    """What NumPy's runner holds beside MLX: keys and values, and weights that it wrote out."""
    rss: int
    """The most that the process had of the machine's memory."""
    weights: int
    ring: int
    """What keys and values of a full context take."""

    @property
    def peak(self) -> int:
        """The most since the weights were there."""
        return max(self.peak_steps, self.peak_warm_up)

    def over(self, peak: int) -> int:
        """How much of what was held at that peak is neither weights nor ring."""
        return peak + self.host - self.weights - self.ring


@dataclass(frozen=True)
class CodecSpeed:
    """One frame, one direction alone, from the start of a talk: the codec's own context is full
    after ten seconds, which makes a frame some 5 % slower with rustymimi."""

    name: str
    encode: Spread
    decode: Spread


@dataclass(frozen=True)
class Versus:
    """Ours beside the reference, in alternating blocks of steps."""

    name: str
    version: str
    warm_up_s: float
    early: tuple[Spread, Spread]
    """Ours, theirs."""
    full: tuple[Spread, Spread]


@dataclass(frozen=True)
class Failure:
    """A part that could not be measured."""

    part: str
    error: str


Part = ModelSpeed | Memory | CodecSpeed | Spread | Versus | Failure


@dataclass
class Results:
    """What is known so far."""

    model: ModelSpeed | None = None
    memory: Memory | None = None
    codec: CodecSpeed | None = None
    pipeline: Spread | None = None
    """Encode, step, decode, one after the other, with a full context."""
    against: Versus | None = None
    failures: list[Failure] = field(default_factory=list)
    interrupted: bool = False

    @property
    def frame(self) -> Spread | None:
        """What a frame takes: of the whole pipeline, or of the model where there is no more."""
        if self.pipeline is None and self.model is not None:
            return self.model.full
        return self.pipeline


def measure(plan: Plan, say: Say, show: Callable[[Part], None]) -> Results:
    """Run all parts.

    Args:
        say: told what is being done.
        show: gets each part as soon as it is known.
    """
    results = Results()
    try:
        _measure(plan, results, say, show)
    except KeyboardInterrupt:
        results.interrupted = True
    return results


def _measure(plan: Plan, results: Results, say: Say, show: Callable[[Part], None]) -> None:
    ready: tuple[Lm, Generator] | None = None
    codecs: Codecs | None = None
    with _told("model", results, show):
        say(f"making random weights: {plan.shape}")
        model, made_s, peak_making = _make(plan)
        generator, results.model = _time_model(plan, model, made_s, say)
        show(results.model)
        ready = model, generator
        results.memory = _weigh(plan, generator, results.model.peak_warm_up, peak_making)
        show(results.memory)
    if plan.codec:
        with _told("codec", results, show):
            say("codec")
            codecs, results.codec = _time_codec(plan)
            show(results.codec)
    if ready and codecs:
        with _told("pipeline", results, show):
            say("pipeline: encode, step, decode")
            results.pipeline = _time_pipeline(plan, ready[1], codecs)
            show(results.pipeline)
    if ready and plan.against:
        with _told(plan.against, results, show):
            results.against = _compare(plan, *ready, say)
            show(results.against)


@contextmanager
def _told(part: str, results: Results, show: Callable[[Part], None]) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever it is, it is shown, and the rest goes on
        log.exception("bench: %s", part)
        words = f"{error}"
        if not isinstance(error, MoshiTuiError):
            words = f"{type(error).__name__}: {error}"
        failure = Failure(part, words)
        results.failures.append(failure)
        show(failure)


def _make(plan: Plan) -> tuple[Lm, float, int]:
    device.reset_peak_memory()
    began = time.perf_counter()
    model = random_model(plan.config, plan.bits, plan.seed)
    made_s, peak = time.perf_counter() - began, device.peak_memory()
    device.reset_peak_memory()
    return model, made_s, peak


def _time_model(plan: Plan, model: Lm, made_s: float, say: Say) -> tuple[Generator, ModelSpeed]:
    context = plan.config.context
    generator, warm = time_warm_up(
        model, seed=plan.seed, runner=plan.runner, say=lambda text: say(f"warm-up: {text}")
    )
    name = generator.runner.name
    if plan.runner not in (None, name):
        raise MoshiTuiError(
            "The runner is another one",
            f"{plan.runner} was asked for, {name} is what this machine and model allow",
            "Leave out --runner.",
        )
    peak_warm_up = device.peak_memory()
    device.reset_peak_memory()
    codes, stream = user_codes(model, ROUND, plan.seed), Ours(generator)
    say(f"warm after {warm.seconds:.2f} s; {plan.steps} steps at {EARLY}")
    early = _steps(plan, stream, EARLY - min(ROUND, plan.steps) // 2, codes, plan.steps)
    say(f"{early.median:.2f} ms a step; {plan.full_steps} steps at {context:,}")
    full = _steps(plan, stream, context, codes, plan.full_steps)
    say(f"{full.median:.2f} ms a step; reset()")
    resets = time_calls(generator.reset, RESETS, limit_s=plan.limit_s)
    speed = ModelSpeed(
        runner=name,
        quantisation=model.quantisation,
        made_s=made_s,
        warm_up=warm,
        peak_warm_up=peak_warm_up,
        early=early,
        full=full,
        context=context,
        reset=Spread(resets),
    )
    return generator, speed


def _steps(plan: Plan, stream: Ours, place: int, codes: Codes, count: int) -> Spread:
    return Spread(time_steps_from(stream, place, codes, count, limit_s=plan.limit_s))


def _weigh(plan: Plan, generator: Generator, peak_warm_up: int, peak_making: int) -> Memory:
    needed = need(plan.config, plan.bits)
    unit = 1 if sys.platform == "darwin" else 1024
    return Memory(
        active=device.active_memory(),
        cache=device.cache_memory(),
        peak_steps=device.peak_memory(),
        peak_warm_up=peak_warm_up,
        peak_making=peak_making,
        host=generator.host_bytes,
        rss=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        weights=needed.weights,
        ring=needed.context,
    )


def _time_codec(plan: Plan) -> tuple[Codecs, CodecSpeed]:
    codecs = open_codecs(plan.shape, plan.config)
    frames = _frames(plan)
    # Both have had their first frame before one is timed.
    said = [_as_spoken(codecs.encoder.encode(next(frames)), plan)]
    codecs.decoder.decode(said[0])
    encoded = time_calls(
        lambda: said.append(_as_spoken(codecs.encoder.encode(next(frames)), plan)),
        plan.frames,
        limit_s=plan.limit_s,
    )
    spoken = cycle(said)
    decoded = time_calls(
        lambda: codecs.decoder.decode(next(spoken)), plan.frames, limit_s=plan.limit_s
    )
    return codecs, CodecSpeed(codecs.encoder.name, Spread(encoded), Spread(decoded))


def _as_spoken(codes: FrameCodes, plan: Plan) -> FrameCodes:
    """As many codebooks as the model speaks, of those that it hears."""
    return np.resize(codes, (plan.config.dep_q, 1))


def _frames(plan: Plan) -> Iterator[Pcm]:
    sound = speechlike(plan.frames + 1, plan.seed).reshape(-1, FRAME_SAMPLES)
    while True:
        yield from sound


def _time_pipeline(plan: Plan, generator: Generator, codecs: Codecs) -> Spread:
    frames = _frames(plan)

    def frame() -> None:
        codes = codecs.encoder.encode(next(frames))
        said = generator.step(codes[:, 0])
        if said.audio_codes is not None:
            codecs.decoder.decode(said.audio_codes[:, None])

    generator.reset()
    for _ in range(plan.config.max_delay + 1):  # until there is something to decode
        frame()
    generator.runner.pretend(plan.config.context)
    return Spread(time_calls(frame, plan.frames, limit_s=plan.limit_s))


def _compare(plan: Plan, model: Lm, generator: Generator, say: Say) -> Versus:
    from moshi_tui.model.reference import Reference, no_cache_limit

    say("moshi_mlx: warm-up")
    ours, theirs = Ours(generator), Reference(model, plan.seed)
    codes = user_codes(model, ROUND, plan.seed)
    pairs = []
    with no_cache_limit():
        for at, place, most in (
            (EARLY, EARLY - BLOCK // 2, AGAINST_STEPS),
            (plan.config.context, plan.config.context, AGAINST_STEPS * 3 // 5),
        ):
            count = min(most, plan.steps)
            say(f"ours and moshi_mlx in turns, {count} steps each at {at:,}")
            times = interleave(ours, theirs, place, codes, count, limit_s=plan.limit_s)
            pairs.append((Spread(times[0]), Spread(times[1])))
    return Versus("moshi_mlx", theirs.version, theirs.warm_up_s, pairs[0], pairs[1])
