import gc
import weakref

import mlx.core as mx
import numpy as np
import pytest

from moshi_tui.model import Generator, load
from moshi_tui.model.choose import SPARE, fastest
from moshi_tui.model.host import attend, draw, ring_bytes, turn_at
from moshi_tui.model.host_weights import bytes_to_write, host_weights, matrix
from moshi_tui.model.layers import Linear
from moshi_tui.model.sampling import Noise, Sampler
from tests.model.small import write_checkpoint

LUT = {"n_bins": 5, "dim": 16, "tokenizer": "noop", "possible_values": ["bad", "very_good"]}
SHAPES = {
    "plain": {},
    "low rank": {"depformer_low_rank_embeddings": 16},
    "conditioned": {"conditioners": {"description": {"type": "lut", "lut": LUT}}},
    "long context, other norm": {"context": 300, "norm": "rms_norm"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(folder):
    return load(folder)


def talk(generator, n=60):
    frames = np.random.default_rng(0).integers(0, 32, (n, 4))
    steps = [generator.reset()] + [generator.step(frame) for frame in frames]
    return [
        (s.text_token, None if s.audio_codes is None else s.audio_codes.tolist()) for s in steps
    ]


def both(model, **more):
    return [Generator(model, runner=name, **({"seed": 7} | more)) for name in ("mlx", "numpy")]


@pytest.mark.parametrize("shape", SHAPES)
def test_draws_the_tokens_that_mlx_draws(tmp_path, shape):
    mlx, numpy = both(load(write_checkpoint(tmp_path, SHAPES[shape])), audio_top_k=20)
    said = talk(numpy)
    assert said == talk(mlx)
    assert said != talk(both(mlx.model, seed=8)[1])


@pytest.mark.parametrize("bits", [4, 8])
def test_quantised_weights_are_written_out(folder, bits):
    model = load(folder, bits)
    needed = bytes_to_write(model)
    assert needed > 0
    mlx, numpy = both(model)
    assert talk(numpy) == talk(mlx)
    assert model.quantisation == f"q{bits}"
    assert numpy.host_bytes == numpy.runner.host_bytes > needed + ring_bytes(model.config)
    assert mlx.host_bytes == 0
    assert bytes_to_write(model) == 0


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_any_number_of_bits_is_written_out_as_mlx_does(bits):
    linear = Linear(128, 6)
    packed = mx.quantize(mx.random.normal((6, 128)), group_size=32, bits=bits)
    linear.set_quantised(*packed)
    expected = np.array(mx.dequantize(*packed, group_size=32, bits=bits))
    assert (matrix(linear) == expected).all()


def test_half_precision_is_written_out(folder):
    exact = load(folder)
    half = load(folder, dtype=mx.bfloat16)
    assert bytes_to_write(half) > 0
    ours, theirs = (host_weights(m).layers[0].in_proj for m in (half, exact))
    assert ours.dtype == np.float32
    assert 0 < np.abs(ours - theirs).max() < 0.01


def test_weights_are_not_copied_and_outlive_what_they_were_taken_from(folder):
    model = load(folder)
    before = mx.get_active_memory()
    first = Generator(model, seed=1, runner="numpy")
    assert mx.get_active_memory() <= before + 4096
    second = Generator(model, seed=1, runner="numpy")
    assert host_weights(model) is host_weights(first.model) is host_weights(second.model)
    matrix = host_weights(model).layers[0].in_proj
    expected = matrix.copy()
    model.transformer.layers[0].self_attn.in_proj.weight = mx.zeros(expected.shape)
    del first, second
    mx.clear_cache()
    assert (matrix == expected).all()


def test_written_weights_go_with_their_model(folder):
    model = load(folder, 8)
    written = weakref.ref(host_weights(model))
    gc.collect()
    assert written() is host_weights(model)
    del model
    gc.collect()
    assert written() is None


def test_reset_forgets_the_talk(model):
    generator = both(model)[1]
    first = talk(generator)
    assert talk(generator) == first
    assert generator.runner.name == "numpy"
    generator.reset()
    assert generator.context_used == 1


def test_a_stream_of_many_hours_is_as_exact_as_a_young_one(model):
    """Attention sees distances only: the same talk, begun late, must sound the same."""

    def say(generator, start):
        generator.runner.reset()
        generator.runner.pretend(start)
        tokens = np.arange(9, dtype=np.int32)
        return [generator.runner.step((tokens + i) % 32, 0, i).tolist() for i in range(30)]

    # Both starts are multiples of the context, and both rings are full of the same steps.
    generator = Generator(model, text_temperature=0, audio_temperature=0, runner="numpy")
    day = 24 * 3600 * 25 // 2 // 8 * 8
    young = say(generator, 8)[8:]
    assert generator.context_used == model.config.context
    assert say(generator, day)[8:] == young


def test_positions_of_many_hours_are_exact():
    day = 24 * 3600 * 25 // 2
    late, young = (turn_at(n + 700, 64, 10_000) / turn_at(n, 64, 10_000) for n in (day, 0))
    assert np.abs(late - young).max() < 1e-6


def test_attention_is_the_softmax_also_of_large_scores():
    rng = np.random.default_rng(2)
    query, keys, values = (
        rng.standard_normal(shape).astype(np.float32) * 20
        for shape in ((2, 8), (2, 5, 8), (2, 5, 8))
    )
    scores = np.einsum("hd,htd->ht", query, keys, dtype=np.float64)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    expected = np.einsum("ht,htd->hd", weights, values)
    assert np.allclose(attend(query, keys, values)[:, 0], expected, atol=1e-3)


def test_pretended_steps_count(model):
    generator = both(model)[1]
    generator.runner.pretend(5)
    assert generator.context_used == 5
    generator.runner.pretend(10**6)
    assert generator.context_used == 8


@pytest.mark.parametrize(("temperature", "top_k"), [(0, 5), (0.8, 5), (1.3, 0), (1e-38, 3)])
def test_draws_as_the_sampler_does(temperature, top_k):
    sampler = Sampler(temperature, top_k, 40)
    rng = np.random.default_rng(1)
    for step in range(50):
        logits = rng.standard_normal(40).astype(np.float32) * 3
        noise = Noise([sampler])(1, step)[0]
        with np.errstate(over="ignore"):
            ours = draw(logits, sampler, np.array(noise))
        assert ours == sampler(mx.array(logits), noise).item()


def test_the_first_of_equal_logits_is_the_greedy_choice():
    logits = np.array([0, 2, 1, 2], np.float32)
    assert draw(logits, Sampler(0, 5, 4), np.zeros(0, np.float32)) == 1


def test_extreme_numbers_raise_no_warning(tmp_path):
    model = load(write_checkpoint(tmp_path))
    for layer in model.transformer.layers:
        layer.gating.linear_in.weight = layer.gating.linear_in.weight * 1000
    talk(Generator(model, text_temperature=1e-38, seed=1, runner="numpy"), 3)


def test_the_rule(folder, model, monkeypatch, caplog):
    caplog.set_level("INFO")
    quantised = load(folder, 8)
    needed = bytes_to_write(quantised) + ring_bytes(quantised.config) + SPARE
    assert fastest(model, available=0) == "numpy"  # nothing to write
    assert not caplog.messages
    assert fastest(quantised, available=needed) == "numpy"
    assert fastest(quantised, available=needed - 1) == "mlx"
    written, left = caplog.messages
    words = "q8 weights as float32 and a full context need 2.0 GB, 2.0 GB are free: they "
    assert written == f"{words}are written out"
    assert left == f"{words}stay as they are, and steps are slow"
    assert Generator(quantised).runner.name == "numpy"
    assert Generator(quantised, runner="mlx").runner.name == "mlx"
    monkeypatch.setattr("moshi_tui.model.choose.is_cpu", lambda: False)
    assert Generator(quantised).runner.name != "numpy"
    assert Generator(quantised, runner="numpy").runner.name == "numpy"
