from __future__ import annotations

import time
from pathlib import Path

import pytest
from textual.pilot import Pilot

from moshi_tui.config import ScreenOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import (
    Event,
    Failed,
    Muted,
    Notice,
    Skipped,
    Sought,
    TextPiece,
    Underrun,
    UserTurn,
)
from moshi_tui.ui.engine_port import Listener
from moshi_tui.ui.keys import REPLAY_KEYS
from moshi_tui.ui.replaying import ReplayApp
from moshi_tui.ui.widgets.seekbar import SeekBar
from moshi_tui.ui.widgets.transcript import Transcript
from tests.fakes import FakePlayer
from tests.ui.helpers import looked, replaying, screen_text, until

BROKEN = MoshiTuiError("Cannot read the recording", "It is [b]torn\x1b[31m.", "Mend it.")

TALK: list[Event] = [
    Underrun(20, 300.0),  # of the first 3 s: not told
    TextPiece(25, 9, "Hello"),
    TextPiece(28, 9, " there."),
    UserTurn(75, 25, (-30.0,) * 8, over=True),
    TextPiece(125, 9, "How are you?"),
    Skipped(150, "user", "silence", 1920.0),
    Muted(200, True),
    UserTurn(375, 12, (-20.0,) * 4, over=True),
    TextPiece(500, 9, "Good bye."),
]
"""Somebody begins at 2, 6, 10, 30 and 40 s."""


def told(app: ReplayApp) -> str:
    return "\n".join(app.screen.query_one(Transcript).lines())


def found(app: ReplayApp) -> int:
    found = app.screen.query_one(Transcript).found
    return 0 if found is None else found.total


def seeks(player: FakePlayer) -> list[float]:
    return [call[1] for call in player.calls if call[0] == "seek"]


async def test_it_looks_like_the_talk_and_says_where_it_is() -> None:
    player = FakePlayer(TALK)
    async with replaying(player) as (app, pilot):
        player.at(12.0, lag_ms=142.0, muted=True, health="model 96 ms a frame")
        player.fire(*TALK[:5])
        await looked(pilot)
        text = screen_text(app)
        for words in (
            *("moshi-tui", "moshi-20261123-101010 · moshiko · q4", "▶  00:12 / 01:00"),
            *("Built-in Microphone", "Seed: 1", "00:02 Moshi  Hello there.", "How are you?"),
            *("You    muted", "142 ms", "good", "model 96 ms a frame"),
            *("space Pause", "n Next", "? Help", "q Quit"),
        ):
            assert words in text
        assert "interrupted" not in text
        assert "m Mute" not in text
        player.fire(Notice("Nothing is heard", "There is no speaker."))
        await pilot.press("space")
        await looked(pilot)
        text = screen_text(app)
        assert player.calls[-1] == ("pause", True)
        assert "▮▮  00:12 / 01:00" in text
        assert "space Play" in text
        assert "Nothing is heard: There is" in text
        player.at(60.0)
        await looked(pilot)
        text = screen_text(app)
        assert "the end  01:00 / 01:00" in text
        assert "space Again" in text
        await pilot.press("question_mark")
        await pilot.pause()
        assert "Pause, and play again" in screen_text(app)
        await pilot.press("escape", "q")
    assert app.return_code == 0
    assert player.calls[-1][0] == "stop"


async def test_keys_move_in_the_recording() -> None:
    player = FakePlayer(TALK)
    async with replaying(player) as (app, pilot):
        player.at(30.5)
        await pilot.press("left", "shift+right", "right", "comma", "full_stop", "0")
        assert seeks(player) == [25.5, 55.5, 60.0, 30.0, 60.0, 0.0]
        player.calls.clear()
        await pilot.press("n", "n", "n", "n", "n", "n")  # nobody begins after the last
        assert seeks(player) == [2.0, 6.0, 10.0, 30.0, 40.0]
        player.calls.clear()
        player.at(41.5)
        await looked(pilot)
        await pilot.press("p", "p", "p", "p", "p", "p")
        assert seeks(player) == [40.0, 30.0, 10.0, 6.0, 2.0, 0.0]
        player.calls.clear()
        keys = ["right_square_bracket", "right_square_bracket", *["left_square_bracket"] * 5]
        await pilot.press(*keys)
        assert [call[1] for call in player.calls] == [1.25, 1.5, 1.25, 1.0, 0.75, 0.5, 0.5]
        await looked(pilot)
        assert "▶ 0.5x" in screen_text(app)
        await pilot.press("backspace", "plus", "minus", "minus")
        assert player.calls[-4:] == [
            ("set_speed", 1.0),
            *(("set_volume", db) for db in (2.0, 0.0, -2.0)),
        ]
        await looked(pilot)
        assert "volume -2 dB" in screen_text(app)
        player.calls.clear()
        await pilot.click(SeekBar, offset=(40, 0))
        await pilot.pause()
        assert seeks(player) == [30.0]
        offered = [command.title for command in app.get_system_commands(app.screen)]
        assert offered[:3] == ["Pause", "-5 s", "+5 s"]
        assert "Mute" not in offered
        assert all(
            key.label in offered for key in REPLAY_KEYS if key.label and key.shown != "Ctrl+P"
        )


async def test_after_a_jump_the_conversation_is_that_up_to_there() -> None:
    player = FakePlayer(TALK)
    async with replaying(player) as (app, pilot):
        player.seek(45.0)
        await looked(pilot)
        assert "Good bye." in told(app)
        assert "Skipped 1.9 s" in told(app)
        await pilot.press("K")  # the last entry is selected
        player.seek(7.0)
        await looked(pilot)
        assert "Hello there." in told(app)
        assert "You" in told(app)
        assert "How are you?" not in told(app)
        assert app.screen.selections == {}
        player.at(10.0)
        player.fire(TALK[4])  # and goes on from there
        await looked(pilot)
        assert told(app).count("How are you?") == 1
        player.seek(0.0)
        await looked(pilot)
        assert told(app) == told(app).splitlines()[0] + "\n" + told(app).splitlines()[1]
        assert "Hello" not in screen_text(app)


