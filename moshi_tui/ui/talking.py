"""The talk as the app sees it: events become entries of the conversation, keys become screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moshi_tui.errors import MoshiTuiError
from moshi_tui.paths import shown
from moshi_tui.session.events import DeviceChanged, Event, Muted, Notice, SessionInfo
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.engine_port import DeskLike, EngineLike
from moshi_tui.ui.saving import save
from moshi_tui.ui.screens.talk import TalkScreen
from moshi_tui.ui.setup import Setup
from moshi_tui.ui.telling import in_words, open_with, tell

if TYPE_CHECKING:
    from moshi_tui.ui.screens.devices import DevicesScreen
    from moshi_tui.ui.shell import Shell


class Talking:
    """One talk. Belongs to the app's thread."""

    def __init__(self, app: Shell, setup: Setup) -> None:
        self.conversation = Conversation(ascii=setup.options.ascii)
        self.screen: TalkScreen | None = None
        self._app = app
        self._setup = setup
        self._engine: EngineLike | None = None
        self._info: SessionInfo | None = None
        self._desk: DeskLike | None = None
        self._devices: DevicesScreen | None = None

    def begin(self, engine: EngineLike, info: SessionInfo) -> TalkScreen:
        """Loading is over: the screen to show."""
        self._info, self._engine = info, engine
        setup = self._setup
        self.screen = TalkScreen(engine, self.conversation, info, setup.options, clock=setup.clock)
        self._changed(open_with(self.conversation, info))
        return self.screen

    def take(self, event: Event) -> None:
        """Something has happened in the engine. What is about a device that was chosen a moment
        ago is told where that was done as well."""
        if isinstance(event, Muted) and self._pushes_to_talk:
            return
        self._changed(tell(self.conversation, event, self._now()))
        if self._devices is not None and self._devices.is_current:
            if isinstance(event, DeviceChanged):
                self._devices.changed(event.side)
            elif isinstance(event, Notice) and event.side is not None:
                self._devices.refused(in_words(event))

    async def asked(self, what: str) -> None:
        """A key wants something that is not on the talk's screen; not before what is there now has
        been closed."""
        if self._app.screen is not self.screen:
            return
        match what:
            case "devices":
                await self._choose_devices()
            case "help":
                await self._app.show_help({"Recordings": self._setup.folder.absolute()})
            case "reset":
                await self._reset()
            case "save":
                self._save()
            case "push_to_talk":
                self._say(
                    "Push to talk: hold space while you speak, or tap it to speak until the next "
                    "tap. m opens the microphone again",
                )

    async def _choose_devices(self) -> None:
        if self._engine is None:
            return
        from moshi_tui.ui.screens.devices import DevicesScreen

        setup = self._setup
        self._desk = self._desk or setup.make_desk()
        self._devices = DevicesScreen(self._engine, self._desk, ascii=setup.options.ascii)
        await self._app.push_screen(self._devices)

    async def _reset(self) -> None:
        engine = self._engine
        if engine is None:
            return
        if engine.stats.recording_s is None:
            engine.reset()
            return
        from moshi_tui.ui.screens.confirm import Confirm

        def answered(yes: bool | None) -> None:
            if yes and self.screen is not None and not self.screen.failed:
                engine.reset()

        question = "Moshi will forget the talk so far. The recording goes on. Reset?"
        dialog = Confirm(question, yes="Reset", no="Go on", ascii=self._setup.options.ascii)
        await self._app.push_screen(dialog, answered)

    def _save(self) -> None:
        info = self._info
        about = "" if info is None else f"{info.model} · {info.quant} · {info.device}"
        try:
            path = save(self.conversation, self._setup.folder, about)
        except MoshiTuiError as error:
            self._app.pop_up(error, bad=True)
        else:
            self._say(f"Saved to {shown(path)}")

    @property
    def _pushes_to_talk(self) -> bool:
        """While space is in use for muting, the user's turns say it all."""
        return self.screen is not None and self.screen.push_to_talk.state != "off"

    def _now(self) -> int:
        return 0 if self._engine is None else self._engine.stats.frame

    def _say(self, text: str) -> None:
        self._changed(self.conversation.add_event(self._now(), text))

    def _changed(self, index: int) -> None:
        if self.screen is not None:
            self.screen.transcript.update_from(index)
