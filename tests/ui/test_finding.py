from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.ui.conversation import Entry
from moshi_tui.ui.finding import Finder


def entries(*texts: str) -> list[Entry]:
    return [Entry(20 * n, "Moshi", text) for n, text in enumerate(texts)]


def looking(words: str, *texts: str, at: int | None = None) -> Finder:
    finder = Finder(entries(*texts))
    entry = len(texts) - 1 if at is None else at
    finder.begin(entry, len(texts[entry]))
    finder.look_for(words)
    return finder


@pytest.mark.parametrize(
    ("text", "words", "spans"),
    [
        ("The view and the fog", "the", [(0, 3), (13, 16)]),
        ("Straße", "STRASSE", [(0, 6)]),
        ("Straße", "s", [(0, 1), (4, 5), (4, 5)]),
        ("ΟΔΟΣ οδος", "οδοσ", [(0, 4), (5, 9)]),
        ("aaaa", "aa", [(0, 2), (2, 4)]),
        ("a.c abc [a]", "a.c", [(0, 3)]),
        ("日本語", "本", [(1, 2)]),
        ("nothing", "x", []),
        ("a b", " ", []),
    ],
)
def test_where_words_stand(text: str, words: str, spans: list[tuple[int, int]]) -> None:
    assert looking(words, text).spans(0) == spans


def test_the_search_goes_up_from_where_the_reader_was() -> None:
    finder = looking("a", "a a", "b", "a", "b", "a", at=3)
    assert finder.found == (3, 4)
    seen = []
    for _ in range(5):
        finder.step(-1)
        assert finder.found is not None
        seen.append(finder.found.number)
    assert seen == [2, 1, 4, 3, 2]
    finder.step(1)
    assert finder.match == (2, 0)


def test_what_stands_only_below_is_found_too() -> None:
    assert looking("a", "b", "b", "a", "a", at=0).match == (2, 0)


def test_nothing_found_and_nothing_looked_for() -> None:
    assert looking("x", "a").found == (0, 0)
    assert looking("", "a").found is None
    assert looking("  ", "a b").found is None


def test_what_is_said_meanwhile_is_found() -> None:
    finder = looking("fog", "the fog", "the")
    assert finder.found == (1, 1)
    finder._entries[1].text += " fog"
    finder._entries.append(Entry(99, "Moshi", "Fog again"))
    finder.update_from(1)
    assert finder.found == (1, 3)


def test_the_first_that_is_said_meanwhile_becomes_the_one() -> None:
    finder = looking("fog", "the")
    finder._entries[0].text += " fog"
    finder.update_from(0)
    assert finder.found == (1, 1)


def test_an_entry_put_in_above_moves_what_was_found() -> None:
    finder = looking("fog", "a", "fog and fog")
    finder._entries.insert(1, Entry(5, "You", "fog"))
    finder.put_in(1)
    finder.update_from(1)
    assert finder.match == (2, 1)
    assert finder.found == (3, 3)


@given(
    st.lists(st.text("abßA ", max_size=12), min_size=1, max_size=12),
    st.text("abßs", min_size=1, max_size=3),
    st.data(),
)
def test_going_round_visits_all(texts: list[str], words: str, data: st.DataObject) -> None:
    finder = looking(words, *texts, at=data.draw(st.integers(0, len(texts) - 1)))
    total = sum(len(finder.spans(entry)) for entry in range(len(texts)))
    assert finder.found is not None
    assert finder.found.total == total
    numbers = set()
    for _ in range(total):
        finder.step(-1)
        numbers.add(finder.found.number)
        assert finder.match is not None
        start, end = finder.spans(finder.match.entry)[finder.match.nth]
        assert words.casefold() in texts[finder.match.entry][start:end].casefold()
    assert numbers == set(range(1, total + 1))
