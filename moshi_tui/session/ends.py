"""Choosing the two ends of a live talk: real devices, or files in their place."""

from __future__ import annotations

import logging
from importlib.resources import as_file, files

from moshi_tui.audio.base import Sink, Source
from moshi_tui.audio.devices import Kind, pick
from moshi_tui.audio.streams import Microphone, Speaker
from moshi_tui.audio.virtual import FileMicrophone, NullSpeaker
from moshi_tui.config import Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.endpoints import FrameSink, FrameSource
from moshi_tui.session.live import LiveSink, LiveSource

log = logging.getLogger(__name__)

DEMO_GAP_SECONDS = 4.0
"""Silence before the demo's speech file begins again."""


def live_ends(settings: Settings) -> tuple[FrameSource, FrameSink]:
    """The microphone and the speaker that the settings ask for, not started yet.

    A file stands in where one is named. In the demo one also stands in where there is no device,
    and its name says so; otherwise a missing device raises MoshiTuiError.
    """
    microphone = _microphone(settings)
    try:
        return LiveSource(microphone), LiveSink(_speaker(settings))
    except BaseException:
        microphone.close()
        raise


def check_ends(settings: Settings) -> None:
    """Raise now, before minutes of loading, what a missing device would raise in `live_ends`.

    To be called before the screen is up: PortAudio's import touches fd 2 for a moment.
    """
    audio = settings.audio
    kinds: tuple[tuple[Kind, str | None, bool], ...] = (
        ("input", audio.input_device, audio.input_file is None),
        ("output", audio.output_device, audio.output_file is None),
    )
    for kind, device, wanted in kinds:
        if wanted and not _may_do_without(settings, device):
            pick(kind, device)


def _microphone(settings: Settings) -> Source:
    audio = settings.audio
    if audio.input_file is not None:
        return FileMicrophone(audio.input_file)
    try:
        return Microphone(pick("input", audio.input_device))
    except MoshiTuiError as error:
        if not _may_do_without(settings, audio.input_device):
            raise
        log.info("no microphone: %s", error)
    with as_file(files("moshi_tui.demo") / "speech.ogg") as path:
        microphone = FileMicrophone(path, loop=True, gap_s=DEMO_GAP_SECONDS)
    microphone.name = "none here, Moshi hears a recorded voice"
    return microphone


def _speaker(settings: Settings) -> Sink:
    audio = settings.audio
    if audio.output_file is not None:
        return NullSpeaker(audio.output_file)
    try:
        return Speaker(pick("output", audio.output_device))
    except MoshiTuiError as error:
        if not _may_do_without(settings, audio.output_device):
            raise
        log.info("no speaker: %s", error)
    speaker = NullSpeaker()
    speaker.name = "none here"
    return speaker


def _may_do_without(settings: Settings, device: str | None) -> bool:
    """The demo runs anywhere, unless the person insists on a device."""
    return settings.checkpoint.demo and device is None
