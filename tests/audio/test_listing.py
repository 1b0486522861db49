import json
import subprocess
import sys

import pytest

from moshi_tui.audio import listing
from moshi_tui.audio.devices import Device
from moshi_tui.errors import MoshiTuiError

USB = {
    **{"index": 3, "name": "USB 🎤 Audio", "host_api": "ALSA", "rate": 48_000, "inputs": 1},
    **{"outputs": 2, "default_input": False, "default_output": True},
}


@pytest.fixture
def child(monkeypatch):
    """Replaces the child process by a program of the test."""

    def becomes(program):
        run = subprocess.run

        def instead(command, **options):
            return run([sys.executable, "-c", program], **options)

        monkeypatch.setattr(listing.subprocess, "run", instead)

    return becomes


def test_what_the_child_lists_comes_back(child):
    child(f"print({json.dumps(json.dumps([USB]))})")
    assert listing.list_in_child() == [Device(**USB)]


@pytest.mark.parametrize(
    "program", ["raise SystemExit(1)", "print('no JSON')", "print('[{}]')", "print('[1]')"]
)
def test_a_child_that_fails_is_told(child, program):
    child(program)
    with pytest.raises(MoshiTuiError, match="Error") as caught:
        listing.list_in_child()
    assert caught.value.hint


def test_a_child_that_hangs_is_told(child, monkeypatch):
    monkeypatch.setattr(listing, "TIMEOUT_SECONDS", 0.2)
    child("import time; time.sleep(20)")
    with pytest.raises(MoshiTuiError, match="not answered"):
        listing.list_in_child()


@pytest.mark.pulse
def test_the_real_child_lists_pulse(pulse, monkeypatch):
    for name, value in pulse.env.items():
        monkeypatch.setenv(name, value)
    assert {"pulse", "default"} <= {device.name for device in listing.list_in_child()}
