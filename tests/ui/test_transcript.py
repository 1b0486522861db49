from __future__ import annotations

import pytest
from rich.cells import cell_len
from textual.strip import Strip

from moshi_tui.session.events import Skipped
from moshi_tui.ui import lines as lines_module
from moshi_tui.ui.widgets.transcript import Transcript
from tests.ui.helpers import screen_text
from tests.ui.reading import reading
from tests.ui.small import still


async def test_hanging_indent() -> None:
    async with reading((56, 24)) as (app, pilot):
        said = "That sounds like fun! What did you think of the view from the top?"
        for word in said.split():
            app.piece(0, f" {word}")
        await pilot.pause()
        lines = app.view.lines()
        assert lines == [
            "00:00 Moshi  That sounds like fun! What did you",
            "             think of the view from the top?",
        ]
        assert all(line in screen_text(app) for line in lines)


async def test_cursor_while_speaking() -> None:
    async with reading() as (app, pilot):
        app.piece(0, "Hey you")
        app.event(1, "Muted")
        app.view.speaking = True
        await pilot.pause()
        assert "Hey you▌" in screen_text(app)
        app.view.speaking = False
        await pilot.pause()
        assert "▌" not in screen_text(app)


async def test_there_is_one_cursor_and_it_goes_with_the_newest_utterance() -> None:
    async with reading() as (app, pilot):
        app.view.speaking = True
        app.piece(0, "Hey")
        await pilot.pause()
        assert "Hey▌" in screen_text(app)
        app.piece(50, "You")
        await pilot.pause()
        app.turn(49, 3)
        await pilot.pause()
        assert "Hey " in screen_text(app)
        assert "You▌" in screen_text(app)
        app.view.update_from(app.talk.add_event(51, "Reset", ends_utterance=True))
        app.view.speaking = False
        await pilot.pause()
        assert "▌" not in screen_text(app)


async def test_cursor_has_room_at_the_end_of_a_full_line() -> None:
    async with reading() as (app, pilot):
        app.view.speaking = True
        for length in range(1, 90):
            app.piece(1, "x")
            await pilot.pause()
            assert screen_text(app).count("▌") == 1, length


async def test_an_utterance_grows_above_what_happens_meanwhile() -> None:
    async with reading() as (app, pilot):
        app.piece(0, "Hel")
        app.event(1, "Muted")
        app.turn(2, 3)
        app.piece(3, "lo you")
        await pilot.pause()
        lines = ["00:00 Moshi  Hello you", "00:00 ·      Muted", "00:00 You    ███ 0.7 s"]
        assert app.view.lines() == lines
        assert all(line in screen_text(app) for line in lines)
        app.piece(8, " there" * 20)
        await pilot.pause()
        assert app.view.lines()[0].endswith("Hello you" + " there" * 8)
        assert app.view.lines()[-2:] == lines[1:]
        assert all(line in screen_text(app) for line in app.view.lines())


async def test_a_turn_grows_in_place_and_comes_before_a_later_word() -> None:
    async with reading() as (app, pilot):
        app.piece(51, "Oh")
        app.turn(50, 1)
        await pilot.pause()
        app.turn(50, 4)
        await pilot.pause()
        lines = ["00:04 You    ████ 1.0 s", "00:04 Moshi  Oh"]
        assert app.view.lines() == lines
        assert all(line in screen_text(app) for line in lines)


async def test_an_event_that_changes_is_wrapped_again_from_its_start() -> None:
    async with reading((60, 24)) as (app, pilot):
        skipped = [Skipped(110, "user", "silence", 800.0)]
        skipped += [Skipped(frame, "moshi", "speed", 80.0) for frame in range(110, 120)]
        for skip in skipped:
            app.view.update_from(app.talk.add_skipped(skip))
        await pilot.pause()
        assert app.view.lines() == [
            "00:08 ·      Skipped 0.8 s of silence and played Moshi",
            "             faster (0.8 s gained) to catch up",
        ]
        app.view.update_from(app.talk.add_skipped(Skipped(121, "user", "speech", 240.0)))
        app.event(122, "Muted")
        await pilot.pause()
        assert app.view.lines() == [
            "00:08 ·      Skipped 1.0 s (0.2 s of it your speech)",
            "             and played Moshi faster (0.8 s gained) to",
            "             catch up",
            "00:09 ·      Muted",
        ]
        assert all(line in screen_text(app) for line in app.view.lines())


async def test_what_changes_nothing_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with reading() as (app, pilot):
        app.utterances(50)
        app.turn(990, 3)
        await pilot.pause()
        drawn: list[int] = []
        real = Transcript.render_line

        def counted(self: Transcript, y: int) -> Strip:
            drawn.append(y)
            return real(self, y)

        monkeypatch.setattr(Transcript, "render_line", counted)
        app.turn(990, 3)
        await pilot.pause()
        assert drawn == []
        app.turn(990, 4)
        await pilot.pause()
        assert drawn == [21]
        app.view.scroll_home(animate=False)
        await pilot.pause()
        drawn.clear()
        app.turn(990, 5)
        await pilot.pause()
        assert drawn == []


