"""Choosing microphone and speaker, and trying them, while the talk goes on.

Nothing here waits on the app's thread: devices are looked for and microphones opened by the
`Prober`'s thread, test tones are played by one of their own, and both answer with messages.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen

from moshi_tui.errors import MoshiTuiError
from moshi_tui.ui.engine_port import DeskLike, EngineLike
from moshi_tui.ui.prober import Prober, said
from moshi_tui.ui.widgets.device_list import (
    GONE,
    IN_USE,
    DeviceList,
    Entry,
    Heading,
    LevelLine,
    entries_of,
)
from moshi_tui.ui.widgets.flow import KeyLine, Words

if TYPE_CHECKING:
    from moshi_tui.audio.devices import Device
    from moshi_tui.session.events import Side

POLLS_A_SECOND = 12
SWITCH_SECONDS = 5.0
"""After so long without an answer of the engine another device may be chosen."""

_WORDS: dict[Side, str] = {"input": "microphone", "output": "speaker"}
_MOST_WORDS = 4
"""Lines of what has happened."""
_BESIDE_WORDS = 9
"""Lines that there are at least: borders, headings, a device a list, level, keys."""
_SILENT_SECONDS = 1.0
"""Digital silence is worth a word after so long: a device needs a moment to begin."""
_ROOMY = 18
"""From so many lines on there are empty ones between the parts."""


class DevicesScreen(ModalScreen[None]):
    """Two lists: microphones with the level of the highlighted one, and speakers.

    Args:
        engine: whose devices are shown and changed.
        desk: knows and tries the devices.
        ascii: for a terminal without block characters.
        clock: seconds; injected by tests.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,d,q", "dismiss", "Close", show=False),
        Binding("t", "tone", "Test tone", show=False),
        Binding("l,f5", "look", "Look again", show=False),
    ]
    DEFAULT_CSS = """
    DevicesScreen {
        align: center middle;
        overflow: hidden;
    }
    DevicesScreen #devices {
        width: 100%;
        max-width: 104;
        height: auto;
        max-height: 100%;
        padding: 0 1;
        background: $surface;
        border: round $primary;
        border-title-color: $foreground;
        border-title-style: bold;
    }
    DevicesScreen.-ascii #devices {
        border: ascii $primary;
    }
    DevicesScreen.-roomy #speakers, DevicesScreen.-roomy Words, DevicesScreen.-roomy KeyLine {
        margin-top: 1;
    }
    DevicesScreen #speakers {
        height: auto;
    }
    """

    class _Found(Message):
        def __init__(self, devices: Sequence[Device], error: MoshiTuiError | None) -> None:
            super().__init__()
            self.devices = devices
            self.error = error

    class _Played(Message):
        def __init__(self, name: str, error: MoshiTuiError | None) -> None:
            super().__init__()
            self.name = name
            self.error = error

    def __init__(
        self,
        engine: EngineLike,
        desk: DeskLike,
        *,
        ascii: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(classes="-ascii" if ascii else None)
        self._engine = engine
        self._desk = desk
        self._clock = clock
        self._prober = Prober(desk)
        self._devices: Sequence[Device] = ()
        self._looking = False
        self._found = False
        self._playing = False
        self._chosen: dict[Side, Device] = {}
        self._switching: tuple[Side, Device, float] | None = None
        self._name_tells = True  # that it has been switched: the one before had another
        self._overdue = False
        self._blamed: MoshiTuiError | None = None
        self._lists: dict[Side, DeviceList] = {
            "input": DeviceList("input", ascii=ascii),
            "output": DeviceList("output", ascii=ascii),
        }
        self._headings: dict[Side, Heading] = {
            "input": Heading("Microphones", ascii=ascii),
            "output": Heading("Speakers", ascii=ascii),
        }
        self._level = LevelLine(ascii=ascii, clock=clock)
        self._status = Words(most=_MOST_WORDS, ascii=ascii)
        self._keys = KeyLine(
            ("Up Down" if ascii else "↑↓", "Choose"),
            ("Enter", "Use"),
            ("t", "Test tone"),
            ("Tab", "Other list"),
            ("l", "Refresh"),
            ("Esc", "Close"),
        )

    def compose(self) -> ComposeResult:
        """Microphones, level, speakers, what has happened, keys."""
        with Vertical(id="devices") as box:
            box.border_title = "Devices"
            yield self._headings["input"]
            yield self._lists["input"]
            yield self._level
            with Vertical(id="speakers"):
                yield self._headings["output"]
                yield self._lists["output"]
            yield self._status
            yield self._keys

    def on_mount(self) -> None:
        """Look for devices, and begin to poll."""
        self._prober.start()
        self._lists["input"].focus()
        self.action_look()
        self.set_interval(1 / POLLS_A_SECOND, self._poll)

    def on_unmount(self) -> None:
        """Let go of everything; nothing here waits for it."""
        self._prober.close()

    def on_resize(self) -> None:
        """Lists share what room there is."""
        self.set_class(self.size.height >= _ROOMY, "-roomy")
        self._status.most = max(1, min(_MOST_WORDS, self.size.height - _BESIDE_WORDS))
        self._fit()

    def changed(self, side: Side) -> None:
        """The engine has taken another device."""
        if self._switching is not None and self._switching[0] == side:
            self._taken()

    def refused(self, text: str) -> None:
        """The engine could not have the device that was chosen."""
        self._switching = None
        self._say(text, "alert")
        self._listen()

    def action_look(self) -> None:
        """See which devices there are now."""
        if not self._looking:
            self._looking = True
            self._say("Looking for devices…", "quiet")
            self._prober.let_go_and(self._find)

    def action_tone(self) -> None:
        """Let the highlighted speaker be heard."""
        entry = self._lists["output"].highlighted
        if entry is None or self._playing:
            return
        if entry.device is None:
            gone = f"{entry.name} is not in the list of devices: nothing to play on."
            self._say("There is no speaker to test." if entry.stands_in else gone, "alert")
            return
        self._playing = True
        self._say(f"Playing a test tone on {entry.name}…")
        play = partial(self._play, entry.device)
        threading.Thread(target=play, name="test-tone", daemon=True).start()

    def on_device_list_highlighted(self) -> None:
        """Listen to another one, where it is a microphone."""
        self._listen()
        self._poll()

    def on_device_list_chosen(self, message: DeviceList.Chosen) -> None:
        """Take another device, after whatever listens to it has let go."""
        entry, device, side = message.entry, message.entry.device, message.side
        if self._switching is not None and not self._overdue:
            self._say(f"Still switching to {self._switching[1].name}…")
            return
        if entry.stands_in:
            self._say(f"There is no {_WORDS[side]} yet: plug one in, then press l.", "alert")
        elif IN_USE in entry.marks:
            self._say(f"{entry.name} is in use already.")
        elif device is None:
            self._say(f"{entry.name} is not plugged in: choose another {_WORDS[side]}.", "alert")
        else:
            self._say(f"Switching to {entry.name}…")
            self._switching, self._overdue = (side, device, self._clock()), False
            self._name_tells = self._used(side) != device.name
            self._listen()
            take = partial(self._engine.use_device, side, device)
            self._prober.let_go_and(take, promised=True)  # also if the screen is closed by then

    def on_devices_screen__found(self, message: _Found) -> None:
        """Show what there is."""
        self._looking, self._found = False, message.error is None
        if message.error is not None:
            self._complain(message.error, "Then press l to look again.")
            return
        self._devices = message.devices
        self._say("")
        self._poll()
        self._listen()

    def on_devices_screen__played(self, message: _Played) -> None:
        """The tone is over, or could not be played."""
        self._playing = False
        if message.error is not None:
            self._complain(message.error)
        else:
            self._say(f"Not heard? Turn {message.name} up, or choose another speaker.", "quiet")

    def _find(self) -> None:
        """On the prober's thread."""
        try:
            self._tell(self._Found(self._desk.devices(), None))
        except Exception as error:  # noqa: BLE001 - shown
            self._tell(self._Found((), said(error, "looking for devices")))

    def _play(self, device: Device) -> None:
        """On a thread of its own."""
        try:
            self._desk.play_tone(device)
            self._tell(self._Played(device.name, None))
        except Exception as error:  # noqa: BLE001 - shown
            self._tell(self._Played(device.name, said(error, f"playing on {device.name}")))

    def _tell(self, message: Message) -> None:
        """From any thread; harmless once the screen is closed."""
        self.post_message(message)

    def _poll(self) -> None:
        stats = self._engine.stats
        used: dict[Side, str] = {"input": stats.microphone, "output": stats.speaker}
        lost: dict[Side, bool] = {
            "input": bool(stats.microphone_lost),
            "output": bool(stats.speaker_lost),
        }
        self._await_switch(used, lost)
        rows = sum(len(devices.entries) for devices in self._lists.values())
        for side, devices in self._lists.items():
            if self._found:
                name, gone = used[side], lost[side]
                chosen = self._chosen.get(side)
                devices.show(entries_of(self._devices, side, name, gone, chosen))
            self._headings[side].show(devices.details)
        if rows != sum(len(devices.entries) for devices in self._lists.values()):
            self._fit()
        self._listen()
        self._show_level()

    def _await_switch(self, used: dict[Side, str], lost: dict[Side, bool]) -> None:
        if self._switching is None:
            return
        side, device, since = self._switching
        if self._name_tells and used[side] == device.name and not lost[side]:
            self._taken()
        elif self._clock() - since > SWITCH_SECONDS and not self._overdue:
            self._overdue = True
            self._say(f"{device.name} has not answered yet.", "alert")

    def _taken(self) -> None:
        assert self._switching is not None
        side, device, _ = self._switching
        self._chosen[side], self._switching = device, None
        self._say(f"Now in use: {device.name}.")

    def _used(self, side: Side) -> str:
        stats = self._engine.stats
        return stats.microphone if side == "input" else stats.speaker

    def _listen(self) -> None:
        """Open the highlighted microphone, unless the talk uses it or a device is on its way to be
        used: it may be found only while nothing else is open."""
        entry = self._lists["input"].highlighted
        busy = self._switching is not None
        device = None if entry is None or busy or IN_USE in entry.marks else entry.device
        if self._prober.want(device):
            self._level.forget()

    def _show_level(self) -> None:
        entry = self._lists["input"].highlighted
        if entry is None:
            self._level.say("")
        elif IN_USE in entry.marks:
            stats = self._engine.stats  # whose level is the microphone's, muted or not
            self._level.show(stats.user, silent=stats.silent_s >= _SILENT_SECONDS)
        elif entry.device is None:
            self._level.say("gone" if GONE in entry.marks else "not known")
        else:
            self._show_probe(entry)

    def _show_probe(self, entry: Entry) -> None:
        heard = self._prober.heard
        if heard is None or heard.device != entry.device:
            self._level.forget()
            self._level.say("opening…" if self._switching is None else "")
        elif heard.probe is None:
            self._level.say("can't be opened", "alert")
            if heard.error is not None and heard.error is not self._blamed:
                self._blamed = heard.error
                self._complain(heard.error)
        elif heard.probe.failed is not None:
            self._level.say(heard.probe.failed, "alert")
        else:
            self._level.show(heard.probe.level, silent=self._level.silent_s >= _SILENT_SECONDS)

    def _complain(self, error: MoshiTuiError, then: str = "") -> None:
        parts = (f"{error.title}:", error.message, error.hint, then)
        self._say(" ".join(part for part in parts if part), "poor")

    def _say(self, text: str, look: str = "") -> None:
        self._status.say(text, look)
        self._fit()

    def _fit(self) -> None:
        """Give the lists what the rest leaves, each what it needs if that is possible."""
        if not self.size.height:
            return
        width = min(self.size.width, 104) - 4
        gaps = 3 if self.has_class("-roomy") else 0
        beside = 2 + 3 + gaps + sum(len(w.lay_out(width)) for w in (self._status, self._keys))
        needs = [max(1, len(devices.entries)) for devices in self._lists.values()]
        shares = share(self.size.height - beside, *needs)
        for devices, height in zip(self._lists.values(), shares, strict=True):
            devices.styles.height = height


def share(room: int, first: int, second: int) -> tuple[int, int]:
    """How many of `room` lines each of two lists gets that need `first` and `second`: at least
    one, at most what it needs, and half of the room if both want more."""
    half = max(1, room // 2)
    if first <= half:
        return first, max(1, min(second, room - first))
    if second <= half:
        return max(1, min(first, room - second)), second
    return max(1, room - half), half
