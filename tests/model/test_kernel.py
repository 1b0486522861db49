"""step.cu, run by the emulator; on an NVIDIA GPU test_golden.py runs it as it is."""

import gc
import json
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model import Generator, choose, load
from moshi_tui.model.kernel import pack, source
from moshi_tui.model.kernel import runner as runner_module
from moshi_tui.model.kernel.runner import KernelRunner, StuckError, layout_of, problem
from moshi_tui.model.kernel.source import Tuning
from moshi_tui.model.layers import named_parameters
from moshi_tui.model.runner import Plan
from moshi_tui.model.sampling import Sampler
from tests.bench.kernel import phases, ticks
from tests.model import emulated
from tests.model.small import write_checkpoint
from tests.model.test_golden import GOLDEN

LUT = {"n_bins": 5, "dim": 16, "tokenizer": "noop", "possible_values": ["bad", "very_good"]}


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    return tmp_path_factory.mktemp("builds")


@pytest.fixture
def kernel(monkeypatch, builds):
    """Makes `runner="kernel"` the emulated one."""
    monkeypatch.setitem(choose.RUNNERS, "kernel", lambda plan: emulated.runner(plan, builds))


def plan_of(model, temperature=0.0):
    c = model.config
    samplers = Sampler(temperature, 12, c.text_card), Sampler(temperature, 20, c.card)
    return Plan(model, *samplers, None)


def talk(generator, n):
    config = generator.config
    frames = np.random.default_rng(0).integers(0, config.card, (n, config.n_user))
    steps = [generator.reset()] + [generator.step(frame) for frame in frames]
    return [
        (s.text_token, None if s.audio_codes is None else s.audio_codes.tolist()) for s in steps
    ]


@emulated.needs_compiler
@pytest.mark.parametrize(
    ("case", "many"), [("moshi_q4", 16), ("moshi_q8", 16), ("moshi2b_cond", 8)]
)
def test_equals_moshi_mlx(case, many, kernel):
    trace = json.loads((GOLDEN / case / "trace.json").read_text())
    generator = Generator(
        load(GOLDEN / case), text_temperature=0, audio_temperature=0, runner="kernel"
    )
    users = np.array(trace["user_codes"])
    steps = [generator.reset()] + [generator.step(frame) for frame in users[: many - 1]]
    assert [s.text_token for s in steps] == trace["text_tokens"][:many]
    said = [None if s.audio_codes is None else s.audio_codes.tolist() for s in steps]
    assert said == trace["audio_codes"][:many]


@emulated.needs_compiler
def test_equals_pytorch_moshi_past_the_end_of_its_window(kernel):
    trace = json.loads((GOLDEN / "torch_ctx20" / "trace.json").read_text())
    generator = Generator(
        load(GOLDEN / "torch_ctx20"), text_temperature=0, audio_temperature=0, runner="kernel"
    )
    users = np.array(trace["user_codes"])
    steps = [generator.reset()] + [generator.step(frame) for frame in users[1:45]]
    assert [s.text_token for s in steps] == trace["text_tokens"][:45]


@emulated.needs_compiler
def test_draws_the_tokens_that_mlx_draws(tmp_path, kernel):
    model = load(
        write_checkpoint(tmp_path, {"conditioners": {"description": {"type": "lut", "lut": LUT}}})
    )
    ours, theirs = (
        Generator(model, text_top_k=12, audio_top_k=20, seed=7, runner=name)
        for name in ("kernel", "mlx")
    )
    said = talk(ours, 30)
    assert said == talk(theirs, 30)
    assert said == talk(ours, 30)  # after a reset
    everything = [
        Generator(model, text_top_k=0, audio_top_k=0, seed=7, runner=name)
        for name in ("kernel", "mlx")
    ]
    assert talk(everything[0], 10) == talk(everything[1], 10)


@emulated.needs_compiler
@pytest.mark.parametrize(("dtype", "heads"), [(mx.bfloat16, 1), (mx.float16, 2), (mx.bfloat16, 8)])
def test_half_precision_says_what_the_same_weights_say_in_float32(tmp_path, kernel, dtype, heads):
    shape = {"dim": 128, "num_heads": heads, "num_layers": 1, "depformer_num_layers": 1}
    folder = write_checkpoint(tmp_path, shape, dtype)
    ours = Generator(
        load(folder, dtype=dtype), text_temperature=0, audio_temperature=0, runner="kernel"
    )
    theirs = Generator(load(folder), text_temperature=0, audio_temperature=0, runner="mlx")
    pairs = list(zip(talk(ours, 12), talk(theirs, 12), strict=True))
    assert sum(a[0] == b[0] for a, b in pairs) >= 10


@emulated.needs_compiler
@pytest.mark.parametrize(
    ("shape", "text_temperature"),
    [
        # One codebook, and more parts of the context than the context has steps.
        ({"n_q": 5, "dep_q": 1, "delays": [0] * 6, "context": 2, "num_heads": 1}, 0.8),
        # More heads than blocks, of four elements; of the noise only the audio tokens' part.
        ({"num_heads": 16, "depformer_num_heads": 32, "card": 33}, 0.0),
    ],
)
def test_odd_shapes_are_no_other(tmp_path, kernel, shape, text_temperature):
    layers = {"num_layers": 1, "depformer_num_layers": 1}
    model = load(write_checkpoint(tmp_path, shape | layers))
    said = [
        talk(
            Generator(
                model, text_temperature=text_temperature, audio_top_k=20, seed=7, runner=name
            ),
            10,
        )
        for name in ("kernel", "mlx")
    ]
    assert said[0] == said[1]


