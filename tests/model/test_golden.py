"""Token for token what the two public implementations say (tests/data/golden/README.md)."""

import json
import shutil
from itertools import product
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from moshi_tui.model import Generator, load
from moshi_tui.model.device import is_cuda

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
MLX_CASES = ["moshi_f32", "moshi_q4", "moshi_q8", "moshi2b_cond"]
TORCH_CASES = ["torch_ctx3000", "torch_ctx20", "torch_lowrank"]
CUDA = pytest.mark.skipif(not is_cuda(), reason="no NVIDIA GPU (test_kernel.py emulates one)")
RUNNERS = {"mlx": (), "numpy": (), "kernel": CUDA}


def each_runner(cases):
    return [
        pytest.param(case, name, marks=marks)
        for case, (name, marks) in product(cases, RUNNERS.items())
        if (case, name) != ("torch_lowrank", "kernel")  # which it says it can't run
    ]


def run(case, runner):
    trace = json.loads((GOLDEN / case / "trace.json").read_text())
    model = load(GOLDEN / case, dtype=mx.float32)
    generator = Generator(model, text_temperature=0, audio_temperature=0, runner=runner)
    return trace, model, generator


@pytest.mark.parametrize(
    ("case", "runner"),
    # Compiling starts a C++ compiler on the CPU: 10 s, so once.
    [*each_runner(MLX_CASES), ("moshi_f32", "compiled")],
)
def test_equals_moshi_mlx(case, runner):
    trace, _, generator = run(case, runner)
    users = np.array(trace["user_codes"])
    # moshi_mlx reads the frame of call k in call k + 1: its call 0 is our start-up step.
    steps = [generator.reset()] + [generator.step(frame) for frame in users[:-1]]
    assert len(steps) == trace["steps"] == 100
    assert [s.text_token for s in steps] == trace["text_tokens"]
    said = [None if s.audio_codes is None else s.audio_codes.tolist() for s in steps]
    assert said == trace["audio_codes"]


@pytest.mark.parametrize(("case", "runner"), each_runner(TORCH_CASES))
def test_equals_pytorch_moshi(case, runner):
    trace, model, generator = run(case, runner)
    users = np.array(trace["user_codes"])
    # PyTorch's call 0 loses its user frame to the initial tokens: our start-up step.
    steps = [generator.reset()] + [generator.step(frame) for frame in users[1:]]
    assert len(steps) == trace["steps"]
    assert [s.text_token for s in steps] == trace["text_tokens"]
    delay = model.config.max_delay
    for k, (step, output) in enumerate(zip(steps, trace["outputs"], strict=True)):
        if output is None:
            assert step.audio_codes is None
            continue
        # LMGen.step undelays the text too.
        assert steps[k - delay].text_token == output[0]
        assert step.audio_codes.tolist() == output[1:]


def test_the_window_slides(tmp_path):
    """The 20-step case really needs its window: a longer one agrees until it is full, then not."""
    source = GOLDEN / "torch_ctx20"
    config = json.loads((source / "config.json").read_text()) | {"context": 3000}
    (tmp_path / "config.json").write_text(json.dumps(config))
    shutil.copy(source / "model.safetensors", tmp_path)
    trace, _, _ = run("torch_ctx20", "numpy")
    generator = Generator(load(tmp_path), text_temperature=0, audio_temperature=0, runner="numpy")
    steps = [generator.reset()] + [generator.step(np.array(f)) for f in trace["user_codes"][1:]]
    texts = [s.text_token for s in steps]
    assert texts[:20] == trace["text_tokens"][:20]
    assert texts != trace["text_tokens"]


def test_quantisation_is_read_off_the_file():
    assert load(GOLDEN / "moshi_q4").quantisation == "q4"
    assert load(GOLDEN / "moshi_q8").quantisation == "q8"
    assert load(GOLDEN / "moshi_f32").quantisation == "f32"
