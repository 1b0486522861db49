from __future__ import annotations

import random

from rich.cells import cell_len
from textual.pilot import Pilot

from moshi_tui.clean import clean
from tests.ui.helpers import screen_text
from tests.ui.reading import Reader, reading

PIECES = 10_000
LOOK_EVERY = 500
SCRAPS = (
    *("[bold]", "[/]", "[@click=app.quit]x[/]", "[link='http://a']", "\\[", "[", "]", "{0}", "%s"),
    *(
        "\x1b[31m",
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x1bP1$r\x1b\\",
        "\x1b",
    ),
    *("\x9b31m", "\x9d0;x\x9c", "\x07", "\x08", "\r\n", "\t", "\x7f", "\x00", "\x85", "\u2028"),
    *("日本語", "한글", "ｗｉｄｅ", "👍🏽", "👩\u200d👩\u200d👧", "🇩🇪", "☺\ufe0f", "ﷺ"),
    *("e\u0301", "\u0301", "\u0301" * 9, "ก็", "ᄒ", "ᅡ", "ᆫ", "Z\u0351\u0343", "क्षि"),
    *("نعم", "שלום", "\u202e", "\u2066", "\u200f", "\u061c", "\ufeff", "\u00ad", "\u00a0"),
    *("\ud800", "\udfff", "\ud83d", "\ude00", "\uffff", "\U0010ffff"),
    *(" ", "  ", " word", " the", "ß", "İ", "Hello ", "unbreakable" * 4, "."),
)


def piece(chance: random.Random) -> str:
    scraps = [chance.choice(SCRAPS) for _ in range(chance.randrange(4))]
    if chance.random() < 0.3:
        scraps.append("".join(chr(chance.randrange(0x110000)) for _ in range(3)))
    return "".join(scraps)


async def test_ten_thousand_random_pieces_are_drawn_as_cleaned() -> None:
    chance = random.Random(20)
    async with reading((70, 20)) as (app, pilot):
        said: list[str] = []
        frame = 0
        for number in range(PIECES):
            frame += chance.choice((0, 1, 2, 30))
            said.append(piece(chance))
            app.piece(frame, said[-1])
            if chance.random() < 0.02:
                app.turn(frame - chance.randrange(4), chance.randrange(1, 60))
            if chance.random() < 0.02:
                app.event(frame, piece(chance) or "Muted")
            if number % LOOK_EVERY == 0:
                await do_something(app, pilot, chance)
                assert_well_drawn(app)
        cleaned = clean("".join(said))
        assert app.talk.spoken() == cleaned
        assert_all_drawn(app, cleaned)


async def do_something(app: Reader, pilot: Pilot[None], chance: random.Random) -> None:
    """What a reader does meanwhile."""
    await pilot.pause()
    match chance.randrange(7):
        case 0:
            await pilot.resize_terminal(chance.choice((70, 38, 24, 130)), chance.choice((20, 7)))
        case 1:
            app.view.find(chance.choice(("the", "s", "日", "[", "e\u0301", "i̇", "\u0301")))
        case 2:
            app.view.find_next(chance.choice((-1, 1)))
        case 3:
            app.view.end_search()
        case 4:
            app.view.action_mark(chance.choice((-1, 1)))
            app.view.copy()
            app.clear_notifications()
        case 5:
            app.screen.clear_selection()
        case _:
            await pilot.mouse_down(offset=place(app, chance))
            await pilot.hover(offset=place(app, chance))
            await pilot.mouse_up(offset=place(app, chance))
            assert_harmless(app.screen.get_selected_text() or "")
    await pilot.pause()


def place(app: Reader, chance: random.Random) -> tuple[int, int]:
    return chance.randrange(app.size.width), chance.randrange(app.size.height)


def assert_well_drawn(app: Reader) -> None:
    """Lines as wide as the screen, and nothing in them that steers a terminal."""
    for line in screen_text(app).splitlines():
        assert_harmless(line)


def assert_harmless(text: str) -> None:
    for line in text.split("\n"):
        assert clean(line) == line
    text.encode()


def assert_all_drawn(app: Reader, cleaned: str) -> None:
    """Moshi's lines on the screen together are all that was said."""
    lines, drawn = app.view._lines, ""
    for number, line in enumerate(app.view.lines()):
        assert cell_len(line) < app.view.size.width
        if app.talk.entries[lines[number].entry].speaker == "Moshi":
            drawn += line[lines.indent :]
    # Where a line or an utterance begins, white space goes.
    assert "".join(drawn.split()) == "".join(cleaned.split())
