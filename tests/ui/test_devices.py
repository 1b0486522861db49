from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from moshi_tui.audio.devices import Device
from moshi_tui.audio.levels import Level
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.ends import NO_MICROPHONE, NO_SPEAKER
from moshi_tui.session.events import Side
from moshi_tui.ui.screens import devices as devices_module
from moshi_tui.ui.screens.devices import DevicesScreen, share
from moshi_tui.ui.widgets.device_list import DeviceList, LevelLine, entries_of
from tests.fakes import MICROPHONES, SPEAKERS, FakeDesk, FakeEngine, FakeProbe
from tests.ui.helpers import screen_text
from tests.ui.small import SmallApp, until

REFUSED = MoshiTuiError("Device is busy", "Another [b]program has it.", "Close that program.")
MANY = [
    Device(
        10 + i,
        f"HDA Intel PCH: ALC{i} Analog, a long name (hw:{i},0)",
        "ALSA",
        44_100,
        2,
        2,
        False,
        False,
    )
    for i in range(30)
]


class Shown:
    """The screen in an app of its own."""

    def __init__(self, app: SmallApp, pilot: Pilot[None], screen: DevicesScreen) -> None:
        self.app, self.pilot, self.screen = app, pilot, screen

    @property
    def text(self) -> str:
        return screen_text(self.app)

    @property
    def words(self) -> str:
        return " ".join(self.text.replace("│", " ").split())

    async def says(self, words: str) -> None:
        await until(self.pilot, lambda: words in self.words)

    def line(self, words: str) -> str:
        return next(line for line in self.text.splitlines() if words in line)


def laid_out(devices: DeviceList) -> bool:
    height = devices.styles.height
    return height is not None and devices.size.height == height.value


@asynccontextmanager
async def shown(
    engine: FakeEngine, desk: Any, size: tuple[int, int] = (80, 24), ascii: bool = False
) -> AsyncIterator[Shown]:
    app, screen = SmallApp(), DevicesScreen(engine, desk, ascii=ascii)
    async with app.run_test(size=size) as pilot:
        await app.push_screen(screen)
        await until(pilot, lambda: ("devices",) in desk.calls)
        await until(pilot, lambda: "Looking" not in screen_text(app))
        await until(pilot, lambda: all(map(laid_out, screen.query(DeviceList))))
        yield Shown(app, pilot, screen)
    screen._prober._thread.join(5)
    assert not screen._prober._thread.is_alive()


@pytest.fixture
def engine() -> FakeEngine:
    engine = FakeEngine()
    engine.update(microphone="Built-in Microphone", speaker="Headphones", user=Level(-24.0, -11.0))
    return engine


async def test_devices_with_what_they_are(engine: FakeEngine) -> None:
    async with shown(engine, FakeDesk()) as it:
        await it.says("Built-in")
        await it.says("Headphones")
        microphone = it.line("Built-in")
        for words in ("Core Audio", "48 kHz", "1 ch", "in use, default"):
            assert words in microphone
        assert "44.1 kHz" in it.line("Scarlett")
        assert "in use, default" in it.line("Headphones")
        for words in ("Microphones", "Speakers", "Enter Use", "t Test tone", "Esc Close"):
            assert words in it.text


async def test_the_level_in_use_is_the_engines(engine: FakeEngine) -> None:
    desk = FakeDesk()
    async with shown(engine, desk) as it:
        await it.says("-24 dBFS peak -11")
        await it.pilot.pause(0.3)
        assert desk.probes == []
        await it.pilot.press("escape")
        await it.pilot.pause()
        assert it.screen not in it.app.screen_stack


async def test_another_microphone_is_listened_to(engine: FakeEngine) -> None:
    desk = FakeDesk()
    async with shown(engine, desk) as it:
        await it.pilot.press("down")
        await it.says("-30 dBFS peak -20")
        assert desk.calls == [("devices",), ("probe", "Scarlett 2i2 USB")]
        await it.pilot.press("up")
        await until(it.pilot, lambda: desk.probes[0].closed)
        await it.says("-24 dBFS")
        await it.pilot.press("down")
        await until(it.pilot, lambda: len(desk.probes) == 2)
        await it.pilot.press("d")
        await until(it.pilot, lambda: desk.probes[1].closed)


