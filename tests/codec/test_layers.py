"""Every layer against the plainest way to write what it computes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moshi_tui.codec.layers import Conv, ConvTranspose, Rows, Upsample, elu, product
from moshi_tui.codec.layout import CONTEXT, MimiShape, Tensors
from moshi_tui.codec.quantizer import SplitQuantizer
from moshi_tui.codec.transformer import Transformer, gelu

SHAPE = MimiShape(
    filters=4, dim=12, layers=2, hidden=20, codebooks=4, codebook_size=32, codebook_dim=6
)


def normal(rng: np.random.Generator, *dims: int) -> Rows:
    return rng.standard_normal(dims, np.float32)


def tensors_of(shape: MimiShape, rng: np.random.Generator) -> Tensors:
    return {name: normal(rng, *dims) for name, dims in shape.tensors().items()}


def in_chunks(
    layer: Conv | ConvTranspose | Upsample | Transformer, x: Rows, sizes: list[int]
) -> Rows:
    """What `layer` makes of `x` in steps of `sizes` rows."""
    ends = np.cumsum(sizes)
    assert ends[-1] == len(x)
    return np.concatenate([layer.step(part).copy() for part in np.split(x, ends[:-1])])


@pytest.mark.parametrize(("kernel", "stride"), [(7, 1), (3, 1), (1, 1), (8, 4), (4, 2), (3, 3)])
@pytest.mark.parametrize("replicate", [False, True])
def test_conv_sees_the_past_only(
    kernel: int, stride: int, replicate: bool, rng: np.random.Generator
) -> None:
    weight, bias, x = normal(rng, 5, 3, kernel), normal(rng, 5), normal(rng, 24, 3)
    past = np.repeat(x[:1], kernel - stride, axis=0) * (1 if replicate else 0)
    padded = np.concatenate([past, x])
    expected = [
        np.einsum("kc,ock->o", padded[t : t + kernel], weight) + bias
        for t in range(0, len(x), stride)
    ]
    conv = Conv(weight, bias, stride=stride, replicate=replicate)
    np.testing.assert_allclose(in_chunks(conv, x, [12, 12]), expected, rtol=0, atol=1e-5)
    conv.reset()
    np.testing.assert_allclose(in_chunks(conv, x, [12, 12]), expected, rtol=0, atol=1e-5)


def test_conv_transpose_adds_the_overhang_of_the_step_before(rng: np.random.Generator) -> None:
    weight, bias, x = normal(rng, 3, 5, 8), normal(rng, 5), normal(rng, 9, 3)
    active = np.where(x > 0, x, np.expm1(x))
    expected = np.zeros((9 * 4 + 4, 5))
    for t, row in enumerate(active):
        expected[4 * t : 4 * t + 8] += np.einsum("c,cok->ko", row, weight)
    layer = ConvTranspose(weight, bias)
    got = in_chunks(layer, x, [1, 6, 2])
    np.testing.assert_allclose(got, (expected + bias)[:36], rtol=0, atol=1e-5)


def test_upsample_works_on_each_channel_alone(rng: np.random.Generator) -> None:
    weight, x = normal(rng, 3, 1, 4), normal(rng, 6, 3)
    expected = np.zeros((14, 3))
    for t, row in enumerate(x):
        expected[2 * t : 2 * t + 4] += (weight[:, 0] * row[:, None]).T
    got = in_chunks(Upsample(weight), x, [1, 3, 2])
    np.testing.assert_allclose(got, expected[:12], rtol=0, atol=1e-5)


def test_elu_and_gelu_are_exact() -> None:
    x = np.linspace(-12, 12, 4001, dtype=np.float32)
    np.testing.assert_allclose(elu(x, np.empty_like(x)), np.where(x > 0, x, np.expm1(x)), atol=2e-7)
    expected = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()]
    np.testing.assert_allclose(gelu(x), expected, rtol=3e-7, atol=5e-7)


@pytest.mark.parametrize("rows", [1, 4, 5])
def test_product_is_the_matrix_product(rows: int, rng: np.random.Generator) -> None:
    x, weight = normal(rng, rows, 7), normal(rng, 7, 3)
    np.testing.assert_allclose(product(x, weight), x @ weight, atol=1e-5)


def test_transformer_attends_to_its_context_for_ever(rng: np.random.Generator) -> None:
    """Against attention over the whole history at once, well past the end of the ring."""
    tensors = tensors_of(SHAPE, rng)
    tensors = {k: v * np.float32(0.3) for k, v in tensors.items()}
    x = normal(rng, 3 * CONTEXT, SHAPE.dim)
    layer = Transformer(tensors, SHAPE, "encoder_transformer", most=8)
    got = in_chunks(layer, x, [2, 8, 5, 1, 8, 8, 8] + [2] * 355)
    expected = plain_transformer(tensors, SHAPE, "encoder_transformer", x.astype(np.float64))
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5)


def plain_transformer(tensors: Tensors, shape: MimiShape, side: str, x: np.ndarray) -> np.ndarray:
    time, size = np.arange(len(x)), shape.dim // shape.heads
    ago = time[:, None] - time
    angle = time[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size)
    for i in range(shape.layers):
        part = {
            name.removeprefix(f"{side}.transformer.layers.{i}."): tensor.astype(np.float64)
            for name, tensor in tensors.items()
        }
        y = plain_norm(x, part["norm1.weight"], part["norm1.bias"])
        q, k, v = (
            (y @ part["self_attn.in_proj_weight"].T)
            .reshape(len(x), 3, shape.heads, size)
            .transpose(1, 2, 0, 3)
        )
        for z in (q, k):
            a, b = z[..., ::2].copy(), z[..., 1::2].copy()
            z[..., ::2] = a * np.cos(angle) - b * np.sin(angle)
            z[..., 1::2] = a * np.sin(angle) + b * np.cos(angle)
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(size)
        scores = np.exp(np.where((ago >= 0) & (ago < CONTEXT), scores, -np.inf))
        seen = (scores / scores.sum(-1, keepdims=True)) @ v
        seen = seen.transpose(1, 0, 2).reshape(x.shape) @ part["self_attn.out_proj.weight"].T
        x = x + part["layer_scale_1.scale"] * seen
        y = plain_norm(x, part["norm2.weight"], part["norm2.bias"]) @ part["linear1.weight"].T
        y = y * np.vectorize(lambda u: 0.5 * (1 + math.erf(u / math.sqrt(2))))(y)
        x = x + part["layer_scale_2.scale"] * (y @ part["linear2.weight"].T)
    return x


def plain_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) * weight + bias


def test_quantizer_finds_the_nearest_and_splits(rng: np.random.Generator) -> None:
    tensors = tensors_of(SHAPE, rng)
    for name in tensors:
        if name.endswith("cluster_usage"):
            tensors[name] = rng.uniform(0.5, 2, tensors[name].shape).astype(np.float32)
            tensors[name][0] = 0  # a code that training never used: its sum counts 100,000-fold
    x = normal(rng, 9, SHAPE.dim)
    expected, decoded = np.empty((4, 9), int), np.zeros((9, SHAPE.dim))
    for part, rows in (("rvq_first", [0]), ("rvq_rest", [1, 2, 3])):
        name = f"quantizer.{part}"
        rest = x @ tensors[f"{name}.input_proj.weight"][:, :, 0].T
        total = np.zeros_like(rest)
        for i, row in enumerate(rows):
            book = f"{name}.vq.layers.{i}._codebook"
            usage = np.maximum(tensors[f"{book}.cluster_usage"], 1e-5)
            vectors = tensors[f"{book}.embedding_sum"] / usage[:, None]
            expected[row] = ((rest[:, None] - vectors) ** 2).sum(-1).argmin(-1)
            rest, total = rest - vectors[expected[row]], total + vectors[expected[row]]
        decoded += total @ tensors[f"{name}.output_proj.weight"][:, :, 0].T
    quantizer = SplitQuantizer(tensors, 4)
    codes = quantizer.encode(x)
    assert codes.dtype == np.uint32
    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_allclose(quantizer.decode(codes), decoded, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(SplitQuantizer(tensors, 1).encode(x), expected[:1])
