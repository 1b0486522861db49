from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moshi_tui.codec.base import Codec, Pcm
from moshi_tui.codec.pocket import BLOCK, Pocket
from moshi_tui.frames import FRAME_SAMPLES
from tests.codec.mimi import write_mimi
from tests.codec.shapes import TINY


def frames_of(pcm: Pcm, first: int, last: int) -> Pcm:
    return pcm[first * FRAME_SAMPLES : last * FRAME_SAMPLES]


@pytest.fixture
def codec(pocket_file: Path) -> Codec:
    return Pocket.open(pocket_file, 8)


@pytest.mark.parametrize("chunk", [1, 5, 60])
def test_the_size_of_a_call_changes_nothing(chunk: int, codec: Codec, speech: Pcm) -> None:
    assert chunk != 60 or chunk > BLOCK
    whole = codec.encode(speech)
    sound = codec.decode(whole)
    codec.reset()
    starts = range(0, 60, chunk)
    parts = [codec.encode(frames_of(speech, i, i + chunk)) for i in starts]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    pieces = [codec.decode(whole[:, i : i + chunk]) for i in starts]
    np.testing.assert_allclose(np.concatenate(pieces), sound, rtol=0, atol=1e-5)


def test_reset_is_a_fresh_start(codec: Codec, pocket_file: Path, speech: Pcm) -> None:
    fresh = Pocket.open(pocket_file, 8)
    codec.decode(codec.encode(speech))
    codec.reset()
    codes = codec.encode(speech)
    np.testing.assert_array_equal(codes, fresh.encode(speech))
    np.testing.assert_array_equal(codec.decode(codes), fresh.decode(codes))


def test_what_was_returned_is_not_written_to_later(codec: Codec, speech: Pcm) -> None:
    codes = codec.encode(frames_of(speech, 0, 2))
    sound = codec.decode(codes)
    kept = codes.copy(), sound.copy()
    codec.decode(codec.encode(frames_of(speech, 2, 4)))
    np.testing.assert_array_equal(codes, kept[0])
    np.testing.assert_array_equal(sound, kept[1])


def test_bad_samples_are_made_harmless(codec: Codec, speech: Pcm) -> None:
    bad = speech.copy()
    bad[5000:5004] = np.nan, np.inf, -np.inf, 1e30
    good = speech.copy()
    good[5000:5004] = 0, 1, -1, 1
    codes = codec.encode(bad)
    codec.reset()
    np.testing.assert_array_equal(codes, codec.encode(good))
    assert np.isnan(bad[5000])  # the caller's array is its own


def test_refused_calls_leave_the_stream_alone(codec: Codec, speech: Pcm) -> None:
    pcm = frames_of(speech, 0, 6)
    codes = codec.encode(pcm)
    sound = codec.decode(codes)
    codec.reset()
    first, tune = codec.encode(frames_of(pcm, 0, 3)), codec.decode(codes[:, :3])
    for wrong in (pcm[:-1], pcm[:0], pcm[None], pcm.reshape(-1, 1920)):
        with pytest.raises(ValueError, match=r"wants \[T \* 1920\]"):
            codec.encode(wrong)
    for wrong in (codes[:7], codes[:, :0], codes[0], np.full_like(codes, 2048), codes - 4096.0):
        with pytest.raises(ValueError, match="code"):
            codec.decode(wrong)
    with pytest.raises(ValueError, match="code -1 is not in"):
        codec.decode(np.full((8, 1), -1))
    rest, end = codec.encode(frames_of(pcm, 3, 6)), codec.decode(codes[:, 3:])
    np.testing.assert_array_equal(np.concatenate([first, rest], axis=1), codes)
    np.testing.assert_allclose(np.concatenate([tune, end]), sound, rtol=0, atol=1e-5)


def test_fewer_codebooks_are_the_first_ones(codec: Codec, pocket_file: Path, speech: Pcm) -> None:
    pcm = frames_of(speech, 0, 4)
    three = Pocket.open(pocket_file, 3)
    assert (three.n_q, three.cardinality) == (3, 2048)
    np.testing.assert_array_equal(three.encode(pcm), codec.encode(pcm)[:3])


def test_no_transformer_is_fine(tmp_path: Path, speech: Pcm) -> None:
    path = tmp_path / "mimi.safetensors"
    write_mimi(path, replace(TINY, layers=0, hidden=0), seed=4)
    codec = Pocket.open(path, 3)
    sound = codec.decode(codec.encode(frames_of(speech, 0, 3)))
    assert np.isfinite(sound).all()
    assert sound.shape == (3 * FRAME_SAMPLES,)


def test_memory_is_flat(tiny_file: Path, speech: Pcm) -> None:
    codec = Pocket.open(tiny_file, 3)
    sizes = []
    for _ in range(8):  # 480 frames: the ring of 281 positions goes round three times
        for i in range(60):
            codec.decode(codec.encode(frames_of(speech, i, i + 1)))
        sizes.append(held_by(codec))
    assert len(set(sizes)) == 1


def held_by(thing: object) -> int:
    """Bytes of all arrays that `thing` owns, in itself or in what it holds."""
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if isinstance(thing, list | tuple):
        return sum(held_by(item) for item in thing)
    return sum(held_by(item) for item in vars(thing).values()) if hasattr(thing, "__dict__") else 0


def test_a_direction_that_is_not_used_holds_no_stream(pocket_file: Path, speech: Pcm) -> None:
    codec = Pocket.open(pocket_file, 8)
    start = held_by(codec)
    codec.encode(frames_of(speech, 0, 1))
    one = held_by(codec)
    codec.decode(np.zeros((8, 1), np.uint32))
    assert start < one < held_by(codec)
    codec.reset()
    assert held_by(codec) == start