async def test_after_a_jump_the_last_minute_of_the_lag_is_that_before_the_place() -> None:
    player = FakePlayer(TALK)
    player.lags = {1: 100.0, 20: 600.0, 30: 300.0, 50: 100.0}
    async with replaying(player) as (app, pilot):
        player.seek(34.5)
        await looked(pilot)
        assert "good 19 fair 5 poor 10" in screen_text(app)
        player.seek(10.0)
        await looked(pilot)
        assert "good 10" in screen_text(app)
        assert "poor" not in screen_text(app)


async def test_enter_goes_to_what_is_found_or_selected() -> None:
    player = FakePlayer(TALK)
    async with replaying(player) as (app, pilot):
        player.seek(50.0)
        player.pause(True)
        await looked(pilot)
        await pilot.press("slash", *"how", "enter")
        await looked(pilot)
        assert seeks(player)[-1] == 10.0
        assert not player.paused
        assert "How are you?" in told(app)
        assert "Good bye." not in told(app)
        await pilot.press("K", "K", "enter")
        await looked(pilot)
        assert seeks(player)[-1] == 6.0
        count = len(seeks(player))
        await pilot.press("enter")  # nothing is selected any more
        assert len(seeks(player)) == count
        player.at(player.length_s)
        player.pause(True)
        await pilot.press("K", "enter")  # at the end, where going on means from the beginning
        await looked(pilot)
        assert seeks(player)[-1] > 0
        assert player.stats.elapsed_s == seeks(player)[-1]
        player.at(player.length_s)
        player.pause(True)
        await pilot.press("space")
        await looked(pilot)
        player.at(1.0)
        await looked(pilot)
        assert "00:01 / 01:00" in screen_text(app)


async def test_a_search_goes_on_after_a_jump() -> None:
    player = FakePlayer(TALK)
    async with replaying(player) as (app, pilot):
        player.seek(50.0)
        await looked(pilot)
        await pilot.press("slash", "o")
        await looked(pilot)
        before = found(app)
        player.seek(9.0)
        await looked(pilot)
        assert 0 < found(app) < before
        await pilot.press("left", "left")  # of the words that are typed
        assert seeks(player)[-1] == 9.0


async def test_a_failure_leaves_what_was_said() -> None:
    player = FakePlayer(TALK)
    async with replaying(player) as (app, pilot):
        player.fire(*TALK[:3], Failed(BROKEN))
        await looked(pilot)
        text = screen_text(app)
        for words in (BROKEN.title, "It is [b]torn.", BROKEN.hint, "Hello there.", "q Quit"):
            assert words in text
        assert "Pause" not in text
        count = len(player.calls)
        await pilot.press("space", "left", "n", "enter")
        assert len(player.calls) == count
        await pilot.press("q")
    assert app.return_code == 1
    assert app.failure is BROKEN


async def test_what_cannot_be_opened_ends_it_at_once() -> None:
    def make(listener: Listener) -> FakePlayer:
        raise BROKEN

    app = ReplayApp(make, title="gone")
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.failure is not None)
        await pilot.pause()
    assert app.return_code == 1
    assert app.failure is BROKEN


async def test_saving_does_not_change_what_was_recorded(tmp_path: Path) -> None:
    player = FakePlayer(TALK)
    async with replaying(player, folder=tmp_path, notifications=True) as (app, pilot):
        player.seek(10.0)
        await pilot.press("s")
        await looked(pilot)
        assert "Saved to" in screen_text(app)
        *_, bar, keys = screen_text(app).splitlines()
        assert (bar.count("─") + bar.count("▀") + bar.count("▄"), bar.count("┃")) == (77, 1)
        assert "q Quit" in keys
        assert "Saved to" not in told(app)
        (file,) = tmp_path.iterdir()
        assert "Hello there." in file.read_text()


@pytest.mark.parametrize("size", [(1, 1), (40, 12), (200, 60)])
async def test_every_size_shows_what_it_can(size: tuple[int, int]) -> None:
    player = FakePlayer(TALK, length_s=7200.0)
    async with replaying(player, size, ScreenOptions(ascii=True)) as (app, pilot):
        player.speed = 1.25
        player.seek(4000.0)
        await looked(pilot)
        text = screen_text(app)
        if size >= (40, 12):
            assert "> 1.25x  1:06:40 / 2:00:00" in text
            assert "Good bye." in text
            assert text.isascii() or "·" in text


async def test_a_held_arrow_key_in_a_long_recording_does_not_pile_up() -> None:
    talk = [TextPiece(5 * n, 9, f" word{n}." if n % 9 else " And") for n in range(20_000)]
    player = FakePlayer(talk, length_s=8000.0)
    async with replaying(player) as (app, pilot):
        player.seek(7900.0)
        await settle(pilot)
        shown: list[float] = []
        screen = app.replay
        assert screen is not None
        begin_anew = screen.begin_anew
        screen.begin_anew = lambda talk, at: (shown.append(at), begin_anew(talk, at))  # type: ignore[method-assign]
        for step in range(40):
            player.fire(Sought(7900.0 - step, tuple(talk[: (7900 - step) * 5 // 2])))
        await settle(pilot)
        assert shown[-1] == 7861.0
        assert len(shown) < 10


async def settle(pilot: Pilot[None]) -> None:
    began = time.monotonic()
    await pilot.pause(0.05)
    assert time.monotonic() - began < 5.0