async def test_moving_on_opens_only_where_it_stops(engine: FakeEngine) -> None:
    desk = FakeDesk()
    desk.found += MANY
    async with shown(engine, desk) as it:
        for _ in range(8):
            it.screen.query(DeviceList).first().action_move(1)
            it.screen.on_device_list_highlighted()
        await it.says("-30 dBFS")
        opened = [call[1] for call in desk.calls if call[0] == "probe"]
        assert opened == [MANY[6].name]


async def test_a_still_level_draws_nothing(engine: FakeEngine) -> None:
    async with shown(engine, FakeDesk()) as it:
        await it.says("-24 dBFS")
        line = it.screen.query_one(LevelLine)
        rows = line.rows
        engine.update(user=Level(-24.3, -11.2))
        await it.pilot.pause(0.3)
        assert line.rows == rows


async def test_digital_silence_is_said(engine: FakeEngine) -> None:
    engine.update(user=Level(), silent_s=1.5)
    async with shown(engine, FakeDesk()) as it:
        await it.says("none: digital silence")
        engine.update(user=Level(-50.0, -40.0), silent_s=0.0)
        await it.says("-50 dBFS")


async def test_digital_silence_of_a_microphone_that_is_tried_is_said(engine: FakeEngine) -> None:
    desk = FakeDesk()
    async with shown(engine, desk) as it:
        await it.pilot.press("down")
        await it.says("-30 dBFS peak -20")
        desk.probes[0].level = Level()
        await it.says("<-60 dBFS")
        assert "digital silence" not in it.text
        await it.says("none: digital silence")


async def test_pauses_of_a_recorded_voice_are_no_alarm(engine: FakeEngine) -> None:
    engine.update(microphone=NO_MICROPHONE, user=Level(-20.0, -11.0))
    async with shown(engine, FakeDesk()) as it:
        await it.says("-20 dBFS")
        engine.update(user=Level())  # and silent_s stays 0: it counts for devices only
        await it.says("<-60 dBFS peak -11")
        await it.pilot.pause(1.2)
        assert "digital silence" not in it.text
        assert "none" not in it.line("Level")


async def test_where_there_are_no_devices_every_sentence_reads_well(engine: FakeEngine) -> None:
    engine.update(microphone=NO_MICROPHONE, speaker=NO_SPEAKER)
    desk = FakeDesk()
    desk.found = []
    async with shown(engine, desk) as it:
        for name in (NO_MICROPHONE, NO_SPEAKER):
            assert it.line(name).rstrip("│ ").endswith("in use")
            assert "not in the list" not in it.line(name)
        await it.pilot.press("enter")
        await it.says("There is no microphone yet: plug one in, then press l.")
        await it.pilot.press("tab", "enter")
        await it.says("There is no speaker yet: plug one in, then press l.")
        await it.pilot.press("t")
        await it.says("There is no speaker to test.")
        assert engine.calls == []
        assert desk.calls == [("devices",)]


async def test_one_in_use_that_is_not_listed_is_in_use(engine: FakeEngine) -> None:
    engine.update(speaker="hw:0,0")  # ALSA does not list what is taken
    async with shown(engine, FakeDesk()) as it:
        assert "not in the list" in it.line("hw:0,0")
        await it.pilot.press("tab", "home", "enter")
        await it.says("hw:0,0 is in use already.")
        await it.pilot.press("t")
        await it.says("hw:0,0 is not in the list of devices")


async def test_a_microphone_that_does_not_open(engine: FakeEngine) -> None:
    desk = FakeDesk()
    desk.error = REFUSED
    async with shown(engine, desk) as it:
        await it.pilot.press("down")
        await it.says("can't be opened")
        await it.says("Device is busy: Another [b]program has it. Close that program.")
        desk.error = None
        await it.pilot.press("l")
        await it.says("-30 dBFS")


