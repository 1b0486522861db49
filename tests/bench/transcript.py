"""How smooth the conversation is: prints medians of processor time in milliseconds.

    PYTHONPATH=. python tests/bench/transcript.py [--entries 10 1000 10000]

An app with nothing but the conversation, headless, 120 columns by 40 lines. Measured is all that
the process does until the lines are painted and the compositor has made its update; what the
terminal does with it is not in it. Each column is one thing that happens:

nothing: only the waiting of the test driver, which is in all other columns too. piece: a word is
added to Moshi's utterance while the end is followed. turn: the user's turn goes on. line: an event
is added, and all moves up by a line. page: a page up. search: a letter more or less of a word that
stands in most entries. resize: from 120 columns to 80, or back.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import random
import statistics
import time
from collections.abc import Callable

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from moshi_tui.session.events import UserTurn
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.widgets.search import ConversationPanel

WORDS = ("the", "view", "from", "up", "there", "must", "have", "been", "great", "and", "we", "saw")
ROUNDS = 30
SIZE = (120, 40)


class Reader(App[None]):
    """The conversation alone."""

    def __init__(self, entries: int) -> None:
        super().__init__()
        self.talk = talk_of(entries)
        self.panel = ConversationPanel(self.talk)

    def compose(self) -> ComposeResult:
        """One panel."""
        yield self.panel


def talk_of(entries: int) -> Conversation:
    """Utterances of 3 to 40 words, and a turn of the user after every other."""
    chance, talk = random.Random(4), Conversation()
    for number in range(entries):
        frame = number * 40
        if number % 3 == 2:
            talk.add_turn(turn(frame, 20))
        else:
            text = " ".join(chance.choices(WORDS, k=chance.randint(3, 40)))
            talk.add_piece(frame, f" {text}.")
    return talk


def turn(frame: int, blocks: int) -> UserTurn:
    """A turn of so many blocks."""
    levels = tuple(-60.0 + 7 * (n % 6) for n in range(blocks))
    return UserTurn(frame, 3 * blocks, levels, False)


async def medians(entries: int) -> dict[str, float]:
    """Of all that is measured, with so many entries."""
    app = Reader(entries)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        view, talk, last = app.panel.transcript, app.talk, entries * 40
        view.update_from(talk.add_turn(turn(last, 1)))

        async def of(act: Callable[[int], object]) -> float:
            return statistics.median([await spent(pilot, act, n) for n in range(ROUNDS)])

        figures = {
            "nothing": await of(lambda n: None),
            "piece": await of(lambda n: view.update_from(talk.add_piece(last, " word"))),
            "turn": await of(lambda n: view.update_from(talk.add_turn(turn(last, n + 2)))),
            "line": await of(lambda n: view.update_from(talk.add_event(last, "Muted"))),
            "page": await of(lambda n: view.scroll_page_up(animate=False)),
            "search": await of(lambda n: view.find("the"[: 1 + n % 3])),
        }
        view.end_search()
        widths = (80, SIZE[0])
        figures["resize"] = await of(lambda n: pilot.resize_terminal(widths[n % 2], SIZE[1]))
        return figures


async def spent(pilot: Pilot[None], act: Callable[[int], object], number: int) -> float:
    """Milliseconds of the processor until it is painted."""
    started = time.process_time()
    result = act(number)
    if inspect.isawaitable(result):
        await result
    await pilot.pause()
    return 1000 * (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, nargs="+", default=[10, 1000, 10_000])
    for entries in parser.parse_args().entries:
        figures = asyncio.run(medians(entries))
        print(f"{entries:>6} entries:", *(f"{name} {ms:.1f}" for name, ms in figures.items()))


if __name__ == "__main__":
    main()
