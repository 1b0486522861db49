from typing import get_args

import mlx.core as mx
import numpy as np
import pytest

from moshi_tui.config import RUNNERS as CHOICES
from moshi_tui.errors import MoshiTuiError
from moshi_tui.model import Generator, choose, load
from moshi_tui.model.compiled import CompiledRunner
from moshi_tui.model.config import LmConfig
from moshi_tui.model.plain import MlxRunner
from moshi_tui.model.runner import Plan, RunnerName
from moshi_tui.model.sampling import Sampler
from moshi_tui.model.trial import (
    TRIAL_STEPS,
    Candidate,
    Rejected,
    agreement,
    try_candidates,
)
from tests.model.small import CONFIG, write_checkpoint

CONFIGURED = LmConfig.from_dict(CONFIG)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Fake:
    """Says 0 to `dep_q`, but `wrong` in its place; takes `ms` a step, `first_ms` at first."""

    def __init__(self, clock, name="kernel", ms=10.0, first_ms=None, wrong=None):
        self.clock, self.name = clock, name
        self._ms, self._first_ms, self._wrong = ms, first_ms, wrong
        self.inputs, self.resets = [], 0

    def step(self, tokens, seed, step):
        self.inputs.append(tokens.tolist())
        assert step == len(self.inputs) - 1
        first = step == 0 and self._first_ms is not None
        self.clock.now += (self._first_ms if first else self._ms) / 1000
        said = np.arange(5, dtype=np.int32)
        if self._wrong is not None:
            said[self._wrong :] = 9
        return said

    def reset(self):
        self.resets += 1


def tried(*made, **options):
    """Of runners, or of what is raised instead."""
    clock = Clock()
    reference = Fake(clock, "mlx", ms=20.0)
    candidates = []
    for each in made:

        def make(each=each):
            if isinstance(each, Exception):
                raise each
            each.clock = clock
            return each

        candidates.append(Candidate(getattr(each, "name", "kernel"), make, **options))
    runner, verdicts = try_candidates(reference, candidates, CONFIGURED, clock)
    assert reference.resets == 1
    for fake in (each for each in made if isinstance(each, Fake)):
        assert fake.inputs == reference.inputs[: len(fake.inputs)]
    return runner, verdicts


def test_what_says_the_same_and_is_faster_gets_the_word():
    fast = Fake(None, ms=5.0, first_ms=900.0)
    runner, (verdict,) = tried(fast, limit_s=2.0)
    assert runner is fast
    assert fast.resets == 1
    assert str(verdict) == "kernel: 5.0 ms a step, mlx 20.0 ms"


def test_what_is_slower_does_not():
    runner, (verdict,) = tried(Fake(None, ms=25.0))
    assert runner is None
    assert verdict.rejected == "25.0 ms a step, mlx takes 20.0 ms"
    assert (verdict.step_ms, verdict.reference_ms) == (pytest.approx(25), pytest.approx(20))


def test_what_says_something_else_does_not_however_fast():
    runner, (verdict,) = tried(Fake(None, ms=1.0, wrong=4))
    assert runner is None
    assert verdict.rejected == "80.0% of its draws are those of mlx, 100.0% must be"
    runner, _ = tried(Fake(None, ms=1.0, wrong=4), agreement=0.75)
    assert runner is not None


def test_what_takes_too_long_is_given_up():
    slow = Fake(None, ms=1.0, first_ms=2100.0)
    runner, (verdict,) = tried(slow, limit_s=2.0)
    assert runner is None
    assert len(slow.inputs) == 1
    assert str(verdict) == "kernel is not used: 1 of 10 steps took too long"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Rejected("it is for NVIDIA GPUs"), "it is for NVIDIA GPUs"),
        (RuntimeError("no such function"), "RuntimeError: no such function"),
        (ValueError("odd heads"), "ValueError: odd heads"),
        (MemoryError("1 GB"), "MemoryError: 1 GB"),
        (MoshiTuiError("No step", "blocks did not meet", "Try mlx."), "blocks did not meet"),
    ],
)
def test_what_fails_is_passed_over_for_the_next(error, why):
    fast = Fake(None, "compiled", ms=5.0)
    runner, verdicts = tried(error, fast, Fake(None, "numpy", ms=1.0))
    assert runner is fast
    assert [(v.name, v.rejected) for v in verdicts] == [("kernel", why), ("compiled", "")]


def test_draws_after_the_first_other_one_of_a_step_do_not_count():
    expected = [np.array([1, 2, 3, 4]), np.array([5, 6, 7, 8])]
    assert agreement(expected, expected) == 1.0
    said = [np.array([1, 9, 9, 9]), np.array([5, 6, 7, 8])]
    assert agreement(said, expected) == 5 / 6
    assert agreement([np.array([9, 2, 3, 4])] * 2, expected) == 0


# ---- which ones are tried, and how `compiled` says the same


@pytest.fixture
def model(tmp_path):
    return load(write_checkpoint(tmp_path))


