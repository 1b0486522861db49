from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from moshi_tui.codec import describe, load
from moshi_tui.codec.layout import (
    STANDARD,
    MimiShape,
    Tensors,
    is_standard,
    read_shape,
    read_tensors,
)
from moshi_tui.errors import MoshiTuiError
from tests.codec.mimi import POCKET
from tests.codec.shapes import TINY

PUBLISHED = Path(__file__).parent.parent / "data" / "golden" / "mimi_layout.json"
Damage = Callable[[Tensors], None]


def drop(name: str) -> Damage:
    return lambda tensors: tensors.__delitem__(name)


def put(name: str, *dims: int, dtype: type = np.float32) -> Damage:
    return lambda tensors: tensors.__setitem__(name, np.zeros(dims, dtype))


def test_standard_is_the_published_layout() -> None:
    published = {name: tuple(dims) for name, dims in json.loads(PUBLISHED.read_text()).items()}
    ours = STANDARD.tensors()
    assert {n: d for n, d in ours.items() if n in published} == published
    others = {n for n in ours if n not in published}
    assert all(n.startswith("quantizer.rvq_rest.vq.layers.") for n in others)
    assert len(others) == 30 * 3


@pytest.mark.parametrize(
    ("dim", "heads"), [(512, 8), (256, 4), (128, 2), (96, 1), (16, 1), (160, 2)]
)
def test_heads_follow_from_the_width(dim: int, heads: int) -> None:
    assert MimiShape(dim=dim).heads == heads


@pytest.mark.parametrize(
    "shape",
    [
        TINY,
        POCKET,
        replace(TINY, layers=0, hidden=0),
        replace(TINY, codebooks=1),
        replace(TINY, ratios=(4, 4, 5, 6), stride=4, kernel=5, residual_kernel=5, last_kernel=7),
        replace(TINY, ratios=(8, 10, 12), compress=4),
    ],
)
def test_sizes_are_read_off_the_tensors(shape: MimiShape, tmp_path: Path) -> None:
    path = tmp_path / "mimi.safetensors"
    save_file({name: np.zeros(dims, np.float32) for name, dims in shape.tensors().items()}, path)
    assert read_shape(path) == shape
    assert describe(path) == "pocket"
    codec = load(path, shape.codebooks)
    assert (codec.name, codec.n_q, codec.cardinality) == (
        "pocket",
        shape.codebooks,
        shape.codebook_size,
    )
    codes = codec.encode(np.zeros(2 * 1920, np.float32))
    assert codes.shape == (shape.codebooks, 2)
    assert codec.decode(codes).shape == (2 * 1920,)


def test_any_number_of_codebooks_is_standard() -> None:
    assert is_standard(replace(STANDARD, codebooks=8))
    assert not is_standard(replace(STANDARD, filters=32))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            drop("decoder.model.11.convtr.convtr.bias"),
            "decoder.model.11.convtr.convtr.bias is missing",
        ),
        (drop("encoder.model.0.conv.conv.weight"), "encoder.model.0.conv.conv.weight is missing"),
        (put("decoder.model.0.conv.conv.bias", 9), "is [9], expected [64]"),
        (put("encoder.model.0.conv.conv.weight", 4, 7), "is [4, 7], not 3 sizes above 0"),
        (put("encoder.model.0.conv.conv.weight", 0, 1, 7), "is [0, 1, 7], not 3 sizes above 0"),
        (put("encoder.model.1.shortcut.conv.conv.weight", 4, 4, 1), "[4, 4, 1] is unknown"),
        (put("downsample.conv.conv.conv.weight", 16, 16, 6), "expected [16, 1, 6]"),
    ],
)
def test_a_foreign_file_is_named_with_its_first_odd_tensor(
    damage: Damage, says: str, tiny_file: Path, tmp_path: Path
) -> None:
    tensors = load_file(tiny_file)
    damage(tensors)
    path = tmp_path / "foreign.safetensors"
    save_file(tensors, path)
    with pytest.raises(MoshiTuiError) as caught:
        load(path, 1)
    assert caught.value.title == "Not a Mimi checkpoint"
    assert "foreign.safetensors" in caught.value.message
    assert says in caught.value.message
    assert "--mimi-weight" in caught.value.hint


def test_a_language_model_is_no_codec(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"depformer.in.weight": np.zeros((2, 2), np.float32)}, path)
    with pytest.raises(MoshiTuiError, match=r"it holds 1 tensors, first depformer.in.weight"):
        load(path, 8)


def test_another_frame_rate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mimi.safetensors"
    shape = replace(TINY, ratios=(4, 5, 6, 6))
    save_file({name: np.zeros(dims, np.float32) for name, dims in shape.tensors().items()}, path)
    with pytest.raises(MoshiTuiError, match="frames of 1440 samples, not 1920"):
        load(path, 1)


def test_values_that_are_not_numbers_are_refused(tiny_file: Path, tmp_path: Path) -> None:
    tensors = load_file(tiny_file)
    tensors["decoder.model.0.conv.conv.bias"][3] = np.nan
    path = tmp_path / "mimi.safetensors"
    save_file(tensors, path)
    with pytest.raises(MoshiTuiError, match="not finite"):
        load(path, 1)


def test_half_precision_is_read_and_integers_refused(tiny_file: Path, tmp_path: Path) -> None:
    tensors = load_file(tiny_file)
    path = tmp_path / "mimi.safetensors"
    save_file({name: tensor.astype(np.float16) for name, tensor in tensors.items()}, path)
    assert all(t.dtype == np.float32 for t in read_tensors(path, TINY).values())
    save_file({name: tensor.astype(np.int32) for name, tensor in tensors.items()}, path)
    with pytest.raises(MoshiTuiError, match="stored as I32"):
        load(path, 1)


@pytest.mark.parametrize("share", [0, 0.0001, 0.01, 0.5, 0.9999])
def test_a_truncated_file_is_called_so(share: float, tiny_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "mimi.safetensors"
    whole = tiny_file.read_bytes()
    keep = int(share * len(whole))
    path.write_bytes(whole[:keep])
    with pytest.raises(MoshiTuiError) as caught:
        load(path, 1)
    assert caught.value.title == "Mimi checkpoint is truncated"
    assert f"has {keep:,} bytes of" in caught.value.message


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mimi.safetensors"
    path.write_bytes(b"<!DOCTYPE html> Access to this repo is restricted" * 99)
    with pytest.raises(MoshiTuiError) as caught:
        load(path, 1)
    assert caught.value.title == "Not a safetensors file"
    for missing in (tmp_path / "absent.safetensors", tmp_path):
        with pytest.raises(MoshiTuiError) as caught:
            load(missing, 1)
        assert caught.value.title == "Cannot read the Mimi checkpoint"


@pytest.mark.parametrize("n_q", [0, 4])
def test_codebooks_that_the_file_lacks_are_refused(n_q: int, tiny_file: Path) -> None:
    with pytest.raises(MoshiTuiError, match=f"wants {n_q} codebooks, mimi.safetensors has 3"):
        load(tiny_file, n_q)
