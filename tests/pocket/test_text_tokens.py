"""The text stream of the pocket model's training, in pure Python."""

import sys
from pathlib import Path

import pytest

POCKET = Path(__file__).parents[2] / "assets" / "pocket"


@pytest.fixture
def text_stream(monkeypatch):
    monkeypatch.syspath_prepend(str(POCKET))
    import text_tokens

    yield text_tokens.text_stream
    for name in ("text_tokens", "shapes"):
        sys.modules.pop(name, None)


PIECES = {"Hello,": [10, 11], "you": [20], "again": [30, 31, 32]}


def test_a_word_begins_in_the_frame_in_which_it_sounds(text_stream):
    stream = text_stream([("Hello,", 0.25, 0.6)], 8, PIECES.get)
    assert stream.tolist() == [3, 3, 0, 10, 11, 3, 3, 3]
    assert stream.dtype == "int16"


def test_a_start_on_the_edge_of_a_frame_is_in_it(text_stream):
    for frame in range(1, 1000):
        stream = text_stream([("you", round(frame * 0.08, 2), 99.0)], 1000, PIECES.get)
        assert stream[frame] == 20


def test_epad_only_where_there_was_padding(text_stream):
    stream = text_stream([("Hello,", 0.0, 0.3), ("you", 0.16, 0.3)], 5, PIECES.get)
    assert stream.tolist() == [10, 11, 20, 3, 3]


def test_epad_goes_between_words_a_frame_apart(text_stream):
    stream = text_stream([("you", 0.0, 0.1), ("you", 0.16, 0.3)], 4, PIECES.get)
    assert stream.tolist() == [20, 0, 20, 3]


def test_a_word_that_would_collide_is_pushed_later(text_stream):
    words = [("you", 0.17, 0.4), ("again", 0.08, 0.2)]
    assert text_stream(words, 7, PIECES.get).tolist() == [0, 30, 31, 32, 20, 3, 3]


def test_a_word_that_does_not_fit_is_left_out(text_stream):
    stream = text_stream([("you", 0.0, 0.1), ("again", 0.16, 0.5)], 4, PIECES.get)
    assert stream.tolist() == [20, 3, 3, 3]


def test_no_words_no_text(text_stream):
    assert text_stream([], 3, PIECES.get).tolist() == [3, 3, 3]
