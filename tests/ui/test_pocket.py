"""Who sees the demo for the first time is told what it is, and what to type for the real one."""

from dataclasses import replace

import pytest

from moshi_tui.session.events import Ready, TextPiece, UserSaid
from moshi_tui.session.pocket import POCKET_MOSHI, REAL_ONE
from moshi_tui.ui.app import MoshiApp
from tests.fakes import INFO, FakeDesk, FakeEngine
from tests.ui.helpers import screen_text, until

POCKET = replace(INFO, model=POCKET_MOSHI, quant="q8", device="CPU")


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_it_is_said_where_it_stays(size):
    engine = FakeEngine()
    app = MoshiApp(engine.listen_to, FakeDesk)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: engine.calls)
        engine.fire(Ready(POCKET))
        await until(pilot, lambda: app.talk is not None and app.talk.is_current)
        engine.fire(UserSaid(3, "Hello."), *(TextPiece(n, 9, f" word {n}") for n in range(4, 200)))
        await until(pilot, lambda: "word 199" in " ".join(app.talk.transcript.lines()))
        await pilot.pause()
        text = screen_text(app)
        assert "Pocket Moshi, a" in text
        assert f"The real one: {REAL_ONE}" in text
        lines = " ".join(" ".join(app.talk.transcript.lines()).split())
        assert "understands little" in lines
        assert "Demo user: Hello." in lines


async def test_of_another_model_nothing_is_said():
    engine = FakeEngine()
    app = MoshiApp(engine.listen_to, FakeDesk)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: engine.calls)
        engine.fire(Ready(INFO))
        await until(pilot, lambda: app.talk is not None and app.talk.is_current)
        await pilot.pause()
        assert "Pocket" not in screen_text(app)
        assert REAL_ONE not in screen_text(app)
