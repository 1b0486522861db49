from __future__ import annotations

import pytest
from textual.geometry import Offset
from textual.pilot import Pilot

from moshi_tui.ui.widgets.transcript import Transcript
from tests.ui.helpers import screen_text
from tests.ui.reading import Reader, reading
from tests.ui.small import still

LEFT, TOP = 2, 1
"""Where the transcript's first cell is."""
TEXT = LEFT + len("00:00 Moshi  ")


async def drag(pilot: Pilot[None], start: tuple[int, int], end: tuple[int, int]) -> None:
    """From cell to cell of the screen, both included."""
    await pilot.mouse_down(offset=start)
    await pilot.hover(offset=end)
    await pilot.mouse_up(offset=end)
    await pilot.pause()


def selected(app: Reader) -> str | None:
    return app.screen.get_selected_text()


def marked(app: Reader) -> list[str]:
    """What looks selected, line by line."""
    style = app.screen.get_component_rich_style("screen--selection")
    lines = []
    for y in range(app.view.size.height):
        segments = app.view.render_line(y)
        text = "".join(s.text for s in segments if s.style and s.style.bgcolor == style.bgcolor)
        if text:
            lines.append(text)
    return lines


async def test_drag_over_wrapped_lines() -> None:
    async with reading((48, 12)) as (app, pilot):
        app.piece(0, " one two three four five six seven eight")
        await pilot.pause()
        assert app.view.lines()[1].strip() == "seven eight"
        await drag(pilot, (TEXT + 4, TOP), (TEXT + 4, TOP + 1))
        assert selected(app) == "two three four five six seven"
        assert marked(app) == ["two three four five six", "seven"]
        await drag(pilot, (TEXT + 4, TOP + 1), (TEXT + 4, TOP))
        assert selected(app) == "two three four five six seven"


async def test_drag_over_entries_says_who_and_when() -> None:
    async with reading((60, 12)) as (app, pilot):
        app.piece(0, " How are you?")
        app.turn(50, 2)
        app.piece(60, " Good to hear.")
        await pilot.pause()
        await drag(pilot, (TEXT + 4, TOP), (TEXT + 3, TOP + 2))
        assert selected(app) == "are you?\n00:04 You    ██ 0.5 s\n00:04 Moshi  Good"


async def test_drag_from_the_margin_and_beyond_the_end() -> None:
    async with reading((60, 12)) as (app, pilot):
        app.piece(0, " one two three four five six seven eight nine ten eleven twelve")
        await pilot.pause()
        await drag(pilot, (LEFT + 3, TOP + 1), (LEFT + 50, TOP + 6))
        assert selected(app) == app.view.lines()[1].strip()
        await drag(pilot, (LEFT, TOP), (LEFT + 5, TOP + 1))
        assert selected(app) == app.view.lines()[0][len("00:00 Moshi  ") :]


async def test_wide_characters_are_selected_whole() -> None:
    async with reading((60, 12)) as (app, pilot):
        app.piece(0, " 日本語 e\u0301a")
        await pilot.pause()
        await drag(pilot, (TEXT + 2, TOP), (TEXT + 7, TOP))
        assert selected(app) == "本語 e"
        assert marked(app) == ["本語 e\u0301"]


async def test_a_selection_in_scrolled_text_stays_while_the_talk_goes_on() -> None:
    async with reading((60, 12)) as (app, pilot):
        app.utterances(50)
        await pilot.pause()
        await drag(pilot, (TEXT, TOP), (TEXT + 3, TOP + 1))
        text = selected(app)
        assert text is not None
        assert text.splitlines()[0].endswith("I said as number 40.")
        there = app.view.scroll_y
        app.utterances(5, start=50)
        app.turn(790, 3)  # comes before what is selected
        await pilot.pause()
        assert app.view.scroll_y == there
        assert selected(app) == text
        await pilot.resize_terminal(40, 12)
        await pilot.pause()
        assert selected(app) == text.replace("Moshi  ", "M ")
        await pilot.press("escape")
        await pilot.pause()
        assert selected(app) is None


async def test_mark_by_keys() -> None:
    async with reading((60, 12)) as (app, pilot):
        app.utterances(50)
        app.view.focus()
        await pilot.press("shift+up")
        assert selected(app) == "This is what I said as number 49."
        await pilot.press("shift+up", "K", "K", "J")
        await pilot.pause()
        assert selected(app) == "\n".join(
            f"{app.talk.entries[n].clock} Moshi  This is what I said as number {n}."
            for n in (47, 48, 49)
        )
        assert len(marked(app)) == 3
        for _ in range(20):
            await pilot.press("shift+up")
        await pilot.pause()
        assert "number 27." in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert marked(app) == []


async def test_a_marked_utterance_that_grows_is_marked_whole() -> None:
    async with reading() as (app, pilot):
        app.piece(0, " Hello")
        await pilot.press("shift+up")
        app.piece(1, " there")
        await pilot.pause()
        assert marked(app) == ["Hello there"]
        app.turn(0, 3)
        app.event(2, "Muted")
        await pilot.press("shift+down")
        await pilot.pause()
        assert len(marked(app)) == 2


async def test_end_drops_the_selection_and_follows() -> None:
    async with reading((60, 12)) as (app, pilot):
        app.utterances(50)
        await pilot.press("shift+up")
        app.utterances(5, start=50)
        await pilot.pause()
        assert "number 54." not in screen_text(app)
        await pilot.press("end")
        await still(pilot)
        app.utterances(5, start=55)
        await pilot.pause()
        assert selected(app) is None
        assert "number 59." in screen_text(app)


async def test_a_double_click_selects_the_entry() -> None:
    async with reading((60, 12)) as (app, pilot):
        app.piece(0, " one two three four five six seven eight nine ten eleven twelve")
        app.event(20, "Muted")
        await pilot.pause()
        await pilot.click(Transcript, offset=(TEXT + 3, TOP), times=2)
        await pilot.pause()
        assert selected(app) == app.talk.entries[0].text.strip()


async def test_copy_what_is_selected() -> None:
    async with reading((60, 12)) as (app, pilot):
        app.utterances(3)
        await pilot.press("shift+up", "shift+up")
        app.view.copy()
        await pilot.pause()
        assert app.clipboard == (
            "00:01 Moshi  This is what I said as number 1.\n"
            "00:03 Moshi  This is what I said as number 2."
        )
        assert "Copied 2 lines" in screen_text(app)


async def test_copy_without_a_selection() -> None:
    async with reading((60, 12)) as (app, pilot):
        app.view.copy()
        await pilot.pause()
        assert "nothing to copy" in screen_text(app)
        app.utterances(3)
        app.view.copy()
        assert app.clipboard == "\n".join(app.talk.lines())


@pytest.mark.parametrize("where", [Offset(0, 0), Offset(30, 0), Offset(79, 5)])
async def test_a_drag_that_begins_on_the_border_does_no_harm(where: Offset) -> None:
    async with reading() as (app, pilot):
        app.utterances(3)
        await pilot.pause()
        await drag(pilot, where, (TEXT + 3, TOP + 1))
        screen_text(app)


async def test_nothing_to_mark() -> None:
    async with reading() as (app, pilot):
        await pilot.press("shift+up")
        await drag(pilot, (TEXT, TOP), (TEXT + 3, TOP + 1))
        assert not selected(app)
