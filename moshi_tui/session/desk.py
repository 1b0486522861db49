"""The sound devices themselves, for the screen that lists and tries them, and for the doctor.

Every call takes its time (opening a device up to seconds): not for the app's thread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from moshi_tui.audio.devices import Device, list_devices, look_anew
from moshi_tui.audio.levels import Level, measure
from moshi_tui.audio.listing import list_in_child
from moshi_tui.audio.ring import Pcm
from moshi_tui.audio.streams import Microphone, Speaker
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.ends import known_as
from moshi_tui.session.live import LEVEL_SECONDS

TONE_SECONDS = 0.8
TONE_DB = -18.0
"""Its peak, in dBFS."""
_NOTES = (523.25, 659.25, 783.99)
"""Hz: a chord of C major, each note a little later than the one before."""
_NOTE_APART_SECONDS = 0.11
_ATTACK_SECONDS = 0.012
_DECAY_SECONDS = 0.25


class Desk:
    """All sound devices of this computer."""

    def devices(self) -> Sequence[Device]:
        """All that are plugged in now, looked for anew. Raises MoshiTuiError.

        While a stream is open their indices may not be those of our PortAudio: whoever opens one
        of them finds it by its name (`audio.devices.find`).
        """
        return list_devices() if look_anew() else list_in_child()

    def probe(self, device: Device) -> LevelProbe:
        """Open an input to see how loud it is. Raises MoshiTuiError."""
        look_anew()  # does nothing while a stream is open
        return LevelProbe(Microphone(known_as(device, "input")))

    def play_tone(self, device: Device) -> None:
        """Play a short test tone on an output; returns when it is over. Raises MoshiTuiError."""
        look_anew()
        speaker = Speaker(known_as(device, "output"))
        try:
            speaker.ring.push(tone(speaker.rate))
            speaker.start()
        finally:
            speaker.close(drain=True)
        if speaker.failed:
            raise MoshiTuiError(
                "The tone was not played", f"{device.name}: {speaker.failed}", "Try another output."
            )


class LevelProbe:
    """An input that is listened to for its level only. Starts at once; raises MoshiTuiError."""

    def __init__(self, microphone: Microphone) -> None:
        self._microphone = microphone
        self._samples = round(microphone.rate * LEVEL_SECONDS)
        try:
            microphone.start()
        except MoshiTuiError:
            microphone.close()
            raise

    @property
    def level(self) -> Level:
        """Loudness of its last moment (any thread)."""
        return measure(self._microphone.ring.latest(self._samples))

    @property
    def failed(self) -> str | None:
        """One sentence once it has stopped by itself."""
        return self._microphone.failed

    def close(self) -> None:
        """Let go of the device, within 0.5 s. May be called twice, on any thread."""
        self._microphone.close()


def tone(rate: int) -> Pcm:
    """Three soft notes, [n] float32 at `rate`, faded in and out."""
    at = np.arange(round(TONE_SECONDS * rate)) / rate
    sound = np.zeros(len(at))
    for number, hertz in enumerate(_NOTES):
        since = at - number * _NOTE_APART_SECONDS
        strength = np.minimum(since / _ATTACK_SECONDS, 1.0) * np.exp(-since / _DECAY_SECONDS)
        sound += np.where(since > 0, strength * np.sin(math.tau * hertz * since), 0.0)
    sound *= np.minimum(1.0, (TONE_SECONDS - at) / 0.1)
    sound *= 10 ** (TONE_DB / 20) / np.abs(sound).max()
    return sound.astype(np.float32)