@emulated.needs_compiler
def test_how_the_work_is_parted_does_not_matter(tmp_path, builds):
    model = load(write_checkpoint(tmp_path))
    said = []
    for tuning in (emulated.TUNING, Tuning(2, 96, 4)):
        runner = emulated.runner(plan_of(model), builds, tuning)
        tokens = [np.arange(9, dtype=np.int32) + step for step in range(5)]
        said.append([runner.step(each, 1, step).tolist() for step, each in enumerate(tokens)])
    assert said[0] == said[1]


@emulated.needs_compiler
def test_the_times_of_all_barriers_are_told_if_asked(tmp_path, builds):
    model = load(write_checkpoint(tmp_path))
    runner = emulated.runner(plan_of(model), builds, timed=True)
    for step in range(2):
        runner.step(np.zeros(9, np.int32), 1, step)
    names = phases(model.config)
    times = ticks(runner, len(names) + 1)
    assert (np.diff(times[:-1].reshape(-1)) % 2**32 < 2**31).all()  # 32 bits of the clock
    assert times[0, 0] > 0
    assert times[-1].tolist() == [0, 0]


@emulated.needs_compiler
def test_blocks_that_never_meet_are_an_error(tmp_path, builds):
    runner = emulated.runner(plan_of(load(write_checkpoint(tmp_path))), builds)
    tokens = np.zeros(9, np.int32)
    runner.step(tokens, 1, 0)
    at = source.ARGUMENTS.index("sync")
    runner._inputs[at] = runner._inputs[at] + mx.array([0, 1] + [0] * 4094, mx.uint32)
    with pytest.raises(StuckError) as error:
        runner.step(tokens, 1, 1)
    assert "--runner mlx" in error.value.hint
    assert runner.steps == 1


@emulated.needs_compiler
def test_it_is_tried_against_mlx_where_there_is_cuda(tmp_path, builds, monkeypatch):
    monkeypatch.setattr(choose, "is_cuda", lambda: True)
    monkeypatch.setattr(choose, "problem", lambda plan: None)
    monkeypatch.setattr(choose, "KernelRunner", lambda plan: emulated.runner(plan, builds))
    model = load(write_checkpoint(tmp_path))
    held = held_by(model)
    runner = choose.make_runner(plan_of(model, 0.8))
    (verdict,) = choose.verdicts(model)
    assert verdict.agreement == 1
    # An emulated kernel is slow: it is not used, and nothing is left of it.
    assert runner.name == "mlx"
    assert "ms a step" in verdict.rejected
    assert runner_module._stacks.get(model) is None
    del runner
    assert held_by(model) < held + A_TABLE


A_TABLE = 33 * 64 * 4
"""Bytes of the smallest embedding."""


def held_by(model):
    mx.eval(model.parameters())
    gc.collect()
    mx.clear_cache()
    return mx.get_active_memory()


def test_what_mlx_had_stacked_is_let_go_by_the_kernels_stacks(tmp_path):
    model = load(write_checkpoint(tmp_path))
    held = held_by(model)
    model.stack()
    stacks = pack.stacked(model)
    model.unstack()
    norms = sum(stacks[name].nbytes for name in source.NORMS)
    assert held_by(model) < held + norms + A_TABLE


def test_weights_are_stacked_in_place(tmp_path):
    model = load(write_checkpoint(tmp_path), 4)
    before = {name: np.array(value) for name, value in named_parameters(model).items()}
    stacks = pack.stacked(model)
    after = named_parameters(model)
    assert all((np.array(after[name]) == value).all() for name, value in before.items())
    layers = model.transformer.layers
    assert (
        np.array(stacks["in_proj"])
        == np.concatenate([np.array(layer.self_attn.in_proj.weight) for layer in layers])
    ).all()
    first = np.array(layers[0].self_attn.in_proj.weight, copy=False)
    assert np.shares_memory(first, np.array(stacks["in_proj"], copy=False))


def test_what_it_cannot_run_is_said(tmp_path):
    model = load(write_checkpoint(tmp_path))
    assert problem(plan_of(model)) == "it is for NVIDIA GPUs"
    with pytest.raises(MoshiTuiError, match="NVIDIA"):
        Generator(model, runner="kernel")
    (tmp_path / "rank").mkdir()
    low = load(write_checkpoint(tmp_path / "rank", {"depformer_low_rank_embeddings": 16}))
    with pytest.raises(ValueError, match="low rank"):
        KernelRunner(plan_of(low), emulated.TUNING)
    layout = layout_of(model, emulated.TUNING)
    assert layout.problem is None
    assert "text tokens" in replace(layout, config=replace(model.config, text_card=49)).problem
    assert "elements" in replace(layout, config=replace(model.config, num_heads=32)).problem
    wide = {"gate_out": pack.Format(14_336, 0, 0, mx.float32)}
    assert "shared memory" in replace(layout, formats=layout.formats | wide).problem


def test_another_kernel_has_another_name(tmp_path):
    """MLX would take what it has built under the same one."""
    model = load(write_checkpoint(tmp_path))

    def name(tuning, *, timed=False):
        return source.kernel_name(source.header(layout_of(model, tuning), timed=timed))

    tunings = Tuning(2), Tuning(2, loads_ahead=2), Tuning(2, threads=96)
    names = [*map(name, tunings), name(Tuning(2), timed=True)]
    assert len(set(names)) == 4
    assert name(Tuning(2)) == names[0]