async def test_a_microphone_that_stops_while_listened_to(engine: FakeEngine) -> None:
    desk = FakeDesk()
    async with shown(engine, desk) as it:
        await it.pilot.press("down")
        await it.says("-30 dBFS")
        desk.probes[0].failed = "It was unplugged."
        await it.says("It was unplugged.")


async def test_an_unforeseen_error_is_shown_too(engine: FakeEngine) -> None:
    class Broken(FakeDesk):
        def probe(self, device: Device) -> FakeProbe:
            raise ValueError("what?")

        def play_tone(self, device: Device) -> None:
            raise OSError("why?")

    async with shown(engine, Broken()) as it:
        await it.pilot.press("down")
        await it.says("ValueError: what?")
        await it.pilot.press("t")
        await it.says("OSError: why?")


async def test_a_microphone_is_switched_after_the_probe_let_go(engine: FakeEngine) -> None:
    desk = FakeDesk()
    async with shown(engine, desk) as it:
        await it.pilot.press("down")
        await it.says("-30 dBFS")
        await it.pilot.press("enter")
        await it.says("Switching to Scarlett 2i2 USB…")
        await until(it.pilot, lambda: len(engine.calls) > 0)
        assert engine.calls == [("use_device", "input", "Scarlett 2i2 USB")]
        assert desk.probes[0].closed
        await it.pilot.pause(0.3)
        assert len(desk.probes) == 1
        engine.update(microphone="Scarlett 2i2 USB")
        await it.says("Now in use: Scarlett 2i2 USB.")
        assert "in use" in it.line("44.1 kHz   2 ch")
        assert "in use" not in it.line("Built-in")
        await it.pilot.press("enter")
        await it.says("is in use already")
        assert len(engine.calls) == 1


async def test_a_refusal_is_said_and_the_level_comes_back(engine: FakeEngine) -> None:
    desk = FakeDesk()
    async with shown(engine, desk) as it:
        await it.pilot.press("down", "enter")
        await until(it.pilot, lambda: len(engine.calls) > 0)
        it.screen.refused("Scarlett can't be opened:\x1b[2J it is [b]busy.")
        await it.says("Scarlett can't be opened: it is [b]busy.")
        await it.says("-30 dBFS")
        assert "in use" in it.line("Built-in")


async def test_a_speaker_is_switched(engine: FakeEngine) -> None:
    async with shown(engine, FakeDesk()) as it:
        await it.pilot.press("tab", "up", "enter")
        await until(it.pilot, lambda: len(engine.calls) > 0)
        assert engine.calls == [("use_device", "output", "Scarlett 2i2 USB")]
        engine.update(speaker="Scarlett 2i2 USB")
        await it.says("Now in use: Scarlett 2i2 USB.")


async def test_a_speaker_is_switched_after_the_probe_let_go(engine: FakeEngine) -> None:
    desk = FakeDesk()
    closed: list[bool] = []
    use = engine.use_device

    def use_device(side: Side, device: Device) -> None:
        closed.extend(probe.closed for probe in desk.probes)
        use(side, device)

    engine.use_device = use_device  # type: ignore[method-assign]
    async with shown(engine, desk) as it:
        await it.pilot.press("down")
        await it.says("-30 dBFS")
        await it.pilot.press("tab", "up", "enter")
        await until(it.pilot, lambda: len(engine.calls) > 0)
        assert closed == [True]
        await it.pilot.pause(0.4)
        assert len(desk.probes) == 1  # PortAudio may be looking for it
        engine.update(speaker="Scarlett 2i2 USB")
        await it.says("Now in use: Scarlett 2i2 USB.")
        await until(it.pilot, lambda: len(desk.probes) == 2)


