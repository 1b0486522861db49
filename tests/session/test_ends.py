import threading
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from moshi_tui.audio.devices import Device, NoAnswerError, pick
from moshi_tui.audio.virtual import FileMicrophone, NullSpeaker
from moshi_tui.config import AudioOptions, CheckpointOptions, Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session import ends
from tests.audio.conftest import portaudio

__all__ = ["portaudio"]

SPEAKER = Device(1, "Built-in Output", "Core Audio", 48_000, 0, 2, False, True)
DEMO = CheckpointOptions(demo=True)


@pytest.fixture(autouse=True)
def _no_devices(monkeypatch):
    def pick(kind, wanted):
        raise MoshiTuiError(f"No {kind}", f"{wanted}")

    monkeypatch.setattr(ends, "pick", pick)


@pytest.fixture
def sound(tmp_path):
    soundfile.write(tmp_path / "in.wav", np.zeros(2400), 24_000)
    return tmp_path / "in.wav"


def test_the_demo_does_without_devices():
    ends.check_ends(Settings(DEMO))
    source, sink = ends.live_ends(Settings(DEMO))
    assert source.name == "the demo's user (no microphone)"
    assert source.patient
    assert sink.name == "no speaker"
    source.close()
    sink.close(drain=False)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(DEMO, audio=AudioOptions(input_device="usb")),
        Settings(DEMO, audio=AudioOptions(output_device="usb")),
    ],
)
def test_a_missing_device_is_told_before_and_after_loading(settings):
    for function in (ends.check_ends, ends.live_ends):
        with pytest.raises(MoshiTuiError, match=r"No (in|out)put"):
            function(settings)


def test_files_stand_in(sound, tmp_path):
    audio = AudioOptions(input_file=sound, output_file=tmp_path / "out.wav")
    ends.check_ends(Settings(audio=audio))
    source, sink = ends.live_ends(Settings(audio=audio))
    assert not source.patient
    assert isinstance(source._microphone, FileMicrophone)
    assert isinstance(sink._speaker, NullSpeaker)
    source.close()
    sink.close(drain=False)


def test_the_speaker_can_be_had_alone(tmp_path):
    audio = AudioOptions(input_file=tmp_path / "nothing", output_file=tmp_path / "out.wav")
    sink = ends.open_speaker(Settings(audio=audio))
    assert isinstance(sink._speaker, NullSpeaker)
    sink.close(drain=False)
    with pytest.raises(MoshiTuiError, match="No output") as caught:
        ends.open_speaker(Settings(audio=AudioOptions(output_device="usb")))
    assert "--no-sound" in caught.value.hint


def test_what_was_recorded_may_wait_at_the_speaker(portaudio, monkeypatch):
    monkeypatch.setattr(ends, "pick", pick)
    audio = AudioOptions(output_device="USB Audio Pro")
    ends.open_speaker(Settings(audio=audio)).close(drain=False)
    assert portaudio.streams[-1].options["latency"] == "high"
    ends.Devices().sink(pick("output", "USB Audio Pro")).close(drain=False)
    assert portaudio.streams[-1].options["latency"] == "low"


def test_the_microphone_is_closed_if_the_speaker_refuses(sound, monkeypatch):
    closed = []

    def refuse(device, hasty=True):
        raise MoshiTuiError("Refused", device.name)

    monkeypatch.setattr(FileMicrophone, "close", lambda self: closed.append(self))
    monkeypatch.setattr(ends, "pick", lambda kind, wanted: SPEAKER)
    monkeypatch.setattr(ends, "Speaker", refuse)
    with pytest.raises(MoshiTuiError, match="Refused"):
        ends.live_ends(Settings(audio=AudioOptions(input_file=sound)))
    assert len(closed) == 1


def test_in_the_demo_a_device_that_refuses_is_none(monkeypatch):
    def refuse(device, hasty=True):
        raise MoshiTuiError("Refused", device.name)

    monkeypatch.setattr(ends, "pick", lambda kind, wanted: SPEAKER)
    monkeypatch.setattr(ends, "Speaker", refuse)
    monkeypatch.setattr(ends, "Microphone", refuse)
    source, sink = ends.live_ends(Settings(DEMO))
    assert (source.name, sink.name) == (ends.NO_MICROPHONE, ends.NO_SPEAKER)
    source.close()
    sink.close(drain=False)


def test_no_device_is_looked_for_where_the_demo_does_without(monkeypatch):
    asked = []
    monkeypatch.setattr(ends, "pick", lambda kind, wanted: asked.append(kind))
    ends.check_ends(Settings(DEMO))
    assert not asked
    ends.check_ends(Settings())
    assert asked == ["input", "output"]


def test_a_device_is_opened_by_its_name_and_flows(portaudio):
    usb = replace(pick("input", "USB Audio Pro"), index=77)
    devices = ends.Devices()
    assert devices.known("input", usb)
    source = devices.source(usb)
    assert (source.name, source.device.index) == ("USB Audio Pro", 3)
    assert portaudio.streams[0].calls == ["start"]
    sink = devices.sink(usb)
    assert portaudio.streams[1].calls == ["start"]
    assert devices.streams() == 2
    assert not devices.look_anew()
    source.close()
    sink.close(drain=False)
    assert devices.look_anew()
    assert portaudio.inits == 1


def test_a_device_that_is_not_known(portaudio):
    gone = replace(pick("input", "USB Audio Pro"), name="Old Headset")
    devices = ends.Devices()
    assert not devices.known("input", gone)
    with pytest.raises(MoshiTuiError, match="Old Headset"):
        devices.source(gone)
    with pytest.raises(MoshiTuiError, match="Old Headset"):
        devices.sink(gone)


def test_a_device_that_refuses_to_start_is_closed(portaudio):
    usb = pick("output", "USB Audio Pro")
    make = portaudio.open

    def open_badly(options):
        stream = make(options)
        stream.start_error = portaudio.PortAudioError("Error starting stream", -9999)
        return stream

    portaudio.open = open_badly
    with pytest.raises(MoshiTuiError, match="Error starting stream"):
        ends.Devices().sink(usb)
    assert "close" in portaudio.streams[0].calls


def test_what_is_plugged_in_is_known_by_a_fresh_list(monkeypatch):
    monkeypatch.setattr(ends, "list_in_child", lambda: [SPEAKER])
    devices = ends.Devices()
    assert devices.plugged_in("output", replace(SPEAKER, index=9))
    assert not devices.plugged_in("input", SPEAKER)
    assert not devices.plugged_in("output", replace(SPEAKER, host_api="ALSA"))


def test_a_sound_system_that_hangs_is_told_before_loading(monkeypatch):
    monkeypatch.setattr(ends, "SOUND_SECONDS", 0.05)
    hang = threading.Event()
    monkeypatch.setattr(ends, "pick", lambda kind, wanted: hang.wait(5))
    with pytest.raises(NoAnswerError, match="does not answer") as caught:
        ends.check_ends(Settings())
    assert "moshi-tui doctor" in caught.value.hint
    hang.set()
