import mlx.core as mx
import numpy as np
import pytest

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model import Generator, load
from moshi_tui.model.sampling import Noise, Sampler, gumbel
from tests.model.small import write_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(write_checkpoint(tmp_path_factory.mktemp("model")))


def frames(n, seed=0):
    return np.random.default_rng(seed).integers(0, 32, (n, 4))


def talk(generator, n=30):
    return [generator.step(frame) for frame in frames(n)]


def tokens(steps):
    return [
        (s.text_token, None if s.audio_codes is None else s.audio_codes.tolist()) for s in steps
    ]


def test_the_first_step_uses_its_frame(model):
    answers = set()
    for code in range(8):
        generator = Generator(model, text_temperature=0, audio_temperature=0)
        answers.add(str(tokens([generator.step(np.full(4, code))])))
    assert len(answers) > 1


def test_audio_comes_with_the_first_frame_at_delay_one(model):
    generator = Generator(model, seed=1)
    assert generator.reset().audio_codes is None
    step = generator.step(frames(1)[0])
    assert step.audio_codes.shape == (4,)
    assert step.audio_codes.dtype == np.uint32
    assert generator.n_user == generator.n_generated == 4


def test_a_seed_gives_the_same_talk_again_also_after_reset(model):
    a, b = Generator(model, seed=7), Generator(model, seed=7)
    first = tokens(talk(a))
    assert first == tokens(talk(b))
    a.reset()
    assert first == tokens(talk(a))
    assert first != tokens(talk(Generator(model, seed=8)))


def test_without_a_seed_every_talk_is_another(model):
    generator = Generator(model)
    seeds = {generator.seed}
    first = tokens(talk(generator))
    generator.reset()
    assert generator.seed not in seeds
    assert first != tokens(talk(generator))


def test_the_seed_of_a_fresh_session_reproduces_it(model):
    generator = Generator(model)
    first = tokens(talk(generator))
    assert first == tokens(talk(Generator(model, seed=generator.seed)))


def test_context_fills_and_stays(model):
    generator = Generator(model, seed=1)
    assert generator.context_used == 1
    talk(generator, 40)
    assert generator.context_used == model.config.context == 8


def test_memory_does_not_grow(model):
    generator = Generator(model, seed=1)
    talk(generator, 20)
    mx.clear_cache()
    before = mx.get_active_memory()
    talk(generator, 60)
    mx.clear_cache()
    assert mx.get_active_memory() <= before + 4096


@pytest.mark.parametrize(
    "codes",
    [
        np.zeros(3, dtype=int),
        np.zeros((1, 4), dtype=int),
        np.zeros(4),
        np.array([0, 0, 0, 32]),
        np.array([0, -1, 0, 0]),
    ],
)
def test_bad_codes_are_refused_and_change_nothing(model, codes):
    a, b = Generator(model, seed=1), Generator(model, seed=1)
    talk(a, 5), talk(b, 5)
    with pytest.raises(ValueError, match="user_codes"):
        a.step(codes)
    assert tokens(talk(a, 5)) == tokens(talk(b, 5))


def test_conditions(tmp_path):
    lut = {"n_bins": 5, "dim": 16, "tokenizer": "noop", "possible_values": ["bad", "very_good"]}
    conditioners = {"description": {"type": "lut", "lut": lut}}
    model = load(write_checkpoint(tmp_path, {"conditioners": conditioners}))

    def greedy(**conditions):
        generator = Generator(
            model, text_temperature=0, audio_temperature=0, conditions=conditions or None
        )
        return tokens(talk(generator))

    assert greedy() == greedy(description="very_good")
    assert greedy() != greedy(description="bad")
    with pytest.raises(MoshiTuiError, match="very_good"):
        greedy(description="excellent")
    with pytest.raises(MoshiTuiError, match="description"):
        greedy(mood="bad")


@pytest.mark.parametrize(("top_k", "allowed"), [(3, 3), (0, 8), (100, 8)])
def test_draws_follow_the_softmax_of_the_top_k(top_k, allowed):
    logits = mx.array([2.0, 1.0, 0.0, 3.0, -1.0, 0.5, 1.5, -2.0])
    sampler = Sampler(0.8, top_k, 8)
    draws = 4000
    noise = mx.stack(Noise([sampler] * draws)(1, 2))
    counts = np.bincount(np.array([sampler(logits, n).item() for n in noise]), minlength=8)
    kept = np.argsort(-np.array(logits))[:allowed]
    expected = np.zeros(8)
    weights = np.exp(np.array(logits)[kept] / 0.8)
    expected[kept] = weights / weights.sum()
    assert counts[expected == 0].sum() == 0
    assert np.abs(counts / draws - expected).max() < 0.03


def test_temperature_zero_is_argmax_and_below_is_refused():
    sampler = Sampler(0, 25, 4)
    assert sampler.noise_size == 0
    assert sampler(mx.array([0.0, 3.0, 1.0, 2.0]), mx.zeros((0,))).item() == 1
    for temperature in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="temperature"):
            Sampler(temperature, 25, 4)


def test_a_tiny_temperature_is_as_good_as_greedy():
    sampler = Sampler(1e-38, 3, 6)
    logits = mx.array([0.0, 3.0, 1.0, 2.0, 2.5, -1.0])
    draws = [sampler(logits, Noise([sampler])(1, i)[0]).item() for i in range(20)]
    assert set(draws) == {1}


@pytest.mark.parametrize(("vocabulary", "top_k"), [(32_000, 25), (2048, 250), (4099, 3)])
def test_what_is_not_among_the_largest_is_not_drawn(vocabulary, top_k):
    sampler = Sampler(100.0, top_k, vocabulary)
    order = np.random.default_rng(1).permutation(vocabulary)
    logits = mx.array(order.astype(np.float32) / vocabulary)
    drawn = [int(sampler(logits, Noise([sampler])(1, step)[0])) for step in range(60)]
    assert len(set(drawn)) > 2
    assert order[drawn].min() >= vocabulary - top_k


def test_equals_of_the_last_among_the_largest_may_be_drawn():
    sampler = Sampler(1.0, 2, 6)
    logits = mx.array([0.0, 3.0, 1.0, 1.0, 0.5, 1.0])
    drawn = {int(sampler(logits, Noise([sampler])(1, step)[0])) for step in range(100)}
    assert drawn == {1, 2, 3, 5}


def test_noise_is_at_the_temperature_of_its_sampler():
    samplers = [Sampler(0.5, 0, 4), Sampler(0, 0, 4), Sampler(2.0, 0, 3)]
    half, none, twice = map(np.array, Noise(samplers)(1, 2))
    once = np.array(gumbel(1, 2, 7))
    assert half == pytest.approx(once[:4] / 2)
    assert none.size == 0
    assert twice == pytest.approx(once[4:] * 2)


def test_noise_depends_on_seed_and_step_only():
    first = np.array(gumbel(1, 2, 7))
    assert (first == np.array(gumbel(1, 2, 7))).all()
    assert (first != np.array(gumbel(1, 3, 7))).all()
    assert (first != np.array(gumbel(2, 2, 7))).all()
