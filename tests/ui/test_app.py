from __future__ import annotations

import pytest
from textual.command import CommandPalette

from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import (
    Failed,
    InputEnded,
    Loading,
    Muted,
    Notice,
    Ready,
    Skipped,
    TextPiece,
    Underrun,
    WasReset,
)
from moshi_tui.session.stats import Stats
from moshi_tui.ui.app import MoshiApp
from moshi_tui.ui.engine_port import Listener
from moshi_tui.ui.keys import KEYS
from moshi_tui.ui.screens.loading import LoadingScreen
from moshi_tui.ui.screens.talk import TalkScreen
from moshi_tui.ui.widgets.transcript import Transcript
from tests.fakes import INFO, FakeDesk, FakeEngine
from tests.ui.helpers import looked, screen_text, started, talking, until

GONE = MoshiTuiError("Microphone is gone", "It has been [b]unplugged\x1b[31m.", "Plug it in.")
TRUNCATED = MoshiTuiError("Checkpoint is truncated", "Two of four GB.", "moshi-tui --quant 4")


async def test_loading() -> None:
    engine = FakeEngine()
    async with started(engine) as (app, pilot):
        assert engine.calls == [("start",)]
        await looked(pilot)
        text = screen_text(app)
        assert all(stage.capitalize() in text for stage in Loading.STAGES)
        assert "q Quit" in text
        assert "Mute" not in text
        engine.fire(Loading("files", "config.json"), Loading("weights", "4.8 GB", 0.5))
        await pilot.pause()
        text = screen_text(app)
        assert "✓ Files" in text
        assert "4.8 GB" in text


async def test_trying_again_after_a_failure() -> None:
    engines: list[FakeEngine] = []

    def make(listener: Listener) -> FakeEngine:
        if len(engines) == 1:
            engines.append(FakeEngine())
            raise TRUNCATED
        engines.append(FakeEngine().listen_to(listener))
        return engines[-1]

    app = MoshiApp(make, FakeDesk)
    async with app.run_test() as pilot:
        await until(pilot, lambda: engines and engines[0].calls)
        engines[0].fire(Loading("weights", "", 0.4), Failed(GONE))
        await until(pilot, lambda: app.failure is GONE)
        await pilot.pause()
        await pilot.press("r")  # the second one can't be made
        await until(pilot, lambda: app.failure is TRUNCATED)
        assert engines[0].calls == [("start",), ("stop", 1.0)]  # memory for two would be too much
        engines[0].fire(Failed(GONE))
        await pilot.pause()
        assert app.failure is TRUNCATED
        assert GONE.title not in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: len(engines) == 3 and engines[2].calls)
        engines[2].load()
        await until(pilot, lambda: app.talk is not None and app.screen is app.talk)
        engines[2].fire(TextPiece(1, 9, "Hey"))
        await looked(pilot)
        assert "Moshi  Hey" in screen_text(app)
        await pilot.press("q")
    assert app.return_code == 0


async def test_no_key_but_quit_while_loading() -> None:
    engine = FakeEngine()
    async with started(engine) as (app, pilot):
        await pilot.press("m", "r", "ctrl+p")
        await pilot.pause()
        assert engine.calls == [("start",)]
        assert isinstance(app.screen, LoadingScreen)


async def test_ready_shows_the_talk() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, _):
        assert isinstance(app.screen, TalkScreen)
        text = screen_text(app)
        for words in (
            *("moshi-tui", "moshiko · q4 · Apple M3 Max", "00:00:00", "Conversation"),
            *("Built-in Microphone", "Headphones", "Levels", "You", "Timing", "lag"),
            *("m Mute", "r Reset", "c Record", "d Devices", "? Help", "q Quit"),
        ):
            assert words in text
        assert app.transcript_text() == ""


async def test_transcript_is_the_pieces_joined() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        texts = [" Hey", ",", " how", "'s", " it", " go", "ing", "?", " Fine", "."]
        frames = [1, 2, 3, 4, 5, 6, 7, 8, 40, 41]
        for frame, text in zip(frames, texts, strict=True):
            engine.fire(TextPiece(frame, 9, text))
        await pilot.pause()
        assert app.transcript_text() == "".join(texts)
        assert "00:00 Moshi  Hey, how's it going?" in screen_text(app)
        assert "00:03 Moshi  Fine." in screen_text(app)


async def test_events_before_ready_are_not_lost() -> None:
    engine = FakeEngine()
    async with started(engine, notifications=True) as (app, pilot):
        engine.fire(Notice("No [b]echo", "You may\x1b[2J hear it.", "Use headphones."))
        await looked(pilot)
        assert "No [b]echo" in screen_text(app)
        assert "You may hear it." in screen_text(app)
        engine.fire(TextPiece(1, 9, "Hey"), Ready(INFO), TextPiece(2, 9, " you"))
        await pilot.pause()
        assert "Moshi  Hey you" in screen_text(app)
        assert "No [b]echo: You may" in screen_text(app)


