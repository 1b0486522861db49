"""Choosing the two ends of a live talk: real devices, or files in their place."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.resources import as_file, files

from moshi_tui.audio.base import Sink, Source
from moshi_tui.audio.devices import pick
from moshi_tui.audio.streams import Microphone, Speaker
from moshi_tui.audio.virtual import FileMicrophone, NullSpeaker
from moshi_tui.config import Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.endpoints import FrameSink, FrameSource, LiveSink, LiveSource
from moshi_tui.session.events import Event, Notice

log = logging.getLogger(__name__)

DEMO_GAP_SECONDS = 4.0
"""Silence before the demo's speech file begins again."""


def live_ends(settings: Settings, tell: Callable[[Event], None]) -> tuple[FrameSource, FrameSink]:
    """The microphone and the speaker that the settings ask for, not started yet.

    A file stands in where one is named. In the demo it also stands in where there is no device,
    which is told as a notice; otherwise a missing device raises MoshiTuiError.
    """
    return LiveSource(_microphone(settings, tell)), LiveSink(_speaker(settings, tell))


def _microphone(settings: Settings, tell: Callable[[Event], None]) -> Source:
    audio = settings.audio
    if audio.input_file is not None:
        return FileMicrophone(audio.input_file)
    try:
        return Microphone(pick("input", audio.input_device))
    except MoshiTuiError as error:
        if not _may_do_without(settings, audio.input_device):
            raise
        log.info("no microphone: %s", error)
        tell(Notice("No microphone", "Moshi hears a recorded voice."))
    with as_file(files("moshi_tui.demo") / "speech.ogg") as path:
        return FileMicrophone(path, loop=True, gap_s=DEMO_GAP_SECONDS)


def _speaker(settings: Settings, tell: Callable[[Event], None]) -> Sink:
    audio = settings.audio
    if audio.output_file is not None:
        return NullSpeaker(audio.output_file)
    try:
        return Speaker(pick("output", audio.output_device))
    except MoshiTuiError as error:
        if not _may_do_without(settings, audio.output_device):
            raise
        log.info("no speaker: %s", error)
        tell(Notice("No speaker", "--output FILE keeps Moshi's voice."))
    return NullSpeaker()


def _may_do_without(settings: Settings, device: str | None) -> bool:
    """The demo runs anywhere, unless the person insists on a device."""
    return settings.checkpoint.demo and device is None