@pytest.fixture
def mac(monkeypatch):
    """As on a Mac; what it compiles is what would be compiled."""
    traced = []

    def compile(function, **_):
        traced.append(function)
        return function

    monkeypatch.setattr(mx, "compile", compile)
    monkeypatch.setattr(choose, "is_metal", lambda: True)
    monkeypatch.setattr(choose, "is_cpu", lambda: False)
    return traced


def plan(model):
    config = model.config
    return Plan(model, Sampler(0, 0, config.text_card), Sampler(0.8, 5, config.card), None)


def test_all_runners_can_be_chosen():
    assert get_args(RunnerName) == CHOICES


def test_on_a_mac_compiled_is_tried_once_for_a_model(model, mac, monkeypatch):
    asked = []

    def judge(reference, candidates, config):
        asked.append((reference.name, reference.state.caches[0].context))
        runner = candidates[0].make()
        return runner, []

    monkeypatch.setattr(choose, "try_candidates", judge)
    first, second = choose.make_runner(plan(model)), choose.make_runner(plan(model))
    assert (first.name, second.name) == ("compiled", "compiled")
    assert asked == [("mlx", TRIAL_STEPS)]
    assert choose.make_runner(plan(model), "mlx").name == "mlx"


def test_who_has_stacks_of_its_own_does_not_keep_those_of_mlx(model, mac, monkeypatch):
    fake = Fake(Clock())
    monkeypatch.setattr(choose, "_candidates", lambda _: [Candidate("kernel", lambda: fake)])
    monkeypatch.setattr(choose, "try_candidates", lambda *_: (fake, []))
    mx.clear_cache()
    held = mx.get_active_memory()
    assert choose.make_runner(plan(model)) is fake
    for module in (model.text_emb, *model.audio_embs):  # moves them, as the kernel's runner does
        module.weight = module.weight + 0
    mx.eval(model.parameters())
    mx.clear_cache()
    assert mx.get_active_memory() <= held + 4096


def test_what_came_out_can_be_asked_and_the_loser_is_not_used(model, mac, monkeypatch):
    def refuse(*_):
        raise Rejected("compiling 1 of 4 slices took 3.0 s")

    monkeypatch.setattr(CompiledRunner, "prepare", refuse)
    generator = Generator(model, seed=1)
    assert generator.runner.name == "mlx"
    assert generator.runner.state.caches[0].context == model.config.context
    told = ["compiled is not used: compiling 1 of 4 slices took 3.0 s"]
    assert [str(verdict) for verdict in choose.verdicts(model)] == told


def test_on_a_cpu_nothing_is_tried(model):
    Generator(model, seed=1)
    assert choose.verdicts(model) == []


def test_compiled_slices_say_what_plain_ones_do(model, mac):
    codes = np.random.default_rng(1).integers(0, 32, (20, 4))

    def talk(runner):
        generator = Generator(model, seed=1, runner=runner)
        return [(step.text_token, str(step.audio_codes)) for step in map(generator.step, codes)]

    assert talk("compiled") == talk("mlx")
    assert len(mac) == model.config.dep_q


def test_compiling_is_given_up_when_the_first_slice_says_that_it_takes_too_long(model, mac):
    clock = Clock()
    runner = CompiledRunner(plan(model))

    def slow(function):
        def run(*args):
            clock.now += 0.5
            return function(*args)

        return run

    runner._compiled = list(map(slow, runner._compiled))
    with pytest.raises(Rejected, match=r"compiling 1 of 4 slices took 0\.5 s"):
        runner.prepare(1.9, clock)
    clock.now = 0.0
    runner.prepare(2.1, clock)


def test_the_first_step_is_of_the_types_that_were_compiled(model, mac):
    runner = CompiledRunner(plan(model))
    seen = [[] for _ in runner._compiled]

    def noted(function, calls):
        def run(x, token, noise, kvs):
            calls.append([(each.dtype, each.shape) for each in (x, token, noise, *kvs)])
            return function(x, token, noise, kvs)

        return run

    runner._compiled = list(map(noted, runner._compiled, seen))
    runner.prepare(100.0)
    runner.step(np.zeros(9, np.int32), 1, 0)
    assert all(prepared == stepped for prepared, stepped in seen)


def test_a_failing_compiler_leaves_the_rings_alone(model, monkeypatch):
    def compile(function):
        def run(*args):
            function(*args)
            raise RuntimeError("no compiler")

        return run

    monkeypatch.setattr(mx, "compile", compile)
    state = model.make_state()
    rings = [ring.kv for ring in state.frame]
    runner = CompiledRunner(plan(model), state)
    with pytest.raises(RuntimeError, match="no compiler"):
        runner.prepare(1.0)
    assert all(ring.kv is kv for ring, kv in zip(state.frame, rings, strict=True))
    plain = MlxRunner(plan(model), state)
    assert plain.step(np.zeros(9, np.int32), 1, 0).shape == (5,)