async def test_mute_and_unmute() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        await pilot.press("m")
        await pilot.pause()
        assert engine.calls[-1] == ("set_muted", True)
        engine.update(muted=True)
        engine.fire(Muted(12, True))
        await looked(pilot)
        text = screen_text(app)
        assert "m Unmute" in text
        assert "You    muted" in text
        assert "00:00 ·      Muted" in text
        await pilot.press("m")
        await pilot.pause()
        assert engine.calls[-1] == ("set_muted", False)
        engine.update(muted=False)
        engine.fire(Muted(30, False))
        await looked(pilot)
        text = screen_text(app)
        assert "m Mute" in text
        assert "You    muted" not in text
        assert "00:02 ·      Unmuted" in text
        assert len(engine.calls) == 3


async def test_reset() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.fire(TextPiece(1, 9, "Hey"))
        await pilot.press("r")
        await pilot.pause()
        assert engine.calls[-1] == ("reset",)
        engine.fire(WasReset(26), TextPiece(27, 9, "Hello"))
        await pilot.pause()
        text = screen_text(app)
        assert "00:02 ·      Reset:" in text
        assert text.index("Hey") < text.index("Reset:") < text.index("Moshi  Hello")


async def test_input_over_and_notice() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.update(frame=1000)
        engine.fire(InputEnded(999), Notice("Speaker changed", "Now: HDMI."))
        await pilot.pause()
        text = screen_text(app)
        assert "01:19 ·      The input is over" in text
        assert "01:20 ·      Speaker changed: Now: HDMI." in text


async def test_failure_while_loading() -> None:
    engine = FakeEngine()
    async with started(engine) as (app, pilot):
        engine.fire(Loading("weights", "", 0.4), Failed(TRUNCATED))
        await pilot.pause()
        text = screen_text(app)
        for words in (TRUNCATED.title, TRUNCATED.message, TRUNCATED.hint, "✗ Weights", "q Quit"):
            assert words in text
        assert "40%" not in text
        await pilot.press("q")
    assert app.return_code == 1
    assert app.failure is TRUNCATED


async def test_a_long_error_is_read_by_key() -> None:
    message = "\n".join(f"line {number}" for number in range(50))
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.fire(Failed(MoshiTuiError("Long", message, "The end.")))
        await pilot.pause()
        assert "The end." not in screen_text(app)
        await pilot.press("tab", "end")
        await until(pilot, lambda: "The end." in screen_text(app))
    async with started(engine) as (app, pilot):
        engine.fire(Failed(MoshiTuiError("Long", message, "The end.")))
        await pilot.pause()
        await pilot.press("end")
        await until(pilot, lambda: "The end." in screen_text(app))


