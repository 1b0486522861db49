from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.strip import Strip

from moshi_tui.clean import clean
from moshi_tui.session.events import Event, Muted, Skipped, TextPiece
from moshi_tui.ui.widgets import transcript as transcript_module
from moshi_tui.ui.widgets.transcript import Transcript
from tests.fakes import INFO, FakeEngine
from tests.ui.helpers import screen_text, talking
from tests.ui.test_text import TEXT

PREFIX = len("00:00 Moshi  ")


def pieces(*texts: str, frame: int = 0) -> list[Event]:
    return [TextPiece(frame + index, 9, text) for index, text in enumerate(texts)]


def utterances(count: int) -> list[Event]:
    return [TextPiece(20 * n, 9, f" This is what I said as number {n}.") for n in range(count)]


async def test_hanging_indent() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        said = "That sounds like fun! What did you think of the view from the top?"
        engine.fire(*pieces(*[f" {word}" for word in said.split()]))
        await pilot.pause()
        lines = app.screen.query_one(Transcript).lines()[-2:]
        assert lines[0] == "00:00 Moshi  That sounds like fun! What did you"
        assert lines[1] == "             think of the view from the top?"
        assert all(line in screen_text(app) for line in lines)


async def test_cursor_while_speaking() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.update(frame=3)
        engine.fire(*pieces("Hey", " you"))
        await pilot.pause(0.2)
        assert "Hey you▌" in screen_text(app)
        engine.update(frame=30)
        await pilot.pause(0.2)
        assert "▌" not in screen_text(app)


async def test_cursor_has_room_at_the_end_of_a_full_line() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.update(frame=1)
        for length in range(1, 90):
            engine.fire(TextPiece(1, 9, "x"))
            await pilot.pause()
            await pilot.pause(0.07 if length == 1 else 0)
            assert screen_text(app).count("▌") == 1, length


async def test_an_utterance_grows_above_an_event() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.fire(*pieces("Hel"), Muted(1, True), *pieces("lo", " you", frame=2))
        await pilot.pause()
        assert app.screen.query_one(Transcript).lines()[-2:] == [
            "00:00 Moshi  Hello you",
            "00:00 ·      Muted",
        ]


async def test_an_event_that_changes_is_wrapped_again_from_its_start() -> None:
    engine = FakeEngine()
    async with talking(engine, (60, 24)) as (app, pilot):
        skipped = Skipped(110, "user", "silence", 800.0)
        faster = [Skipped(frame, "moshi", "speed", 80.0) for frame in range(110, 120)]
        engine.fire(skipped, *faster)
        await pilot.pause()
        assert app.screen.query_one(Transcript).lines()[-2:] == [
            "00:08 ·      Skipped 0.8 s of silence and played Moshi",
            "             faster (0.8 s gained) to catch up",
        ]
        engine.fire(Skipped(121, "user", "speech", 240.0), Muted(122, True))
        await pilot.pause()
        lines = app.screen.query_one(Transcript).lines()[-4:]
        assert lines == [
            "00:08 ·      Skipped 1.0 s (0.2 s of it your speech)",
            "             and played Moshi faster (0.8 s gained) to",
            "             catch up",
            "00:09 ·      Muted",
        ]
        assert all(line in screen_text(app) for line in lines)
        engine.fire(Skipped(123, "user", "speech", 240.0))
        await pilot.pause()
        assert "Skipped 1.3 s (0.5 s of it" in screen_text(app)


async def test_what_changes_nothing_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    async with talking(engine) as (_, pilot):
        engine.fire(*(Skipped(frame, "user", "silence", 80.0) for frame in range(100, 110)))
        await pilot.pause(0.2)
        drawn: list[int] = []
        real = Transcript.render_line

        def counted(self: Transcript, y: int) -> Strip:
            drawn.append(y)
            return real(self, y)

        monkeypatch.setattr(Transcript, "render_line", counted)
        engine.fire(*(Skipped(frame, "moshi", "speed", 2.0) for frame in range(100, 120)))
        await pilot.pause(0.2)
        assert drawn == []
        engine.fire(Skipped(120, "moshi", "speed", 200.0))
        await pilot.pause(0.2)
        assert len(drawn) > 0


async def test_follows_the_end_unless_scrolled_away() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        view = app.screen.query_one(Transcript)
        engine.fire(*utterances(50))
        await pilot.pause()
        assert view.scroll_y == view.max_scroll_y > 0
        assert "number 49." in screen_text(app)

        await pilot.press("pageup")
        await pilot.pause(0.5)
        there = view.scroll_y
        assert there < view.max_scroll_y
        engine.fire(TextPiece(5000, 9, "Something new"))
        await pilot.pause()
        assert view.scroll_y == there
        assert "Something new" not in screen_text(app)

        await pilot.press("end")
        await pilot.pause(0.5)
        engine.fire(TextPiece(6000, 9, "And more"))
        await pilot.pause()
        assert view.scroll_y == view.max_scroll_y
        assert "And more" in screen_text(app)


@pytest.mark.parametrize("width", [60, 160, 30])
async def test_a_new_width_keeps_the_place(width: int) -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        view = app.screen.query_one(Transcript)
        engine.fire(*utterances(100))
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


async def test_a_piece_wraps_one_line_however_long_the_talk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = FakeEngine()
    async with talking(engine) as (_, pilot):
        engine.fire(*utterances(3000), *pieces(*[" word"] * 2000, frame=100_000))
        engine.update(frame=100_000)
        await pilot.pause()
        wrapped: list[int] = []
        real = transcript_module.wrap

        def counted(text: str, width: int, start: int = 0) -> list[tuple[int, int]]:
            wrapped.append(len(text) - start)
            return real(text, width, start)

        monkeypatch.setattr(transcript_module, "wrap", counted)
        engine.fire(*pieces(*[" word"] * 100, frame=102_000))
        await pilot.pause()
        assert len(wrapped) == 100
        assert max(wrapped) < 80


async def test_markup_is_text() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.fire(*pieces("[bold red]no[/] ", "[@click=app.quit]", "[/nope]"))
        await pilot.pause()
        assert "[bold red]no[/]" in screen_text(app)


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.tuples(st.integers(0, 20), TEXT), max_size=60), st.sampled_from([80, 60, 38]))
async def test_any_text_is_drawn_as_cleaned(steps: list[tuple[int, str]], width: int) -> None:
    engine = FakeEngine()
    async with talking(engine, (width, 20)) as (app, pilot):
        view = app.screen.query_one(Transcript)
        head = f"Microphone:{INFO.microphone}.Speaker:{INFO.speaker}.Seed:{INFO.seed}"
        frame, events = 0, list[Event]()
        for gap, text in steps:
            frame += gap
            events.append(TextPiece(frame, 9, text))
        engine.fire(*events)
        await pilot.pause()
        screen_text(app)
        cleaned = clean("".join(text for _, text in steps))
        assert app.transcript_text() == cleaned
        lines = view.lines()
        assert all(cell_len(line) <= view.size.width for line in lines)
        prefix = PREFIX if view.size.width >= 40 else len("00:00 ")
        drawn = "".join(line[prefix:] for line in lines)
        # Where a line or an utterance begins, white space goes.
        assert "".join(drawn.split()) == "".join((head + cleaned).split())
