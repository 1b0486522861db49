import builtins
import sys

import pytest

from moshi_tui.audio import devices
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
