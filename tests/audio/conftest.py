import sys

import pytest

from moshi_tui.audio import devices
from tests.audio.fake_portaudio import FakePortAudio
from tests.pulse import pulse

__all__ = ["portaudio", "pulse"]


@pytest.fixture
def portaudio(monkeypatch):
    """A fake `sounddevice`; pytest's own stderr is left alone."""
    fake = FakePortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(devices, "_hush", lambda: None)
    devices.open_streams.clear()
    yield fake
    devices.open_streams.clear()
