"""rustymimi, and the NumPy codec against it. Full-size frames are slow (0.1 s): few of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rustymimi

from moshi_tui.codec import describe, load
from moshi_tui.codec.base import Codes, Pcm
from moshi_tui.codec.pocket import Pocket
from moshi_tui.codec.rusty import Rusty
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES
from tests.codec.shapes import STANDARD_FRAMES


def samples(pcm: Pcm, first: int, last: int) -> Pcm:
    """Frames `first` to `last` of `pcm`."""
    return pcm[first * FRAME_SAMPLES : last * FRAME_SAMPLES]


def snr(reference: Pcm, got: Pcm) -> float:
    """In dB."""
    noise = np.mean((reference - got) ** 2, dtype=np.float64)
    return float(10 * np.log10(np.mean(reference**2, dtype=np.float64) / noise))


@pytest.fixture(scope="module")
def rusty(standard_file: Path) -> Rusty:
    assert describe(standard_file) == "rustymimi"
    codec = load(standard_file, 8)
    assert isinstance(codec, Rusty)
    assert (codec.name, codec.n_q, codec.cardinality) == ("rustymimi", 8, 2048)
    return codec


def test_numpy_gives_rustymimis_codes(rusty: Rusty, speech: Pcm, standard_codes: Codes) -> None:
    codes = rusty.encode(samples(speech, 0, STANDARD_FRAMES))
    assert codes.dtype == np.uint32
    assert codes.shape == (8, STANDARD_FRAMES)
    assert np.mean(codes == standard_codes) >= 0.995
    assert min(len(np.unique(row)) for row in codes) > 30  # they say something

    rusty.reset()  # an encoder's: the first frame tells a true reset from rustymimi's own
    np.testing.assert_array_equal(rusty.encode(speech[: 2 * FRAME_SAMPLES]), codes[:, :2])


def test_numpy_gives_rustymimis_sound(
    rusty: Rusty, standard_codes: Codes, standard_sound: Pcm
) -> None:
    rusty.reset()
    sound = rusty.decode(standard_codes)
    assert sound.dtype == np.float32
    assert snr(sound, standard_sound) > 60

    rusty.reset()
    again = rusty.decode(standard_codes[:, :2])
    assert snr(sound[: len(again)], again) > 90


def test_bad_input_is_made_harmless_or_refused(rusty: Rusty, standard_pocket: Pocket) -> None:
    rusty.reset()
    standard_pocket.reset()
    bad = np.zeros(2 * FRAME_SAMPLES, np.float32)
    bad[100:103] = np.nan, np.inf, -1e30
    with pytest.raises(ValueError, match="wants"):
        rusty.encode(bad[:-1])
    with pytest.raises(ValueError, match="wants"):
        rusty.encode(bad[None])
    with pytest.raises(ValueError, match="code 2048"):
        rusty.decode(np.full((8, 1), 2048, np.uint32))
    with pytest.raises(ValueError, match="wants"):
        rusty.decode(np.zeros((7, 1), np.uint32))
    np.testing.assert_array_equal(rusty.encode(bad), standard_pocket.encode(bad))


def test_turns_lose_nothing_and_pass_the_wall(
    standard_file: Path, standard_pocket: Pocket, standard_codes: Codes, speech: Pcm
) -> None:
    """Each turn must give what an instance gives that heard everything since its overlap began."""
    encoder, decoder = (
        Rusty(standard_file, 8, max_seq_len=84, turn=10, overlap=2) for _ in range(2)
    )
    codes = np.concatenate(
        [encoder.encode(samples(speech, i, i + 2)) for i in range(0, 14, 2)], axis=1
    )
    sound = np.concatenate([decoder.decode(standard_codes[:, i : i + 2]) for i in range(0, 44, 2)])
    for turn, heard_from in ((0, 0), (10, 8), (40, 38)):
        end = min(turn + 10, 44)
        standard_pocket.reset()
        if turn < 14:
            expected = standard_pocket.encode(samples(speech, heard_from, min(end, 14)))
            got = codes[:, turn:end]
            assert np.mean(got == expected[:, turn - heard_from :]) >= 0.995
        tune = standard_pocket.decode(standard_codes[:, heard_from:end])
        assert snr(samples(tune, turn - heard_from, end), samples(sound, turn, end)) > 60


class FakeTokenizer:
    """Counts what it hears; has rustymimi's wall, and its forgetful reset."""

    def __init__(self, path: str, *, num_codebooks: int, max_seq_len: int) -> None:
        self.books, self.wall = num_codebooks, max_seq_len
        self.lived = self.held = 0

    def encode_step(self, pcm: np.ndarray) -> np.ndarray:
        held = self._hear(pcm.shape[2] // FRAME_SAMPLES)
        return np.tile(held.astype(np.uint32), (1, self.books, 1))

    def decode_step(self, codes: np.ndarray) -> np.ndarray:
        return np.repeat(self._hear(codes.shape[2]), FRAME_SAMPLES).astype(np.float32)[None, None]

    def reset(self) -> None:
        self.held = 0

    def _hear(self, frames: int) -> np.ndarray:
        if 2 * (self.lived + frames) > self.wall:
            raise ValueError("narrow invalid args")
        before = self.held
        self.lived += frames
        self.held += frames
        return np.arange(before, self.held)


Built = list[FakeTokenizer]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Built:
    """The fake tokenizers made so far."""
    made: Built = []

    def make(*args: Any, **kwargs: Any) -> FakeTokenizer:
        made.append(FakeTokenizer(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(rustymimi, "Tokenizer", make)
    return made


Feed = Callable[[Rusty, int], np.ndarray]


def feed_pcm(codec: Rusty, frames: int) -> np.ndarray:
    return codec.encode(np.zeros(frames * FRAME_SAMPLES, np.float32))[0].astype(int)


def feed_codes(codec: Rusty, frames: int) -> np.ndarray:
    return codec.decode(np.zeros((2, frames), np.uint32))[::FRAME_SAMPLES].astype(int)


@pytest.mark.parametrize("feed", [feed_pcm, feed_codes])
@pytest.mark.parametrize("most", [1, 3, 25])
def test_a_talk_of_hours_never_meets_the_wall(
    feed: Feed, most: int, built: Built, rng: np.random.Generator
) -> None:
    codec = Rusty(Path("any"), 2, max_seq_len=1000, turn=100, overlap=20)
    assert len(built) == 2  # the second is there before the talk begins
    heard = np.concatenate([feed(codec, int(n)) for n in rng.integers(1, most + 1, 4000 // most)])
    starts = np.flatnonzero(np.diff(heard) != 1) + 1
    assert heard[0] == 0
    assert len(starts) >= 15
    assert (heard[starts] >= 20).all()  # whoever takes over has heard the overlap
    assert heard.max() < 100 + 20 + 3 * 10  # what memory grows with
    assert np.diff(starts).min() >= 100
    assert len(built) <= 2 + len(heard) / 300  # each lives for 3 turns of its own


@pytest.mark.parametrize("feed", [feed_pcm, feed_codes])
def test_resets_never_meet_the_wall(feed: Feed, built: Built) -> None:
    codec = Rusty(Path("any"), 2, max_seq_len=1000, turn=100, overlap=20)
    for _ in range(50):
        assert feed(codec, 90)[0] == 0  # in the middle of an overlap
        codec.reset()
    most = 60 if feed is feed_pcm else 25  # only an encoder is built anew each time
    assert len(built) < most


def test_an_encoder_is_not_rebuilt_before_it_has_heard_anything(built: Built) -> None:
    codec = Rusty(Path("any"), 2)
    codec.reset()
    codec.reset()
    assert len(built) == 2


@pytest.mark.parametrize(
    ("turn", "overlap", "positions"), [(10, 20, 999), (9, 0, 999), (90, 9, 99)]
)
def test_sizes_that_cannot_work_are_refused(turn: int, overlap: int, positions: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Rusty(Path("any"), 8, max_seq_len=positions, turn=turn, overlap=overlap)


def test_what_rustymimi_cannot_load_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "mimi.safetensors"
    path.write_bytes(b"no")
    with pytest.raises(MoshiTuiError, match=r"Cannot load the Mimi .*: mimi\.safetensors: "):
        Rusty(path, 8)