async def test_while_a_switch_is_overdue_another_may_be_chosen(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices_module, "SWITCH_SECONDS", 0.2)
    desk = FakeDesk()
    desk.found.append(MANY[0])
    async with shown(engine, desk) as it:
        await it.pilot.press("down", "enter")
        await it.says("Scarlett 2i2 USB has not answered yet.")
        await it.pilot.pause(0.4)
        assert desk.probes == []
        await it.pilot.press("down", "enter")
        await until(it.pilot, lambda: len(engine.calls) == 2)
        engine.update(microphone=MANY[0].name)
        await it.says("Now in use: HDA Intel")


async def test_a_tone_is_played_on_the_highlighted_speaker(engine: FakeEngine) -> None:
    heard, over = threading.Event(), threading.Event()

    class Slow(FakeDesk):
        def play_tone(self, device: Device) -> None:
            super().play_tone(device)
            heard.set()
            assert over.wait(5)

    desk = Slow()
    async with shown(engine, desk) as it:
        await it.pilot.press("t")
        await it.says("Playing a test tone on Headphones…")
        assert heard.wait(5)
        await it.pilot.press("t")
        over.set()
        await it.says("Not heard? Turn Headphones up")
        assert desk.calls.count(("play_tone", "Headphones")) == 1
        desk.error = REFUSED
        await it.pilot.press("t")
        await it.says("Device is busy")


async def test_devices_are_looked_for_anew(engine: FakeEngine) -> None:
    desk = FakeDesk()
    async with shown(engine, desk) as it:
        desk.found = [MICROPHONES[0], SPEAKERS[1], MANY[0]]
        await it.pilot.press("f5")
        await it.says("HDA Intel")
        assert "Scarlett" not in it.text
        assert desk.calls.count(("devices",)) == 2


async def test_no_list_says_what_to_do(engine: FakeEngine) -> None:
    class None_(FakeDesk):
        def devices(self) -> list[Device]:
            super().devices()
            raise MoshiTuiError("PortAudio is missing", "No sound without it.", "Install it.")

    async with shown(engine, None_()) as it:
        await it.says("PortAudio is missing: No sound without it. Install it.")
        await it.says("press l to look again")
        await it.pilot.press("down", "enter", "t")
        assert engine.calls == []


async def test_what_is_gone_is_said(engine: FakeEngine) -> None:
    engine.update(microphone="Old [b]Headset\x1b[31m", microphone_lost="It was unplugged.")
    engine.update(speaker_lost="It stopped.")
    async with shown(engine, FakeDesk()) as it:
        assert "gone" in it.line("Old [b]Headset")
        assert "gone, default" in it.line("Headphones")
        await it.pilot.press("enter")
        await it.says("is not plugged in: choose another microphone.")
        await it.pilot.press("tab", "enter")  # one that is there can be taken again
        await until(it.pilot, lambda: engine.calls == [("use_device", "output", "Headphones")])


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60), (40, 12)])
async def test_many_devices_fit_every_terminal(engine: FakeEngine, size: tuple[int, int]) -> None:
    desk = FakeDesk()
    desk.found += MANY
    async with shown(engine, desk, size) as it:
        await it.pilot.press("end")
        await it.says("ALC29")
        for words in ("Microphones", "Level", "Speakers", "Enter Use", "Esc Close"):
            assert words in it.text
        assert "44.1 kHz" in it.text
        assert "…" in it.text or size[0] > 100
        await it.pilot.press("home", "tab", "pagedown")
        await it.pilot.pause()
        assert "Built-in" in it.text
        desk.error = REFUSED
        await it.pilot.press("t")
        await it.says("Device is busy")
        assert "Esc Close" in it.text


async def test_ascii(engine: FakeEngine) -> None:
    desk = FakeDesk()
    desk.found += MANY
    async with shown(engine, desk, (60, 20), ascii=True) as it:
        await it.pilot.press("down")
        await it.says("-30 dBFS")
        assert it.text.isascii()
        assert "> Scarlett" in it.text


