import builtins
import os
import sys
import threading
from dataclasses import replace

import pytest

from moshi_tui.audio import devices
from moshi_tui.audio.streams import Microphone
from moshi_tui.errors import MoshiTuiError
from tests.audio.fake_portaudio import device


def test_the_list_says_what_a_person_needs(portaudio):
    listed = devices.list_devices()
    assert [str(entry) for entry in listed][:2] == [
        "[0] Built-in Microphone (Core Audio)",
        "[1] Built-in Output (Core Audio)",
    ]
    assert listed[2] == devices.Device(2, "USB Audio", "Core Audio", 44_100, 2, 2, False, False)
    assert [entry.default_input for entry in listed] == [True, False, False, False]
    assert [entry.default_output for entry in listed] == [False, True, False, False]


@pytest.mark.parametrize(
    ("kind", "wanted", "index"),
    [
        ("input", None, 0),
        ("output", None, 1),
        ("input", "3", 3),
        ("input", "usb audio", 2),  # the exact name, though a part of another
        ("input", "pro", 3),
        ("output", " built-in ", 1),
    ],
)
def test_pick_finds(portaudio, kind, wanted, index):
    assert devices.pick(kind, wanted).index == index


@pytest.mark.parametrize(
    ("kind", "wanted", "title"),
    [
        ("input", "usb", "Which microphone?"),
        ("output", "headphones", "Unknown speaker"),
        ("output", "0", "Unknown speaker"),  # it is a microphone
        ("output", "17", "Unknown speaker"),
        ("output", "", "Unknown speaker"),
    ],
)
def test_pick_lists_the_candidates(portaudio, kind, wanted, title):
    with pytest.raises(MoshiTuiError, match=r"\[2\] USB Audio \(Core Audio\)") as caught:
        devices.pick(kind, wanted)
    assert caught.value.title == title
    assert f"--{kind}-device" in caught.value.hint


def test_two_devices_of_one_name_are_told_apart_by_number(portaudio):
    portaudio.devices.append(device("USB Audio", inputs=1))
    with pytest.raises(MoshiTuiError, match=r"\[2\] USB Audio.*\n.*\[4\] USB Audio"):
        devices.pick("input", "USB Audio")


def test_no_default_takes_the_first(portaudio):
    portaudio.defaults["input"] = -1
    assert devices.pick("input", None).index == 0


def test_no_device_at_all(portaudio):
    portaudio.devices.clear()
    portaudio.defaults = {"input": -1, "output": -1}
    with pytest.raises(MoshiTuiError, match="no sound input device") as caught:
        devices.pick("input", None)
    assert caught.value.title == "No microphone"
    assert "--demo" in caught.value.hint


def test_a_missing_library_names_the_package(monkeypatch):
    importing = builtins.__import__

    def without_portaudio(name, *args):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return importing(name, *args)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_portaudio)
    with pytest.raises(MoshiTuiError, match="library not found") as caught:
        devices.load()
    assert "apt install libportaudio2" in caught.value.hint
    assert "moshi-tui run" in caught.value.hint


def test_a_device_plugged_in_later_is_found_once_portaudio_looks_anew(portaudio):
    portaudio.plugged_in = [device("Headset", inputs=1)]
    assert "Headset" not in [each.name for each in devices.list_devices()]
    assert devices.look_anew()
    assert "Headset" in [each.name for each in devices.list_devices()]


def test_portaudio_does_not_look_anew_while_a_stream_is_open(portaudio):
    microphone = Microphone(devices.pick("input", None))
    assert not devices.look_anew()
    assert portaudio.inits == 0
    microphone.close()
    assert devices.look_anew()


def test_a_device_that_fits_nothing_may_have_been_plugged_in_just_now(portaudio):
    portaudio.plugged_in = [device("Headset", inputs=1)]
    assert devices.pick("input", "headset").index == 4
    assert portaudio.inits == 1


def test_what_fits_at_once_needs_no_new_look(portaudio):
    devices.pick("input", "usb audio")
    assert portaudio.inits == 0


def test_a_device_is_found_again_by_its_name_and_not_by_its_number(portaudio):
    usb = devices.pick("input", "usb audio")
    portaudio.devices.insert(0, device("New", inputs=1))
    assert devices.find(usb, "input").index == usb.index + 1
    assert devices.find(replace(usb, host_api="JACK"), "input") is None
    assert devices.find(devices.pick("output", "Built-in Output"), "input") is None


def test_of_two_of_the_same_name_the_number_decides(portaudio):
    portaudio.devices.append(device("USB Audio", inputs=2))
    second = devices.list_devices()[-1]
    assert devices.find(second, "input") == second
    assert devices.find(replace(second, index=99), "input").index == 2


def test_who_waits_too_long_for_portaudio_is_told(portaudio, monkeypatch):
    monkeypatch.setattr(devices, "ANSWER_SECONDS", 0.05)
    inside, enough = threading.Event(), threading.Event()

    def hang():
        with devices.alone():
            inside.set()
            enough.wait(5)

    thread = threading.Thread(target=hang)
    thread.start()
    inside.wait(5)
    with pytest.raises(MoshiTuiError, match="busy with another device"):
        devices.list_devices()
    enough.set()
    thread.join(5)
    assert devices.list_devices()


def test_an_error_of_portaudio_is_one_for_a_person(portaudio):
    def broken():
        raise portaudio.PortAudioError("Device count is wrong")

    portaudio.query_hostapis = broken
    with pytest.raises(devices.NoAnswerError, match="Device count is wrong") as caught:
        devices.list_devices()
    assert caught.value.hint
    assert caught.value.message.endswith(".")


def test_portaudio_that_did_not_begin_again_is_begun_at_the_next_call(portaudio):
    initialize = portaudio._initialize

    def broken():
        raise portaudio.PortAudioError("Error initializing PortAudio")

    portaudio._initialize = broken
    for call in (devices.look_anew, devices.list_devices):
        with pytest.raises(devices.NoAnswerError, match="initializing"):
            call()
    portaudio._initialize = initialize
    assert devices.list_devices()
    assert devices.look_anew()
    assert portaudio.inits == 2


def test_portaudio_that_does_not_begin_at_all_is_told(monkeypatch):
    importing = builtins.__import__

    def broken(name, *args):
        if name == "sounddevice":
            raise RuntimeError("Error initializing PortAudio")
        return importing(name, *args)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(devices.NoAnswerError, match="initializing"):
        devices.load()


def test_while_portaudio_hangs_there_is_still_a_stderr(portaudio, capfd):
    hanging, enough = threading.Event(), threading.Event()

    def hang():
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        hanging.set()
        enough.wait(5)
        os.dup2(kept, 2)
        os.close(kept)

    portaudio._initialize = hang
    thread = threading.Thread(target=devices.look_anew)
    thread.start()
    assert hanging.wait(5)
    os.write(2, b"lost")
    devices.let_hang()
    os.write(2, b"heard")
    enough.set()
    thread.join(5)
    os.write(2, b" again")
    assert capfd.readouterr().err == "heard again"