async def test_failure_to_make_the_engine() -> None:
    def make(listener: Listener) -> FakeEngine:
        raise TRUNCATED

    app = MoshiApp(make, FakeDesk)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.failure is not None)
        await pilot.pause()
        assert TRUNCATED.title in screen_text(app)
        await pilot.press("q")
    assert app.return_code == 1


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60), (40, 15)])
async def test_failure_while_talking(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    async with talking(engine, size) as (app, pilot):
        engine.update(frame=3)
        engine.fire(TextPiece(1, 9, "My last words"), Failed(GONE))
        await looked(pilot)
        text = screen_text(app)
        for words in (GONE.title, "It has been [b]unplugged.", GONE.hint, "My last words"):
            assert words in text
        assert "▌" not in text
        assert "q Quit" in text
        assert "Reset" not in text
        await pilot.press("m", "r")
        assert engine.calls == [("start",)]
        engine.fire(Failed(TRUNCATED))  # what follows from the first
        await pilot.pause()
        assert GONE.title in screen_text(app)
        assert any(TRUNCATED.title in entry.text for entry in app.talking.conversation.entries)
        await pilot.press("q")
    assert app.return_code == 1
    assert app.failure is GONE


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60)])
async def test_everything_fits(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    async with talking(engine, size) as (app, pilot):
        engine.stats = Stats(lag_ms=1234, step_ms=123, underruns=12345, context_size=3000)
        engine.fire(TextPiece(1, 9, "Hey"))
        await looked(pilot)
        text = screen_text(app)
        for words in (
            *("moshi-tui", "moshiko · q4 · Apple M3 Max", "Moshi  Hey", "You  ", "1234 ms", "poor"),
            *("60 s", "123 / 80 ms", "skipped in  0 s", "12345", "0 of 240 s"),
            *("m Mute", "r Reset", "q Quit"),
        ):
            assert words in text
        assert "dropped" not in text


SLOW = "model 96 ms a frame, 16 over budget: skipping 1 frame in 6"


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60), (40, 12)])
async def test_health_line_comes_and_goes_and_hides_nothing(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    async with talking(engine, size) as (app, pilot):
        engine.update(frame=5000)
        engine.fire(*(TextPiece(20 * n, 9, f" Number {n}.") for n in range(60)))
        await looked(pilot)
        before = screen_text(app).splitlines()
        engine.update(health=SLOW)
        await looked(pilot)
        shown = screen_text(app).splitlines()
        words = " ".join(" ".join(shown[-4:-1]).split())
        assert words.endswith(SLOW)
        assert "Number 59." in "\n".join(shown)
        assert shown[-1] == before[-1]
        engine.update(health="")
        await looked(pilot)
        assert screen_text(app).splitlines() == before


async def test_health_is_text_and_silent_after_a_failure() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.update(health="[b]mic\x1b[2J[/] is silent")
        await looked(pilot)
        assert " [b]mic[/] is silent " in screen_text(app)
        engine.fire(Failed(GONE))
        await looked(pilot)
        assert "is silent" not in screen_text(app)


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60), (40, 24)])
async def test_a_stall_is_told_in_the_conversation(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    async with talking(engine, size) as (app, pilot):
        engine.fire(TextPiece(106, 9, "Hel"), Underrun(106, 2000.0))
        engine.fire(*(Skipped(frame, "user", "silence", 80.0) for frame in range(108, 132)))
        engine.fire(TextPiece(132, 9, "lo"))
        await looked(pilot)
        words = " ".join(app.screen.query_one(Transcript).lines())
        words = " ".join(words.split())
        assert "Hello 00:0" in words
        assert "Moshi was interrupted for 2.0 s (the model was late)" in words
        assert words.endswith("Skipped 1.9 s of silence to catch up")
        assert "Skipped 1.9 s" in screen_text(app)


async def test_what_is_made_up_for_at_the_very_start_is_no_news() -> None:
    engine = FakeEngine()
    async with talking(engine, (80, 24)) as (app, pilot):
        engine.fire(TextPiece(6, 9, "Hel"), Underrun(6, 2000.0))
        engine.fire(*(Skipped(frame, "user", "silence", 80.0) for frame in range(8, 32)))
        engine.fire(TextPiece(32, 9, "lo"))
        await looked(pilot)
        assert "Hello" in screen_text(app)  # what was skipped is no pause
        assert "Skipped" not in screen_text(app)
        assert "interrupted" not in screen_text(app)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (20, 5), (39, 10), (80, 6), (500, 2)])
async def test_no_size_is_too_small(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    async with talking(engine, size) as (app, pilot):
        engine.fire(TextPiece(1, 9, "Hey " * 30))
        await looked(pilot)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "Hey Hey" in screen_text(app)


async def test_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        engine.update(lag_ms=600)
        await pilot.press("m")
        await looked(pilot)
        text = screen_text(app)
        assert "poor" in text
        assert "muted" in text
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                for colour in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                    assert colour is None or len(set(colour.get_truecolor())) == 1


async def test_command_palette_has_our_actions_only() -> None:
    engine = FakeEngine()
    async with talking(engine) as (app, pilot):
        names = [command.title for command in app.get_system_commands(app.screen)]
        actions = [key.label for key in KEYS if key.label and key.label not in ("Palette", "Quit")]
        assert names == [*actions, "Theme: light", "Theme: contrast", "Quit"]
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, CommandPalette)
        await pilot.press("q")  # typed, not quit
        await looked(pilot)
        assert app.is_running
        engine.fire(TextPiece(1, 9, "Hey"), Failed(GONE))  # behind the palette
        await pilot.press("escape")
        await looked(pilot)
        assert GONE.title in screen_text(app)
        names = [command.title for command in app.get_system_commands(app.screen)]
        assert "Save" in names
        assert "Mute" not in names
        assert names[-1] == "Quit"


async def test_an_error_in_the_app_is_not_swallowed() -> None:
    class Broken(FakeEngine):
        broken = False

        def __getattribute__(self, name: str) -> object:
            if name == "stats" and object.__getattribute__(self, "broken"):
                raise ZeroDivisionError("in the poll")
            return object.__getattribute__(self, name)

    async def poll_it() -> None:
        engine = Broken()
        async with talking(engine) as (_, pilot):
            engine.broken = True
            await pilot.pause(0.1)

    with pytest.raises(ZeroDivisionError):
        await poll_it()


async def test_events_after_the_end_are_harmless() -> None:
    engine = FakeEngine()
    async with talking(engine) as (_, pilot):
        await pilot.press("q")
    engine.fire(TextPiece(1, 9, "too late"), Failed(GONE))
    assert [call[0] for call in engine.calls] == ["start", "stop"]