async def test_closing_while_a_device_is_being_opened_leaks_nothing(engine: FakeEngine) -> None:
    opening, go_on = threading.Event(), threading.Event()

    class Slow(FakeDesk):
        def probe(self, device: Device) -> FakeProbe:
            opening.set()
            assert go_on.wait(5)
            return super().probe(device)

    desk = Slow()
    async with shown(engine, desk) as it:
        await it.pilot.press("down")
        await until(it.pilot, opening.is_set)
        await it.pilot.press("escape")
        await it.pilot.pause()
        assert it.screen not in it.app.screen_stack
        go_on.set()
        await until(it.pilot, lambda: bool(desk.probes) and desk.probes[0].closed)


def test_of_two_devices_with_one_name_one_is_in_use() -> None:
    twins = [
        Device(1, "USB", "MME", 48_000, 1, 0, False, False),
        Device(2, "USB", "WASAPI", 48_000, 1, 0, False, False),
    ]
    for chosen, marks in ((None, [1, 0]), (twins[1], [0, 1])):
        entries = entries_of(twins, "input", "USB", False, chosen)
        assert [len(entry.marks) for entry in entries] == marks


def test_lists_share_the_room() -> None:
    assert share(20, 3, 4) == (3, 4)
    assert share(10, 3, 30) == (3, 7)
    assert share(10, 30, 2) == (8, 2)
    assert share(11, 30, 30) == (6, 5)
    assert share(0, 30, 30) == (1, 1)


async def test_the_highlight_stays_on_its_device(engine: FakeEngine) -> None:
    desk = FakeDesk()
    async with shown(engine, desk) as it:
        await it.pilot.press("down")
        desk.found.insert(0, MANY[0])
        await it.pilot.press("l")
        await it.says("HDA Intel")
        highlighted = it.screen.query(DeviceList).first().highlighted
        assert highlighted is not None
        assert highlighted.device == MICROPHONES[1]


async def test_what_was_chosen_is_taken_also_if_the_screen_is_closed_at_once(
    engine: FakeEngine,
) -> None:
    opened, go_on = threading.Event(), threading.Event()

    class SlowDesk(FakeDesk):
        def probe(self, device: Device) -> FakeProbe:
            opened.set()
            assert go_on.wait(10)
            return super().probe(device)

    desk = SlowDesk()
    async with shown(engine, desk) as it:
        await it.pilot.press("down")
        await until(it.pilot, opened.is_set)
        await it.pilot.press("enter")
        await it.says("Switching to Scarlett 2i2 USB…")
        await it.pilot.press("escape")
        go_on.set()
        await until(it.pilot, lambda: len(engine.calls) > 0)
        assert engine.calls == [("use_device", "input", "Scarlett 2i2 USB")]
        assert all(probe.closed for probe in desk.probes)
        assert len(desk.calls) == 2  # no looking for devices, no other probe after the end


async def test_one_switch_after_the_other(engine: FakeEngine) -> None:
    async with shown(engine, FakeDesk()) as it:
        await it.pilot.press("down", "enter")
        await until(it.pilot, lambda: len(engine.calls) > 0)
        await it.pilot.press("tab", "up", "enter")
        await it.says("Still switching to Scarlett 2i2 USB…")
        assert len(engine.calls) == 1


async def test_of_two_with_one_name_the_engine_says_which_it_has(engine: FakeEngine) -> None:
    desk = FakeDesk()
    twin = Device(7, "Built-in Microphone", "Core Audio", 16_000, 1, 0, False, False)
    desk.found.append(twin)
    async with shown(engine, desk) as it:
        await it.pilot.press("end", "enter")
        await until(it.pilot, lambda: len(engine.calls) > 0)
        await it.pilot.pause(0.3)
        assert "Now in use" not in it.words
        it.screen.changed("output")
        await it.pilot.pause(0.1)
        assert "Now in use" not in it.words
        it.screen.changed("input")
        await it.says("Now in use: Built-in Microphone.")
        await until(it.pilot, lambda: "in use" in it.line("16 kHz"))
