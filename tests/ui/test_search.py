from __future__ import annotations

import pytest
from rich.style import Style
from textual.widgets import Input

from tests.ui.helpers import screen_text
from tests.ui.reading import Reader, reading


def looks(app: Reader, line: int) -> list[tuple[str, Style]]:
    """The segments of a line of the viewport that look like something found."""
    segments = [(text, style) for text, style, _ in app.view.render_line(line) if style]
    return [(text, style) for text, style in segments if style.underline]


async def test_search_as_one_types() -> None:
    async with reading() as (app, pilot):
        app.utterances(60)
        app.panel.search()
        await pilot.pause()
        assert app.panel.searching
        await pilot.press(*"NUMBER 1")
        await pilot.pause()
        assert app.view.found == (11, 11)
        assert "11 of 11" in screen_text(app)
        assert "number 19." in screen_text(app)
        await pilot.press("0")
        await pilot.pause()
        assert "1 of 1" in screen_text(app)
        assert "number 10." in screen_text(app)


async def test_keys_step_through_what_is_found() -> None:
    async with reading() as (app, pilot):
        app.utterances(60)
        app.panel.search()
        await pilot.press(*"number 1")
        numbers = []
        for key in ("enter", "up", "down", "shift+enter", "down", "up"):
            await pilot.press(key)
            assert app.view.found is not None
            numbers.append(app.view.found.number)
        assert numbers == [10, 9, 10, 11, 1, 11]


async def test_the_current_one_looks_different_not_by_colour_alone() -> None:
    async with reading((60, 10)) as (app, pilot):
        app.piece(0, " the fog and the light")
        app.panel.search()
        await pilot.press(*"the")
        await pilot.pause()
        first, second = looks(app, 0)
        assert (first[0], second[0]) == ("the", "the")
        assert not first[1].reverse
        assert second[1].reverse
        await pilot.press("escape")
        await pilot.pause()
        assert looks(app, 0) == []


async def test_found_across_wrapped_lines() -> None:
    async with reading((40, 12)) as (app, pilot):
        app.piece(0, " a view of valleys and mountains and the sea")
        app.panel.search()
        await pilot.press(*"and mountains and")
        await pilot.pause()
        shown = [looks(app, line) for line in range(len(app.view.lines()))]
        parts = [text for line in shown for text, _ in line]
        assert len(parts) > 1
        assert " ".join(parts) == "and mountains and"
        assert app.view.found == (1, 1)


async def test_a_word_that_goes_on_is_marked_on_both_lines() -> None:
    async with reading((40, 12)) as (app, pilot):
        app.piece(0, " a view of valleys and")
        app.panel.search()
        await pilot.press(*"and mountains")
        await pilot.pause()
        assert app.view.found == (0, 0)
        app.piece(1, " mount")
        await pilot.pause()
        app.piece(2, "ains")
        await pilot.pause()
        assert app.view.found == (1, 1)
        assert [text for line in (0, 1) for text, _ in looks(app, line)] == ["and", "mountains"]


async def test_nothing_found_is_said_in_words() -> None:
    async with reading() as (app, pilot):
        app.utterances(3)
        app.panel.search()
        await pilot.press(*"xyz")
        await pilot.pause()
        assert "nothing found" in screen_text(app)


@pytest.mark.parametrize(("words", "follows"), [("xyz", True), ("number 5.", False)])
async def test_leaving_the_search(words: str, follows: bool) -> None:
    async with reading() as (app, pilot):
        app.utterances(60)
        await pilot.pause()
        app.panel.search()
        await pilot.press(*words)
        app.utterances(2, start=60)
        await pilot.press("escape")
        await pilot.pause()
        assert not app.panel.searching
        assert app.focused is app.view
        assert app.view.found is None
        app.utterances(1, start=62)
        await pilot.pause()
        assert ("number 62." in screen_text(app)) is follows
        assert ("number 5." in screen_text(app)) is not follows


async def test_what_is_said_meanwhile_is_counted_and_moves_nothing() -> None:
    async with reading() as (app, pilot):
        app.utterances(60)
        app.panel.search()
        await pilot.press(*"number 59")
        await pilot.pause()
        there = app.view.scroll_y
        app.utterances(3, start=590)
        await pilot.pause()
        assert app.view.found == (1, 4)
        assert "1 of 4" in screen_text(app)
        assert app.view.scroll_y == there


async def test_a_turn_put_in_above_keeps_the_place() -> None:
    async with reading() as (app, pilot):
        app.piece(10, "fog")
        app.panel.search()
        await pilot.press(*"fog")
        app.turn(9, 3)
        await pilot.pause()
        assert app.view.found == (1, 1)
        assert [text for text, _ in looks(app, 1)] == ["fog"]


async def test_searching_again_begins_with_the_same_words() -> None:
    async with reading() as (app, pilot):
        app.utterances(30)
        app.panel.search()
        await pilot.press(*"number 7", "escape")
        assert app.view.found is None
        app.panel.search()
        await pilot.pause()
        assert app.query_one("#words", Input).value == "number 7"
        assert app.view.found == (1, 1)
        await pilot.press("8")
        assert app.query_one("#words", Input).value == "8"


async def test_pages_turn_while_searching() -> None:
    async with reading() as (app, pilot):
        app.utterances(60)
        app.panel.search()
        await pilot.pause()
        there = app.view.scroll_y
        await pilot.press("pageup")
        await pilot.pause()
        assert app.view.scroll_y < there
        await pilot.press("pagedown")
        await pilot.pause()
        assert app.view.scroll_y == there


async def test_the_bar_takes_one_line_and_gives_it_back() -> None:
    async with reading((40, 12)) as (app, pilot):
        app.utterances(30)
        await pilot.pause()
        height = app.view.size.height
        app.panel.search()
        await pilot.pause()
        assert app.view.size.height == height - 1
        assert app.view.scroll_y == app.view.max_scroll_y
        await pilot.press("escape")
        await pilot.pause()
        assert app.view.size.height == height
        assert app.view.scroll_y == app.view.max_scroll_y
