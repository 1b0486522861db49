"""Every key of the talk, by what it asks of the engine and what the screen then says."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.command import CommandPalette

from moshi_tui.config import ScreenOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import (
    DeviceChanged,
    DeviceLost,
    Failed,
    Muted,
    Notice,
    RecordingStarted,
    RecordingStopped,
    TextPiece,
    UserTurn,
)
from moshi_tui.ui.keys import KEYS
from moshi_tui.ui.push_to_talk import FIRST_REPEAT_SECONDS, RELEASE_SECONDS
from moshi_tui.ui.screens.confirm import Confirm
from moshi_tui.ui.screens.devices import DevicesScreen
from moshi_tui.ui.screens.help import HelpScreen
from moshi_tui.ui.text import sentences
from moshi_tui.ui.widgets.transcript import Transcript
from tests.fakes import FakeDesk, FakeEngine
from tests.ui.helpers import looked, screen_text, talking, until

FOLDER = Path("moshi-20261123-101010")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_key_is_bound_once() -> None:
    keys = [name for key in KEYS for name in key.keys.split(",")]
    assert len(keys) == len(set(keys))


async def test_mute_is_asked_of_the_engine_and_said() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        await pilot.press("m")
        assert engine.calls[-1] == ("set_muted", True)
        await until(pilot, lambda: "You    muted" in screen_text(app))
        assert "m Unmute" in screen_text(app)
        await pilot.press("m")
        assert engine.calls[-1] == ("set_muted", False)
        await until(pilot, lambda: "m Mute" in screen_text(app))
        await until(pilot, lambda: "muted" not in screen_text(app))


async def test_space_talks_while_it_is_held() -> None:
    engine, clock = FakeEngine(), Clock()
    async with talking(engine, clock=clock) as (app, pilot):
        await pilot.press("m")
        await pilot.press("space")
        assert engine.calls[-1] == ("set_muted", False)
        for _ in range(5):
            clock.now += 0.05
            await pilot.press("space")
        await until(pilot, lambda: "space Talking" in screen_text(app))
        clock.now += RELEASE_SECONDS + 0.1
        await until(pilot, lambda: engine.calls[-1] == ("set_muted", True))
        await until(pilot, lambda: "You    space to talk" in screen_text(app))
        assert "m Open mic" in screen_text(app)
        engine.fire(Muted(5, True), Muted(9, False))
        await pilot.pause()
        assert "Unmuted" not in app.screen.query_one(Transcript).lines()
        assert "Push to talk: hold space" in " ".join(app.screen.query_one(Transcript).lines())
        await pilot.press("m")  # back to an open microphone
        assert engine.calls[-1] == ("set_muted", False)
        await until(pilot, lambda: "space Talk " in screen_text(app))


async def test_space_is_a_toggle_where_keys_do_not_repeat() -> None:
    engine, clock = FakeEngine(), Clock()
    async with talking(engine, clock=clock) as (app, pilot):
        await pilot.press("space")
        assert [call for call in engine.calls if call[0] == "set_muted"] == []  # was open already
        clock.now += FIRST_REPEAT_SECONDS + 0.1
        await until(pilot, lambda: "space Stop" in screen_text(app))
        clock.now += 10.0
        await pilot.press("space")
        assert engine.calls[-1] == ("set_muted", True)
        await until(pilot, lambda: "space to talk" in screen_text(app))
        clock.now += 10.0
        await pilot.press("space")
        assert engine.calls[-1] == ("set_muted", False)


async def test_reset_asks_only_while_recording() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: engine.calls[-1] == ("reset",))
        engine.calls.clear()
        engine.update(recording_s=3.0)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is app.talk)
        assert engine.calls == []
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: engine.calls == [("reset",)])
        assert app.screen is app.talk


async def test_record_starts_and_stops() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        await pilot.press("c")
        assert engine.calls[-1] == ("start_recording",)
        assert "REC" not in screen_text(app)  # not before it is so
        engine.update(recording_s=75.0)
        engine.fire(RecordingStarted(1, FOLDER))
        await until(pilot, lambda: "● REC 01:15" in screen_text(app))
        assert "c Stop rec" in screen_text(app)
        assert f"Recording to {FOLDER}" in screen_text(app)
        await pilot.press("c")
        assert engine.calls[-1] == ("stop_recording",)
        engine.update(recording_s=None)
        engine.fire(RecordingStopped(2, FOLDER, 75.0))
        await until(pilot, lambda: "REC" not in screen_text(app))
        assert "c Record" in screen_text(app)
        assert "Recorded 75 s to" in screen_text(app)


async def test_a_recording_that_breaks_off_is_told_and_may_begin_anew() -> None:
    engine = FakeEngine()
    async with talking(engine, (120, 30)) as (app, pilot):
        engine.fire(RecordingStarted(1, FOLDER))
        error = MoshiTuiError("Recording stopped", "The disk is full.", "Make room.")
        engine.fire(RecordingStopped(2, FOLDER, 3.0, error))
        await until(pilot, lambda: "The disk is full." in screen_text(app))
        await pilot.press("c")
        assert engine.calls[-1] == ("start_recording",)


async def test_a_recording_that_began_with_the_talk_can_be_stopped() -> None:
    engine = FakeEngine()
    engine.update(recording_s=0.5)
    async with talking(engine) as (app, pilot):
        await until(pilot, lambda: "c Stop rec" in screen_text(app))
        await pilot.press("c")
        assert engine.calls[-1] == ("stop_recording",)


async def test_volume_in_steps_within_its_limits() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        await pilot.press("minus", "minus", "plus", "minus")
        assert [call for call in engine.calls if call[0] == "set_volume"] == [
            ("set_volume", -2.0),
            ("set_volume", -4.0),
            ("set_volume", -2.0),
            ("set_volume", -4.0),
        ]
        await until(pilot, lambda: "volume -4 dB" in screen_text(app))


@pytest.mark.parametrize(("at", "key", "limit"), [(11.0, "plus", 12.0), (-39.0, "minus", -40.0)])
async def test_volume_has_its_limits(at: float, key: str, limit: float) -> None:
    engine = FakeEngine()
    engine.update(volume_db=at)
    async with talking(engine) as (_, pilot):
        await pilot.press(key, key)
        assert [call[1] for call in engine.calls if call[0] == "set_volume"] == [limit, limit]


async def test_compact_and_back() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.update(lag_ms=142.0)
        assert "Timing" in screen_text(app)
        await pilot.press("t")
        await until(pilot, lambda: "Timing" not in screen_text(app))
        await until(pilot, lambda: "lag 142 ms good" in screen_text(app))
        await pilot.press("t")
        await until(pilot, lambda: "Timing" in screen_text(app))


async def test_compact_from_the_start() -> None:
    engine = FakeEngine()
    async with talking(engine, options=ScreenOptions(compact=True)) as (app, pilot):
        await looked(pilot)
        assert "Timing" not in screen_text(app)
        assert "Moshi" in screen_text(app)


async def test_help_and_back() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("m")
        assert engine.calls == [("start",)]
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.talk)


async def test_devices_are_chosen_and_told() -> None:
    engine, desk = FakeEngine(), FakeDesk()
    engine.update(microphone="Built-in Microphone", speaker="Headphones")
    async with talking(engine, desk=desk) as (app, pilot):
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, DevicesScreen))
        await until(pilot, lambda: "Scarlett 2i2 USB" in screen_text(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: ("use_device", "input", "Scarlett 2i2 USB") in engine.calls)
        words = "Sound device refused", "Scarlett is busy.", "Close the other program."
        engine.fire(Notice("Keeping up again", "Nothing needs to be left out now."))
        await looked(pilot)
        assert "Switching to Scarlett" in screen_text(app)
        engine.fire(Notice(*words, side="input"))
        await until(pilot, lambda: "Scarlett is busy." in screen_text(app))
        await pilot.press("enter")
        engine.update(microphone="Scarlett 2i2 USB")
        engine.fire(DeviceChanged(40, "input", "Scarlett 2i2 USB"))
        await looked(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.talk)
        assert "Microphone: Scarlett 2i2 USB" in screen_text(app)


async def test_a_lost_device_is_told() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.update(speaker_lost="unplugged", health="speaker is gone: d chooses another one")
        engine.fire(DeviceLost(40, "output", "Head[b]phones", "It was unplugged."))
        await until(pilot, lambda: "Moshi  gone" in screen_text(app))
        await until(pilot, lambda: "speaker is gone: d chooses" in screen_text(app))
        assert "Speaker lost: Head[b]phones" in screen_text(app)


async def test_search_finds_and_leaves() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.fire(TextPiece(1, 9, " Mind the gap"), TextPiece(50, 9, " The map"))
        await pilot.press("slash", "a", "p")
        await until(pilot, lambda: "2 of 2" in screen_text(app))
        assert engine.calls == [("start",)]  # letters are typed, not keys of the talk
        await pilot.press("enter")
        await until(pilot, lambda: "1 of 2" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "1 of 2" not in screen_text(app))
        await pilot.press("m")
        assert engine.calls[-1] == ("set_muted", True)


async def test_save_writes_a_file(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with talking(engine, folder=tmp_path, notifications=True) as (app, pilot):
        engine.fire(TextPiece(1, 9, " Mind the gap"))
        await pilot.press("s")
        await until(pilot, lambda: "Saved to" in screen_text(app))
        (file,) = tmp_path.iterdir()
        assert "Moshi  Mind the gap" in file.read_text(encoding="utf-8")
        assert "moshiko · q4 · Apple M3 Max" in file.read_text(encoding="utf-8")


async def test_what_can_not_be_saved_is_told(tmp_path: Path) -> None:
    engine = FakeEngine()
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    async with talking(engine, (120, 30), folder=blocked, notifications=True) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: "Conversation not saved" in screen_text(app))


async def test_copy_takes_the_whole_conversation() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.fire(TextPiece(1, 9, " Mind the gap"))
        await looked(pilot)
        await pilot.press("y")
        await until(pilot, lambda: "Mind the gap" in app.clipboard)
        assert "Microphone: Built-in" in app.clipboard


async def test_end_follows_again() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.fire(*(TextPiece(20 * n, 9, f" Number {n}.") for n in range(60)))
        await looked(pilot)
        view = app.screen.query_one(Transcript)
        await pilot.press("home")
        await until(pilot, lambda: view.scroll_y == 0)
        engine.fire(TextPiece(2000, 9, " And more."))
        await looked(pilot)
        assert view.scroll_y == 0
        await pilot.press("end")
        await until(pilot, lambda: "And more." in screen_text(app))


async def test_palette_runs_every_action() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"record")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await until(pilot, lambda: ("start_recording",) in engine.calls)
        for command in app.get_system_commands(app.screen):
            if command.title == "Louder":
                await command.callback()
        assert engine.calls[-1] == ("set_volume", 2.0)


@pytest.mark.parametrize("theme", ["light", "contrast"])
async def test_a_theme_is_chosen_and_remembered(theme: str) -> None:
    chosen: list[str] = []
    engine = FakeEngine()
    async with talking(engine, remember_theme=chosen.append) as (app, pilot):
        before = app.screen.background_colors
        titles = {command.title: command for command in app.get_system_commands(app.screen)}
        titles[f"Theme: {theme}"].callback()
        await looked(pilot)
        assert app.theme == theme
        assert chosen == [theme]
        assert app.screen.background_colors != before


async def test_a_theme_that_can_not_be_remembered_is_told() -> None:
    def refuse(name: str) -> None:
        raise MoshiTuiError("Theme not remembered", "config.toml is read-only.", "")

    engine = FakeEngine()
    async with talking(engine, (120, 30), remember_theme=refuse) as (app, pilot):
        app.choose_theme("light")
        await until(pilot, lambda: "config.toml is read-only." in screen_text(app))
        assert app.theme == "light"


async def test_a_click_on_a_key_does_what_the_key_does() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        line = screen_text(app).splitlines()[-1]
        await pilot.click("KeyBar", offset=(line.index("Mute"), 0))
        assert engine.calls[-1] == ("set_muted", True)
        await pilot.click("KeyBar", offset=(line.index("Record"), 0))
        assert engine.calls[-1] == ("start_recording",)


async def test_turns_grow_in_place() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.fire(UserTurn(20, 6, (-40.0, -20.0), over=False))
        await until(pilot, lambda: "0.5 s" in screen_text(app))
        engine.fire(UserTurn(20, 12, (-40.0, -20.0, -20.0, -30.0), over=True))
        await until(pilot, lambda: "1.0 s" in screen_text(app))
        assert screen_text(app).count("You  ") == 2  # here and in the levels


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_ascii_is_ascii_everywhere(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    async with talking(engine, size, ScreenOptions(ascii=True)) as (app, pilot):
        engine.update(lag_ms=142.0, recording_s=5.0, health="too slow")
        engine.fire(UserTurn(20, 6, (-40.0, -20.0), over=True), TextPiece(50, 9, " Hey"))
        engine.fire(*(TextPiece(20 * n, 9, f" Number {n}.") for n in range(9, 60)))
        await until(pilot, lambda: "Number 59." in screen_text(app))
        screens = [screen_text(app)]
        for key, close in (
            *(("question_mark", "escape"), ("d", "escape"), ("ctrl+p", "escape")),
            *(("slash", "escape"), ("r", "escape"), ("t", "t")),
        ):
            await pilot.press(key)
            if key in ("slash", "t"):
                await looked(pilot)
            else:
                await until(pilot, lambda: app.screen is not app.talk)
                await pilot.pause()
            screens.append(screen_text(app))
            await pilot.press(close)
            await until(pilot, lambda: app.screen is app.talk)
            await pilot.pause()
        for text in screens:
            assert text.isascii(), sorted(char for char in set(text) if not char.isascii())


async def test_reading_keys_arrive_at_once() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.fire(*(TextPiece(20 * n, 9, f" Number {n}.") for n in range(60)))
        await looked(pilot)
        view = app.screen.query_one(Transcript)
        await pilot.press("home")
        await pilot.pause()
        assert view.scroll_y == 0
        await pilot.press("pagedown")
        await pilot.pause()
        assert 0 < view.scroll_y < view.max_scroll_y
        await pilot.press("end")
        engine.fire(TextPiece(2000, 9, " And more."))
        await looked(pilot)
        assert view.scroll_y == view.max_scroll_y


async def test_a_failure_closes_what_would_hide_it() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.update(recording_s=1.0)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        engine.fire(Failed(MoshiTuiError("Out of memory", "No more.", "Use less.")))
        await until(pilot, lambda: app.screen is app.talk)
        await looked(pilot)
        assert "Out of memory" in screen_text(app)
        assert ("reset",) not in engine.calls


async def test_dialogs_do_not_stack() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.update(recording_s=1.0)
        await pilot.press("r", "r", "r")
        await looked(pilot)
        assert len(app.screen_stack) == 3  # Textual's own, the talk, one question
        await pilot.press("ctrl+p")
        await looked(pilot)
        assert isinstance(app.screen, Confirm)
        await pilot.press("q")
        await until(pilot, lambda: app.screen is app.talk)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"devices")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DevicesScreen))


async def test_volume_is_said_in_the_compact_view() -> None:
    engine = FakeEngine()
    async with talking(engine, options=ScreenOptions(compact=True)) as (app, pilot):
        await pilot.press("plus")
        await until(pilot, lambda: "volume +2 dB" in screen_text(app))


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (80, 24)])
async def test_a_toggle_is_said_at_any_width(size: tuple[int, int]) -> None:
    engine, clock = FakeEngine(), Clock()
    async with talking(engine, size, clock=clock) as (app, pilot):
        await pilot.press("space")
        clock.now += FIRST_REPEAT_SECONDS + 0.1
        await until(pilot, lambda: "space Stop" in screen_text(app))


def test_sentences_have_their_full_stops() -> None:
    assert sentences("The disk is full", "", "Make room") == "The disk is full. Make room."
    assert sentences("Why?", "So.") == "Why? So."
    assert sentences("", "") == ""


async def test_a_drag_over_the_border_selects_no_more_than_its_line() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.fire(*(TextPiece(20 * n, 9, f" Number {n}.") for n in range(6)))
        await looked(pilot)
        lines = screen_text(app).splitlines()
        y = next(y for y, line in enumerate(lines) if "Number 1." in line)
        x = lines[y].index("Number")
        await pilot.mouse_down(offset=(x, y))
        await pilot.hover(offset=(60, y))  # over the panel beside it
        await pilot.mouse_up(offset=(60, y))
        await looked(pilot)
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard)
        assert app.clipboard == "Number 1."
