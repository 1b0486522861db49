import mlx.core as mx
import numpy as np
import pytest

from moshi_tui.model import Generator, load
from moshi_tui.model.cache import KVRing
from moshi_tui.model.layers import Embedding, Linear, named_parameters
from moshi_tui.model.stacks import stacks
from tests.model.small import write_checkpoint


@pytest.fixture(scope="module", params=[None, 4], ids=["f32", "q4"])
def model(request, tmp_path_factory):
    return load(write_checkpoint(tmp_path_factory.mktemp("model")), quant=request.param)


def filled(module, seed, bits=None):
    module.weight = mx.random.normal(module.shape, key=mx.random.key(seed))
    if bits:
        module.set_quantised(*mx.quantize(module.weight, group_size=32, bits=bits))
    return module


@pytest.mark.parametrize("quant", [None, 4])
def test_stacking_changes_no_number_and_takes_no_memory(tmp_path, quant):
    model = load(write_checkpoint(tmp_path), quant)  # of which nobody else has stacked anything
    before = {name: np.array(value) for name, value in named_parameters(model).items()}
    mx.clear_cache()
    held = mx.get_active_memory()
    model.stack()
    model.stack()
    mx.clear_cache()
    assert mx.get_active_memory() <= held + 4096
    after = named_parameters(model)
    assert list(after) == list(before)
    assert all((np.array(after[name]) == value).all() for name, value in before.items())


def test_all_embeddings_are_summed(model):
    model.stack()
    tokens = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5], np.int32)
    each = [model.text_emb(mx.array(3))]
    each += [emb(mx.array(n)) for emb, n in zip(model.audio_embs, tokens[1:].tolist(), strict=True)]
    expected = np.sum([np.array(vector).reshape(-1) for vector in each], axis=0)
    assert np.array(model.embed(tokens)).reshape(-1) == pytest.approx(expected, abs=1e-5)


def test_each_slice_gets_its_own_input(model):
    model.stack()
    x = mx.random.normal((1, 1, 64), key=mx.random.key(3))
    for part, row in zip(model.depformer.slices, model.depformer.inputs(x), strict=True):
        assert np.array(row) == pytest.approx(np.array(part.linear_in(x)), abs=1e-5)


def test_what_is_stored_otherwise_gets_a_stack_of_its_own():
    parts = [filled(Linear(64, 8), 1), filled(Linear(64, 16), 2, bits=4), filled(Linear(64, 4), 3)]
    plain, quantised = stacks(parts, lambda rows, columns: Linear(columns, rows))
    assert (plain.members, plain.starts) == ([0, 2], [0, 8])
    assert (quantised.members, quantised.starts) == ([1], [0])
    x = mx.random.normal((1, 64), key=mx.random.key(4))
    both = mx.concatenate([parts[0](x), parts[2](x)], axis=-1)
    assert np.array(plain.whole(x)) == pytest.approx(np.array(both), abs=1e-5)
    assert np.array(quantised.whole(x)) == pytest.approx(np.array(parts[1](x)), abs=1e-5)


def test_rows_of_a_stack_are_those_of_its_tables():
    tables = [filled(Embedding(5, 64), 1, bits=8), filled(Embedding(7, 64), 2, bits=8)]
    (stack,) = stacks(tables, Embedding)
    rows = stack.whole(mx.array([stack.starts[0] + 4, stack.starts[1] + 6]))
    assert (np.array(rows[0]) == np.array(tables[0](mx.array(4)))[0]).all()
    assert (np.array(rows[1]) == np.array(tables[1](mx.array(6)))[0]).all()


def test_a_ring_holds_the_newest_steps_and_writes_in_place():
    ring = KVRing(2, 3, 4, mx.float32)
    mx.eval(ring.kv)
    mx.clear_cache()
    held = mx.get_active_memory()
    for step in range(5):
        keys, values = ring.append(mx.full((2, 2, 1, 4), step))
        assert keys.shape == values.shape == (1, 2, min(step + 1, 3), 4)
        del keys, values
        mx.eval(ring.kv)
    assert sorted(np.array(ring.kv)[0, 0, :, 0]) == [2, 3, 4]
    mx.clear_cache()
    assert mx.get_active_memory() <= held


def test_a_step_copies_no_ring(tmp_path):
    model = load(write_checkpoint(tmp_path, {"context": 4096}))
    generator = Generator(model, seed=1, runner="mlx")
    ring = generator.runner.state.caches[0].kv.nbytes
    generator.runner.pretend(4080)
    for _ in range(2):
        generator.step(np.zeros(4, dtype=int))
    mx.clear_cache()
    mx.reset_peak_memory()
    held = mx.get_active_memory()
    for _ in range(40):  # also across its end
        generator.step(np.zeros(4, dtype=int))
    assert mx.get_peak_memory() - held < ring / 2
