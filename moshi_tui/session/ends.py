"""Choosing the two ends of a live talk: real devices, or files in their place."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from moshi_tui.audio.base import Sink, Source
from moshi_tui.audio.devices import (
    TRY_AGAIN,
    Device,
    Kind,
    NoAnswerError,
    find,
    let_hang,
    look_anew,
    open_streams,
    pick,
)
from moshi_tui.audio.listing import list_in_child
from moshi_tui.audio.streams import Microphone, Speaker
from moshi_tui.audio.virtual import FileMicrophone, NullSpeaker, VoiceMicrophone
from moshi_tui.config import Settings
from moshi_tui.demo.user import DemoUser, load_lines
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.attempt import Attempt, Thing
from moshi_tui.session.endpoints import FrameSink, FrameSource
from moshi_tui.session.events import Side
from moshi_tui.session.live import LiveSink, LiveSource

log = logging.getLogger(__name__)

Live = TypeVar("Live", LiveSource, LiveSink)

KINDS: tuple[Kind, Kind] = ("input", "output")

NO_MICROPHONE = "the demo's user (no microphone)"
NO_SPEAKER = "no speaker"
"""What stands for a device where the demo has none is called so."""

SOUND_SECONDS = 10.0
"""A sound system that has not opened by then does not answer."""


def live_ends(settings: Settings) -> tuple[FrameSource, FrameSink]:
    """The microphone and the speaker that the settings ask for, not started yet.

    A file stands in where one is named. Where there is no device, the demo does without: its own
    user speaks then, and what is called so says it. Otherwise MoshiTuiError is raised.
    """
    # Both are chosen before one is opened: with no stream open, a new device can still be found.
    chosen = [_choose(settings, kind) for kind in KINDS]
    microphone = _microphone(settings, chosen[0])
    try:
        return microphone, LiveSink(_speaker(settings, chosen[1]))
    except BaseException:
        microphone.close()
        raise


def open_speaker(settings: Settings) -> FrameSink:
    """The speaker alone, as in `live_ends`, for what has been recorded. Raises MoshiTuiError."""
    try:
        return LiveSink(_speaker(settings, _choose(settings, "output"), hasty=False))
    except MoshiTuiError as error:
        hint = "--output-device names another one; --no-sound plays without."
        raise MoshiTuiError(error.title, error.message, hint) from error


def check_ends(settings: Settings) -> None:
    """Raise now, before minutes of loading, what a missing device would raise in `live_ends`.

    On any thread. PortAudio's import points fd 2 at /dev/null for a moment: if the screen is up by
    then, it must be painted on another one.
    """
    needed = [kind for kind in KINDS if not _may_do_without(settings, _named(settings, kind)[1])]
    if needed:
        answered(lambda: [_choose(settings, kind) for kind in needed], lambda _: None)


def answered(
    make: Callable[[], Thing],
    drop: Callable[[Thing], None],
    stop: threading.Event | None = None,
) -> Thing | None:
    """What `make` gets from the sound system, in bounded time; None once `stop` is set.

    Raises what it raises, and NoAnswerError if it takes too long. What comes too late is given to
    `drop`. Both are called on a thread of their own.
    """
    stop = stop or threading.Event()
    thing = Attempt(make, drop).result(SOUND_SECONDS, stop)
    if thing is None:
        let_hang()
        if not stop.is_set():
            raise NoAnswerError(
                "The sound system does not answer",
                f"Microphone and speaker have not opened within {SOUND_SECONDS:.0f} seconds.",
                f"Restart the computer's sound server. {TRY_AGAIN}",
            )
    return thing


def _named(settings: Settings, kind: Kind) -> tuple[Path | None, str | None]:
    """The file and the device that a person has asked for."""
    audio = settings.audio
    if kind == "input":
        return audio.input_file, audio.input_device
    return audio.output_file, audio.output_device


def _choose(settings: Settings, kind: Kind) -> Device | None:
    """The device to open; None if a file stands in. Raises MoshiTuiError if there is none."""
    file, wanted = _named(settings, kind)
    if file is not None:
        return None
    try:
        return pick(kind, wanted)
    except MoshiTuiError as error:
        if not _may_do_without(settings, wanted):
            raise
        log.info("no %s device: %s", kind, error)
        return None


class Devices:
    """The sound system, for `keeper.py`. Every method may take long, and raises MoshiTuiError."""

    def source(self, device: Device) -> FrameSource:
        """A microphone, found by its name, with sound flowing."""
        microphone = Microphone(known_as(device, "input"))
        return _started(LiveSource(microphone), microphone)

    def sink(self, device: Device) -> FrameSink:
        """A speaker, found by its name, with sound flowing."""
        speaker = Speaker(known_as(device, "output"))
        return _started(LiveSink(speaker), speaker)

    def known(self, side: Side, device: Device) -> bool:
        """Whether our PortAudio has found it."""
        return find(device, side) is not None

    def plugged_in(self, side: Side, device: Device) -> bool:
        """Whether it is there now. Asks a process of its own."""
        wanted = (device.name, device.host_api)
        return any(
            (each.name, each.host_api) == wanted and each.channels(side) for each in list_in_child()
        )

    def streams(self) -> int:
        """How many streams are open, ours and others."""
        return len(open_streams)

    def look_anew(self) -> bool:
        """Find new devices; False while a stream is open."""
        return look_anew()


def known_as(device: Device, kind: Kind) -> Device:
    """The same device, as our PortAudio lists it now. Raises MoshiTuiError if it does not."""
    known = find(device, kind)
    if known is None:
        raise MoshiTuiError(
            "The device is not there",
            f"{device.name} ({device.host_api}) was not found.",
            "Plug it in again, or choose another one.",
        )
    return known


def _started(end: Live, device: Source | Sink) -> Live:
    try:
        end.start()
    except BaseException:
        device.close()
        raise
    return end


def _microphone(settings: Settings, device: Device | None) -> LiveSource:
    file = settings.audio.input_file
    if file is not None:
        return LiveSource(FileMicrophone(file))
    if device is not None:
        try:
            return LiveSource(Microphone(device))
        except MoshiTuiError as error:
            if not _may_do_without(settings, settings.audio.input_device):
                raise
            log.info("no microphone: %s", error)
    user = DemoUser(load_lines())
    return LiveSource(VoiceMicrophone(NO_MICROPHONE, user.speak), user=user)


def _speaker(settings: Settings, device: Device | None, *, hasty: bool = True) -> Sink:
    file = settings.audio.output_file
    if file is not None:
        return NullSpeaker(file)
    if device is not None:
        try:
            return Speaker(device, hasty=hasty)
        except MoshiTuiError as error:
            if not _may_do_without(settings, settings.audio.output_device):
                raise
            log.info("no speaker: %s", error)
    speaker = NullSpeaker()
    speaker.name = NO_SPEAKER
    return speaker


def _may_do_without(settings: Settings, device: str | None) -> bool:
    """The demo runs anywhere, unless the person insists on a device."""
    return settings.checkpoint.demo and device is None