async def test_follows_the_end_unless_scrolled_away() -> None:
    async with reading() as (app, pilot):
        view = app.view
        app.utterances(50)
        await pilot.pause()
        assert view.scroll_y == view.max_scroll_y > 0
        assert "number 49." in screen_text(app)

        await pilot.press("pageup")
        await still(pilot)
        there = view.scroll_y
        assert there < view.max_scroll_y
        app.piece(5000, "Something new")
        await pilot.pause()
        assert view.scroll_y == there
        assert "Something new" not in screen_text(app)

        await pilot.press("end")
        await still(pilot)
        app.piece(6000, "And more")
        await pilot.pause()
        assert view.scroll_y == view.max_scroll_y
        assert "And more" in screen_text(app)


async def test_says_that_there_is_more_below() -> None:
    async with reading() as (app, pilot):
        app.utterances(50)
        await pilot.pause()
        assert "End" not in screen_text(app)
        app.view.scroll_to(y=10, animate=False)
        await pilot.pause()
        assert "more below · End" in screen_text(app)
        app.event(2000, "Muted")
        await pilot.pause()
        assert "1 new line below · End" in screen_text(app)
        app.utterances(11, start=200)
        await pilot.pause()
        assert "12 new lines below · End" in screen_text(app)
        app.view.scroll_to(y=app.view.max_scroll_y - 4, animate=False)
        await pilot.pause()
        assert "4 new lines below · End" in screen_text(app)
        await pilot.press("end")
        await still(pilot)
        assert "End" not in screen_text(app)


@pytest.mark.parametrize("width", [60, 160, 30])
async def test_a_new_width_keeps_the_place(width: int) -> None:
    async with reading() as (app, pilot):
        view = app.view
        app.utterances(100)
        await pilot.pause()
        place = next(y for y, line in enumerate(view.lines()) if line.startswith("00:48"))
        view.scroll_to(y=place, animate=False)
        await pilot.pause()
        await pilot.resize_terminal(width, 24)
        await pilot.pause()
        assert view.lines()[view.scroll_offset.y].startswith("00:48")

        view.scroll_end(animate=False)
        await pilot.pause()
        await pilot.resize_terminal(width + 10, 12)
        await pilot.pause()
        assert view.scroll_y == view.max_scroll_y


async def test_the_column_of_times_widens_after_an_hour() -> None:
    async with reading() as (app, pilot):
        app.utterances(3)
        app.piece(45_000, "Still here?")
        await pilot.pause()
        assert app.view.lines()[2:] == [
            "  00:03 Moshi  This is what I said as number 2.",
            "1:00:00 Moshi  Still here?",
        ]
        assert all(line in screen_text(app) for line in app.view.lines())


async def test_a_piece_wraps_one_line_however_long_the_talk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with reading() as (app, pilot):
        app.utterances(3000)
        app.piece(100_000, " word" * 2000)
        app.turn(100_001, 3)
        await pilot.pause()
        wrapped: list[int] = []
        real = lines_module.wrap

        def counted(text: str, width: int, start: int = 0) -> list[tuple[int, int]]:
            wrapped.append(len(text) - start)
            return real(text, width, start)

        monkeypatch.setattr(lines_module, "wrap", counted)
        for _ in range(100):
            app.piece(100_002, " word")
        assert len(wrapped) == 100
        assert max(wrapped) < 80


async def test_markup_is_text() -> None:
    async with reading() as (app, pilot):
        app.piece(0, "[bold red]no[/] [@click=app.quit][/nope]")
        await pilot.pause()
        assert "[bold red]no[/] [@click=app.quit][/nope]" in screen_text(app)


async def test_another_theme_repaints(monkeypatch: pytest.MonkeyPatch) -> None:
    async with reading() as (app, pilot):
        app.utterances(3)
        await pilot.pause()
        dark = app.view.render_line(0)
        app.theme = "textual-light"
        await pilot.pause()
        light = app.view.render_line(0)
        assert light.text == dark.text
        assert light != dark


async def test_without_block_characters() -> None:
    async with reading((40, 12), ascii=True) as (app, pilot):
        app.utterances(30)
        app.turn(599, 4)
        app.piece(620, " Yes")
        app.event(621, "Muted")
        app.view.speaking = True
        await pilot.pause()
        app.view.scroll_to(y=3, animate=False)
        await pilot.pause()
        assert "more below - End" in screen_text(app)
        await pilot.press("end")
        await still(pilot)
        shown = "".join(line[1:-2] for line in screen_text(app).splitlines()[1:-1])
        assert shown.isascii()
        assert "Yes_" in shown
        assert "#### 1.0 s" in shown


@pytest.mark.parametrize("size", [(40, 3), (12, 6), (3, 3)])
async def test_a_tiny_window(size: tuple[int, int]) -> None:
    async with reading(size) as (app, pilot):
        app.utterances(5)
        app.turn(120, 30)
        app.panel.search()
        await pilot.pause()
        app.view.action_mark(-1)
        await pilot.pause()
        lines = screen_text(app).splitlines()
        assert all(cell_len(line) == size[0] for line in lines)


async def test_the_scrollbar_is_where_the_reader_is() -> None:
    async with reading((60, 12)) as (app, pilot):
        for n in range(60):  # it first appears with the reader at the end
            app.event(20 * n, f"Number {n}")
        await pilot.pause()
        assert app.view.vertical_scrollbar.position == app.view.scroll_y == app.view.max_scroll_y
