"""Token for token what the two public implementations say (tests/data/golden/README.md)."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from moshi_tui.model import Generator, load

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
MLX_CASES = ["moshi_f32", "moshi_q4", "moshi_q8", "moshi2b_cond"]
TORCH_CASES = ["torch_ctx3000", "torch_ctx20", "torch_lowrank"]


def run(case):
    trace = json.loads((GOLDEN / case / "trace.json").read_text())
    model = load(GOLDEN / case)
    generator = Generator(model, text_temperature=0, audio_temperature=0)
    return trace, model, generator


@pytest.mark.parametrize("case", MLX_CASES)
def test_equals_moshi_mlx(case):
    trace, _, generator = run(case)
    users = np.array(trace["user_codes"])
    # moshi_mlx reads the frame of call k in call k + 1: its call 0 is our start-up step.
    steps = [generator.reset()] + [generator.step(frame) for frame in users[:-1]]
    assert len(steps) == trace["steps"] == 100
    assert [s.text_token for s in steps] == trace["text_tokens"]
    said = [None if s.audio_codes is None else s.audio_codes.tolist() for s in steps]
    assert said == trace["audio_codes"]


@pytest.mark.parametrize("case", TORCH_CASES)
def test_equals_pytorch_moshi(case):
    trace, model, generator = run(case)
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
    trace, _, _ = run("torch_ctx20")
    generator = Generator(load(tmp_path), text_temperature=0, audio_temperature=0)
    steps = [generator.reset()] + [generator.step(np.array(f)) for f in trace["user_codes"][1:]]
    texts = [s.text_token for s in steps]
    assert texts[:20] == trace["text_tokens"][:20]
    assert texts != trace["text_tokens"]


def test_quantisation_is_read_off_the_file():
    assert load(GOLDEN / "moshi_q4").quantisation == "q4"
    assert load(GOLDEN / "moshi_q8").quantisation == "q8"
    assert load(GOLDEN / "moshi_f32").quantisation == "f32"
