import threading

import numpy as np
import pytest

from moshi_tui.audio import devices as devices_module
from moshi_tui.audio.devices import Device, list_devices, pick
from moshi_tui.audio.levels import SILENCE
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session import desk as desk_module
from moshi_tui.session.desk import TONE_DB, TONE_SECONDS, Desk, tone
from tests.audio.conftest import portaudio
from tests.audio.fake_portaudio import device

__all__ = ["portaudio"]


def test_what_was_plugged_in_since_is_listed(portaudio):
    assert len(Desk().devices()) == 4
    portaudio.plugged_in = [device("Headset", inputs=1, outputs=1)]
    assert [each.name for each in Desk().devices()][-1] == "Headset"


def test_while_a_stream_is_open_another_process_looks(portaudio, monkeypatch):
    other = Device(9, "Headset", "Core Audio", 16_000, 1, 1, False, False)
    monkeypatch.setattr(desk_module, "list_in_child", lambda: [other])
    probe = Desk().probe(pick("input", None))
    inits = portaudio.inits
    assert Desk().devices() == [other]
    assert portaudio.inits == inits
    probe.close()
    assert Desk().devices() != [other]


def test_a_probe_hears_how_loud_it_is_and_lets_go(portaudio):
    probe = Desk().probe(pick("input", "2"))
    assert probe.level == SILENCE
    for _ in range(20):
        portaudio.streams[0].hear(np.full((441, 1), 0.5))
    assert probe.level.rms_db == pytest.approx(-6, abs=0.1)
    assert probe.failed is None
    portaudio.streams[0].options["finished_callback"]()
    assert "unplugged" in probe.failed
    probe.close()
    probe.close()
    assert portaudio.streams[0].calls == ["start", "abort", "close"]
    assert not devices_module.open_streams


def test_a_probe_finds_what_was_plugged_in_since(portaudio):
    portaudio.plugged_in = [device("Headset", inputs=1, outputs=1)]
    headset = Device(77, "Headset", "Core Audio", 48_000, 1, 1, False, False)
    Desk().probe(headset).close()
    assert portaudio.streams[0].options["device"] == 4


@pytest.mark.parametrize("call", ["probe", "play_tone"])
def test_a_device_that_is_gone_or_refuses_is_an_error_with_a_hint(portaudio, call):
    gone = Device(77, "Headset", "Core Audio", 48_000, 1, 1, False, False)
    with pytest.raises(MoshiTuiError, match="Headset") as caught:
        getattr(Desk(), call)(gone)
    assert caught.value.hint
    portaudio.accepts = lambda rate, channels: False
    portaudio.refusal = ("Device unavailable", -9985)
    usb = next(each for each in list_devices() if each.name == "USB Audio")
    with pytest.raises(MoshiTuiError, match="Device unavailable") as caught:
        getattr(Desk(), call)(usb)
    assert "another" in caught.value.hint


def test_a_tone_is_played_to_its_end(portaudio):
    heard = []

    def play():
        while not portaudio.streams:
            threading.Event().wait(0.005)
        stream = portaudio.streams[0]
        while "start" not in stream.calls:
            threading.Event().wait(0.001)
        heard.extend(stream.ask()[:, 0] for _ in range(round(TONE_SECONDS * 100) + 5))

    player = threading.Thread(target=play)
    player.start()
    Desk().play_tone(pick("output", None))
    player.join(5)
    sound = np.concatenate(heard)
    assert 20 * np.log10(np.abs(sound).max()) == pytest.approx(TONE_DB, abs=0.1)
    assert "close" in portaudio.streams[0].calls


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_the_tone_begins_and_ends_softly(rate):
    sound = tone(rate)
    assert len(sound) == round(TONE_SECONDS * rate)
    assert abs(sound[0]) < 0.001
    assert np.abs(sound[-rate // 100 :]).max() < 0.01
    steepest = np.abs(np.diff(sound)).max() * rate
    assert steepest < 2 * np.pi * 800 * 10 ** (TONE_DB / 20) * 1.5


def test_a_tone_that_nobody_plays_is_told(portaudio, monkeypatch):
    monkeypatch.setattr(desk_module.Speaker, "failed", property(lambda self: "It stopped."))
    with pytest.raises(MoshiTuiError, match="It stopped"):
        Desk().play_tone(pick("output", None))
