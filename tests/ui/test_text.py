from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from moshi_tui.clean import Cleaner, clean
from moshi_tui.ui.text import wrap

NASTY = st.sampled_from(
    [
        *("\x1b[31m", "\x1b[2J", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x1bP1$r\x1b\\"),
        *("\x9b31m", "\x9d0;x\x9c", "\x1b", "\x1b[", "\x1b]", "\x07", "\x08", "\r\n", "\t", "\x7f"),
        *("\u202e", "\u2066", "\u200f", "\u061c", "\u200d", "\ufe0f", "\ud800", "\udfff"),
        *("[bold]", "[/]", "[@click=app.quit]x[/]", "\\[", "日本語", "e\u0301", "👍🏽", "한글"),
        *("Hello ", "world", " ", "  ", "don't", "\u00a0", "نعم", "<0xE2>"),
    ]
)
TEXT = st.text(st.characters(), max_size=40) | st.lists(NASTY, max_size=12).map("".join)
PRINTABLE = TEXT.map(clean)


@pytest.mark.parametrize(
    ("dirty", "left"),
    [
        ("Hey, how's it going?", "Hey, how's it going?"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;2;1;2;3mx", "x"),
        ("\x9b31mred", "red"),
        ("\x1b]0;a title\x07x", "x"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r0m\x1b\\x", "x"),
        ("\x9d0;title\x9cx", "x"),
        ("\x1b(0x", "x"),
        ("\x1bcx", "x"),
        ("\x1b\x1b[1mx", "x"),
        ("\x1b]0;a\x1b[1mx", "x"),
        ("\x1bé", "é"),
        ("\x1b[1;é", "é"),
        ("a\x00b\x07c\x08d\x7fe\x85f", "abcde f"),
        ("one\ntwo\tthree\u2028four", "one two three four"),
        ("a\u202eb\u2066c\u200fd\u061ce", "abcde"),
        ("a\ud800b\udfffc", "abc"),
        ("soft\u00adhyphen", "softhyphen"),
        ("[bold]as it is[/]", "[bold]as it is[/]"),
        ("café 日本語 e\u0301", "café 日本語 e\u0301"),
    ],
)
def test_clean(dirty: str, left: str) -> None:
    assert clean(dirty) == left


def test_an_unfinished_sequence_does_not_swallow_the_talk() -> None:
    said = "word " * 100
    assert clean("\x1b]0;" + said).endswith("word " * 70)


@given(TEXT)
def test_cleaned_text_has_nothing_that_steers_a_terminal(text: str) -> None:
    cleaned = clean(text)
    assert not [char for char in cleaned if unicodedata.category(char) in ("Cc", "Cf", "Cs")]
    assert "\u2028" not in cleaned
    cleaned.encode()
    assert clean(cleaned) == cleaned


@given(st.lists(TEXT))
def test_pieces_are_cleaned_as_if_joined(pieces: list[str]) -> None:
    cleaner = Cleaner()
    assert "".join(map(cleaner.feed, pieces)) == clean("".join(pieces))


def test_wrap_breaks_at_spaces() -> None:
    text = "That sounds like fun! What did you"
    assert [text[a:b] for a, b in wrap(text, 12)] == ["That sounds", "like fun!", "What did you"]


def test_wrap_cuts_what_is_too_wide() -> None:
    text = "a abcdefghij 日本語日本語"
    assert [text[a:b] for a, b in wrap(text, 5)] == ["a", "abcde", "fghij", "日本", "語日", "本語"]


def test_wrap_keeps_a_no_break_space() -> None:
    text = "oui oui\u00a0?"
    assert [text[a:b] for a, b in wrap(text, 8)] == ["oui", "oui\u00a0?"]


def test_nothing_is_one_line() -> None:
    assert len(wrap("", 10)) == 1
    assert len(wrap("   ", 10)) == 1


@given(PRINTABLE, st.integers(2, 30))
def test_lines_fit_and_lose_nothing_but_spaces(text: str, width: int) -> None:
    lines = [text[a:b] for a, b in wrap(text, width)]
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(st.lists(PRINTABLE, min_size=1), st.integers(2, 30))
def test_growing_text_changes_only_the_last_line(pieces: list[str], width: int) -> None:
    text = ""
    spans = wrap(text, width)
    for piece in pieces:
        text += piece
        start = spans[-1][0] if len(spans) > 1 else 0
        spans = [*spans[:-1], *wrap(text, width, start)]
        assert spans == wrap(text, width)


@given(st.text("ab  ", max_size=60), st.integers(1, 12), st.integers(0, 8))
def test_the_short_way_wraps_like_the_long_way(text: str, width: int, start: int) -> None:
    start = min(start, len(text))
    wide = wrap(text + " 語", max(width, 2), start)
    short = wrap(text, max(width, 2), start)
    long = [(a, min(b, len(text.rstrip(" ")))) for a, b in wide if a < len(text)]
    if text[start:].strip(" "):
        assert short == long
