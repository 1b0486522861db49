"""The talk as the app sees it: events become entries of the conversation, keys become screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from moshi_tui.clean import clean
from moshi_tui.errors import MoshiTuiError
from moshi_tui.paths import shown
from moshi_tui.session.events import (
    DeviceChanged,
    DeviceLost,
    Event,
    InputEnded,
    Muted,
    Notice,
    RecordingStarted,
    RecordingStopped,
    SessionInfo,
    Side,
    Skipped,
    TextPiece,
    Underrun,
    UserTurn,
    WasReset,
)
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.engine_port import DeskLike, EngineLike
from moshi_tui.ui.saving import save
from moshi_tui.ui.screens.talk import TalkScreen
from moshi_tui.ui.setup import Setup
from moshi_tui.ui.text import sentences

if TYPE_CHECKING:
    from moshi_tui.ui.screens.devices import DevicesScreen

SETTLE_FRAMES = 38
"""In the first 3 s threads and screen are still starting: what is made up for then is no news."""

_DEVICE: dict[Side, str] = {"input": "Microphone", "output": "Speaker"}


class Talking:
    """One talk. Belongs to the app's thread."""

    def __init__(self, app: App[None], setup: Setup) -> None:
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
        self._tell(0, f"Microphone: {info.microphone}. Speaker: {info.speaker}. Seed: {info.seed}.")
        return self.screen

    def take(self, event: Event) -> None:
        """Something has happened in the engine."""
        talk = self.conversation
        match event:
            case TextPiece():
                self._changed(talk.add_piece(event.frame, event.text))
            case UserTurn():
                self._changed(talk.add_turn(event))
            case Skipped() if event.frame < SETTLE_FRAMES:
                talk.pass_over(event)
            case Underrun() if event.frame < SETTLE_FRAMES:
                pass  # in the numbers only
            case Skipped():
                self._changed(talk.add_skipped(event))
            case Underrun():
                self._changed(talk.add_underrun(event))
            case Muted():
                self._muted(event)
            case WasReset():
                text = "Reset: Moshi has forgotten the talk so far"
                self._tell(event.frame, text, ends_utterance=True)
            case InputEnded():
                self._tell(event.frame, "The input is over: Moshi hears silence")
            case DeviceChanged():
                self._tell(event.frame, f"{_DEVICE[event.side]}: {event.name}")
                if self._devices is not None and self._devices.is_current:
                    self._devices.changed(event.side)
            case DeviceLost():
                self._tell(event.frame, f"{_DEVICE[event.side]} lost: {event.name}. {event.why}")
            case RecordingStarted():
                self._tell(event.frame, f"Recording to {shown(event.folder)}")
            case RecordingStopped():
                self._recorded(event)

    def notice(self, notice: Notice) -> None:
        """Something to know, as a line of the conversation; what is about a device that was chosen
        a moment ago, where that was done as well."""
        text = f"{notice.title}: {sentences(notice.message, notice.hint)}"
        self._tell(self._now(), text)
        if notice.side is not None and self._devices is not None and self._devices.is_current:
            self._devices.refused(text)

    async def asked(self, what: str) -> None:
        """A key wants something that is not on the talk's screen; not before what is there now has
        been closed."""
        if self._app.screen is not self.screen:
            return
        match what:
            case "devices":
                await self._choose_devices()
            case "help":
                from moshi_tui.ui.screens.help import HelpScreen

                places = {"Recordings": self._setup.folder.absolute()}
                await self._app.push_screen(HelpScreen(places, ascii=self._setup.options.ascii))
            case "reset":
                await self._reset()
            case "save":
                self._save()
            case "push_to_talk":
                self._tell(
                    self._now(),
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
            message = clean(sentences(error.message, error.hint))
            self._app.notify(message, title=clean(error.title), severity="error", markup=False)
        else:
            self._tell(self._now(), f"Saved to {shown(path)}")

    def _muted(self, event: Muted) -> None:
        """While space is in use for it, the user's turns say it all."""
        if self.screen is not None and self.screen.push_to_talk.state != "off":
            return
        self._tell(event.frame, "Muted" if event.muted else "Unmuted")

    def _recorded(self, event: RecordingStopped) -> None:
        if event.error is None:
            self._tell(event.frame, f"Recorded {event.seconds:.0f} s to {shown(event.folder)}")
            return
        error = event.error
        self._tell(event.frame, f"{error.title}: {sentences(error.message, error.hint)}")

    def _now(self) -> int:
        return 0 if self._engine is None else self._engine.stats.frame

    def _tell(self, frame: int, text: str, *, ends_utterance: bool = False) -> None:
        self._changed(self.conversation.add_event(frame, text, ends_utterance=ends_utterance))

    def _changed(self, index: int) -> None:
        if self.screen is not None:
            self.screen.transcript.update_from(index)
