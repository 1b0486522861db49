from __future__ import annotations

import pytest

from moshi_tui.ui.screens.confirm import Confirm
from tests.ui.helpers import screen_text
from tests.ui.small import SmallApp


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["y"], True),
        (["n"], False),
        (["escape"], False),
        (["enter"], False),
        (["left", "enter"], True),
        (["tab", "enter"], True),
        (["right", "left", "enter"], False),
    ],
)
async def test_an_answer_by_key(keys: list[str], answer: bool) -> None:
    app = SmallApp()
    answers: list[bool | None] = []
    async with app.run_test() as pilot:
        await app.push_screen(Confirm("Reset?"), answers.append)
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        assert answers == [answer]


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_question_and_answers_are_written_out(size: tuple[int, int]) -> None:
    app = SmallApp()
    async with app.run_test(size=size) as pilot:
        question = "Moshi will forget [b]the talk\x1b[2J so far. The recording goes on. Reset?"
        await app.push_screen(Confirm(question, yes="Reset", no="Go on", ascii=True))
        await pilot.pause()
        text = " ".join(screen_text(app).replace("|", " ").split())
        assert "forget [b]the talk so far. The recording goes on. Reset?" in text
        assert "y Reset" in text
        assert "n Go on" in text
