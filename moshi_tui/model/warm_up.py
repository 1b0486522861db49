"""Making a model ready, so that its first real step is no slower than those after it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from moshi_tui.model.choose import verdicts
from moshi_tui.model.device import active_memory, device_name, is_cpu, kernels_built, wire
from moshi_tui.model.generate import Generator

log = logging.getLogger(__name__)

TICK_S = 0.5
SLOW_S = 3.0
"""A warm-up that has built nothing new after so long is building its first."""

Tell = Callable[[str, float | None], None]
"""What is going on, and how much of it is done, from 0 to 1 where that is known."""
Tick = Callable[[str], None]
"""What is going on; called on a thread of its own."""

Clock = Callable[[], float]


def warm_up(
    make: Callable[[], Generator],
    tell: Tell,
    tick: Tick = lambda _: None,
    clock: Clock = time.perf_counter,
) -> tuple[Generator, dict[str, float]]:
    """A generator of which all kernels are built and all memory is allocated, reset; and what each
    part of that took, in ms. To be called on the thread that loaded the model.

    Args:
        make: the generator. The fastest runner is chosen in it.
        tell: what it raises ends the warm-up.
        tick: while MLX builds kernels, which it does in one call: must not raise.
    """
    marks: dict[str, float] = {}

    def mark(name: str, since: float) -> float:
        now = clock()
        marks[name] = (now - since) * 1000
        return now

    start = clock()
    with telling_of_kernels(tick):
        cpu = is_cpu()
        why = "a large model takes seconds on a CPU" if cpu else "choosing the fastest way"
        tell(f"start-up step: {why}", 0.0)
        generator = make()
        for verdict in verdicts(generator.model):
            tell(str(verdict), None)
        start = mark("generator and start-up step", start)
        lengths = seen(generator.config.context, cpu)
        codes = np.zeros(generator.n_user, dtype=np.int64)
        for done, steps in enumerate(lengths):
            tell(f"step {done + 1} of {len(lengths)}", (done + 1) / (len(lengths) + 1))
            if steps is not None:
                generator.runner.pretend(steps)
            generator.step(codes)
        start = mark(f"{len(lengths)} step{'s' if len(lengths) > 1 else ''}", start)
        generator.reset()
        mark("reset", start)
    wire(active_memory())  # weights and rings are all there now
    log.info(
        "warm-up with runner %s: %s",
        generator.runner.name,
        ", ".join(f"{name} {ms:.0f} ms" for name, ms in marks.items()),
    )
    return generator, marks


def seen(context: int, cpu: bool) -> list[int | None]:
    """For each step of the warm-up, how many steps it is to take for seen; None: as many as there
    were.

    A CPU builds no kernels, and a step of a large model takes seconds there. A GPU attends with
    other kernels to a long context than to a short one, and to a full one without slicing it.
    """
    if cpu:
        return [None]
    return [None, None, context // 2, context - 1, context, context + 1]


@contextmanager
def telling_of_kernels(tick: Tick, tick_s: float = TICK_S) -> Iterator[None]:
    """While the block runs, tell how many kernels MLX has built, if it builds any: in one call that
    may take half a minute, but lets other threads run. Nothing is told twice in a row."""
    before = kernels_built()
    if before is None:
        yield
        return
    done = threading.Event()

    def watch() -> None:
        told = before or -1  # at a first start it is told before there is one
        waited = 0.0
        while not done.wait(tick_s):
            now, waited = kernels_built() or 0, waited + tick_s
            if now > told:
                told = now
                tick(building(now - before, first=not before))
            elif now == before and SLOW_S <= waited < SLOW_S + tick_s:
                tick(building(0, first=False))

    thread = threading.Thread(target=watch, name="kernels", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def building(kernels: int, *, first: bool) -> str:
    """In some 60 characters, as the screen shows them."""
    if first:
        so_far = f" ({kernels} so far)" if kernels else ""
        return f"first start, up to 30 s: building kernels for {device_name()}{so_far}"
    if not kernels:
        return f"after an update, up to 15 s: building for {device_name()}"
    plural = "" if kernels == 1 else "s"
    return f"new: {kernels} kernel{plural} built for {device_name()}"
