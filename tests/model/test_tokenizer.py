"""Text pieces, with a vocabulary of small talk."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model.tokenizer import TextStream, TextTokenizer
from tests.vocabulary import VOCAB_SIZE, small_talk, write_tokenizer

FIRST_BYTE = 4  # the id of <0x00>


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("words") / "tokenizer.model"
    write_tokenizer(path)
    return path


@pytest.fixture(scope="session")
def exact(tmp_path_factory: pytest.TempPathFactory) -> TextTokenizer:
    """A vocabulary that takes text as it is: no prefix, no squeezed spaces."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=small_talk(100),
        model_writer=model,
        vocab_size=320,
        model_type="bpe",
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=3,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        num_threads=1,
        minloglevel=2,
    )
    path = tmp_path_factory.mktemp("exact") / "tokenizer.model"
    path.write_bytes(model.getvalue())
    return TextTokenizer(path)


def spell(data: bytes) -> list[int]:
    return [FIRST_BYTE + value for value in data]


def say(stream: TextStream, tokens: list[int]) -> str:
    return "".join(stream.push(token) for token in tokens)


def test_special_ids_are_laid_out_as_in_kyutais_vocabulary(small: Path) -> None:
    tokenizer = TextTokenizer(small)
    assert tokenizer.vocab_size == VOCAB_SIZE
    assert [tokenizer.piece(token) for token in range(5)] == [
        "<unk>",
        "<s>",
        "</s>",
        "<pad>",
        "<0x00>",
    ]


def test_a_vocabulary_knows_words(small: Path) -> None:
    tokenizer = TextTokenizer(small)
    text = "Hello, my name is Moshi, how are you?"
    tokens = tokenizer.encode(text)
    assert len(tokens) < len(text) / 2
    assert say(TextStream(tokenizer), tokens) == f" {text}"


@pytest.mark.parametrize("kind", ["cut", "foreign", "empty"])
def test_a_file_that_is_no_vocabulary_is_named(
    kind: str, small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = small.read_bytes()
    path = tmp_path / "broken.model"
    path.write_bytes({"cut": whole[:-100], "foreign": b"\x10\0\0\0{}" * 99, "empty": b""}[kind])
    with pytest.raises(MoshiTuiError, match=r"broken\.model") as caught:
        TextTokenizer(path)
    assert "--tokenizer" in caught.value.hint
    assert capfd.readouterr() == ("", "")


def test_a_missing_or_huge_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MoshiTuiError, match="No such file"):
        TextTokenizer(tmp_path / "none.model")
    huge = tmp_path / "huge.model"
    with huge.open("wb") as file:
        file.truncate(1 << 30)  # sparse
    with pytest.raises(MoshiTuiError, match="too large"):
        TextTokenizer(huge)


def test_ids_outside_the_vocabulary_are_refused(exact: TextTokenizer) -> None:
    stream = TextStream(exact, silent=(0, 3, 9999))
    for token in (-1, exact.vocab_size, 9999):
        with pytest.raises(IndexError, match=str(token)):
            stream.push(token)


def test_silent_ids_follow_the_config(exact: TextTokenizer) -> None:
    assert say(TextStream(exact), [0, 3, 1, 2]) == ""
    assert say(TextStream(exact, silent=(3,)), [0, 3]) == "⁇"


def test_a_character_appears_when_its_last_byte_does(exact: TextTokenizer) -> None:
    stream = TextStream(exact)
    euro = spell("€".encode())
    assert [stream.push(token) for token in euro] == ["", "", "€"]
    assert say(stream, [euro[0], 0, euro[1], 3, 2, euro[2]]) == "€"


def test_bytes_that_make_no_character_are_marked(exact: TextTokenizer) -> None:
    stream = TextStream(exact)
    half = spell("€".encode()[:2])
    word = exact.encode("hello")
    assert say(stream, half + word) == "\ufffdhello"
    assert say(stream, spell(b"\xff")) == "\ufffd"
    assert say(stream, half + spell(b"a")) == "\ufffda"
    assert say(stream, half) == ""
    assert stream.flush() == "\ufffd"
    assert stream.flush() == ""


def test_reset_forgets_half_a_character(exact: TextTokenizer) -> None:
    stream = TextStream(exact)
    assert say(stream, spell("€".encode()[:2])) == ""
    stream.reset()
    assert say(stream, exact.encode("hello")) == "hello"
    assert stream.flush() == ""


# "▁" itself reads as a space, and the library ends a text at NUL.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁\0"))


@given(text=TEXT, silence=st.lists(st.tuples(st.integers(0, 200), st.sampled_from([0, 3]))))
def test_text_comes_back_whatever_silence_lies_between(
    exact: TextTokenizer, text: str, silence: list[tuple[int, int]]
) -> None:
    tokens = exact.encode(text)
    for place, token in silence:
        tokens.insert(place, token)
    stream = TextStream(exact)
    assert say(stream, tokens) + stream.flush() == text


@given(data=st.binary())
def test_any_bytes_read_as_python_reads_them(exact: TextTokenizer, data: bytes) -> None:
    stream = TextStream(exact)
    assert say(stream, spell(data)) + stream.flush() == data.decode(errors="replace")
