from __future__ import annotations

import builtins
import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from moshi_tui.audio import devices
from moshi_tui.audio.devices import NoAnswerError, load
from moshi_tui.config import AudioOptions
from moshi_tui.doctor import tasks
from moshi_tui.doctor.child import Answer
from moshi_tui.doctor.findings import Finding
from moshi_tui.doctor.sound import NO_PORTAUDIO, check_sound
from moshi_tui.errors import MoshiTuiError
from tests.doctor.conftest import answer
from tests.pulse import Pulse

DEVICE = {
    "index": 0,
    "name": "Mic\x1b[2J",
    "host_api": "Core Audio",
    "rate": 48000,
    "inputs": 1,
    "outputs": 2,
    "default_input": True,
    "default_output": False,
}
ABOUT = {"version": "PortAudio V19.7.0, revision x", "devices": [DEVICE]}
SPEAKER = {"name": "Out", "host_api": "Core Audio", "rate": 48000, "latency_ms": 9, "moves": True}
MIC = {
    **SPEAKER,
    "name": "Mic",
    "overflows": 0,
    "rms_db": -50.0,
    "peak_db": -40.0,
    "clipped": False,
}


def check(
    answer: Answer, audio: AudioOptions | None = None, system: str = "Linux"
) -> dict[str, Finding]:
    found = check_sound(audio or AudioOptions(), system, lambda _: answer)
    return {finding.check: finding for finding in found}


def heard(**change: Any) -> Finding:
    system = change.pop("system", "Linux")
    return check(answer(ABOUT, {"output": SPEAKER}, {"input": {**MIC, **change}}), system=system)[
        "microphone"
    ]


def test_devices_are_listed_and_opened() -> None:
    found = check(answer(ABOUT, {"output": SPEAKER}, {"input": MIC}))
    assert found["sound"].summary == "PortAudio V19.7.0: 1 microphone, 1 speaker"
    assert found["sound"].details == ("[0] Mic (Core Audio): 1 in (default), 2 out, 48000 Hz",)
    assert found["speaker"].summary == "Out opens at 48000 Hz"
    assert found["microphone"].summary == "Mic opens at 48000 Hz; heard -50 dBFS, peak -40"
    assert {finding.verdict for finding in found.values()} == {"ok"}


def test_digital_silence_has_a_permission_hint_on_a_mac() -> None:
    silent = {"rms_db": None, "peak_db": None}
    mac, linux = heard(**silent, system="Darwin"), heard(**silent)
    assert (mac.verdict, linux.verdict) == ("bad", "bad")
    assert "Privacy & Security > Microphone" in mac.advice
    assert "muted" in linux.advice


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        ({"rms_db": -80.0}, "careful", "very quiet"),
        ({"clipped": True}, "careful", "clips"),
        ({"moves": False, "rms_db": None}, "bad", "moves no sound"),
    ],
)
def test_a_poor_microphone(change: dict[str, Any], verdict: str, words: str) -> None:
    finding = heard(**change)
    assert (finding.verdict, words in finding.summary) == (verdict, True)
    assert finding.advice


def test_a_device_that_is_not_there_is_an_option_to_leave_out() -> None:
    wanted = AudioOptions(input_device="nosuch", output_device="USB")
    unfit = {"error": ["Unknown microphone", "No input device fits 'nosuch'", "x"], "unfit": True}
    busy = {"error": ["Can't open the speaker", "busy", "x"], "unfit": False}
    found = check(answer(ABOUT, {"output": busy}, {"input": unfit}), wanted)
    assert found["microphone"].data["option"] == "input_device"
    assert "option" not in found["speaker"].data
    found = check(answer(ABOUT, {"output": SPEAKER}, {"input": unfit}))
    assert "option" not in found["microphone"].data


@pytest.mark.parametrize(("refused", "unfit"), [(MoshiTuiError, True), (NoAnswerError, False)])
def test_only_a_device_that_was_not_found_is_unfit(
    refused: type[MoshiTuiError], unfit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pick(kind: str, wanted: str | None) -> None:
        raise refused("title", wanted or "", "hint")

    library = types.SimpleNamespace(get_portaudio_version=lambda: (1, "V19"))
    monkeypatch.setattr(devices, "load", lambda: library)
    monkeypatch.setattr(devices, "list_devices", list)
    monkeypatch.setattr(devices, "pick", pick)
    _, found = tasks.sound({"input": "nosuch", "output": False})
    assert found == {"input": {"error": ("title", "nosuch", "hint"), "unfit": unfit}}


def test_the_error_without_portaudio_is_the_one_that_the_conclusion_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return usual(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MoshiTuiError) as error:
        load()
    assert error.value.title == NO_PORTAUDIO


def test_no_sound_card_is_no_reason_to_despair() -> None:
    refused = {"error": ["No microphone", "The system offers no sound input device.", "Plug in."]}
    found = check(answer({**ABOUT, "devices": []}, {"output": refused}, {"input": refused}))
    assert list(found) == ["sound"]
    assert (found["sound"].verdict, "no sound card" in found["sound"].summary) == ("careful", True)
    assert "--demo" in found["sound"].advice


def test_a_missing_microphone_beside_a_speaker_is_careful_an_unknown_one_bad() -> None:
    deaf = {**ABOUT, "devices": [{**DEVICE, "inputs": 0}]}
    refused = {"error": ["No microphone", "None.", "Plug one in."]}
    said = answer(deaf, {"output": SPEAKER}, {"input": refused})
    assert check(said)["microphone"].verdict == "careful"
    assert check(said, AudioOptions(input_device="USB"))["microphone"].verdict == "bad"


def test_a_missing_library_says_how_to_install_it() -> None:
    from moshi_tui.errors import MoshiTuiError

    said = Answer((), MoshiTuiError("PortAudio is missing", "No sound.", "apt install\n  it"))
    finding = check(said)["sound"]
    assert (finding.verdict, finding.advice) == ("bad", "apt install\n  it")


def test_a_sound_server_that_hangs_is_a_finding_of_the_side_that_hung() -> None:
    found = check(answer(ABOUT, {"output": SPEAKER}, error="It gave no answer."))
    assert found["speaker"].verdict == "ok"
    assert found["microphone"].summary == "Crashed: It gave no answer."


def test_files_stand_in_for_devices(tmp_path: Path) -> None:
    audio = AudioOptions(input_file=tmp_path / "in.wav", output_file=tmp_path / "out.wav")
    found = check(answer(ABOUT), audio)
    assert "in.wav stands in" in found["microphone"].summary
    assert "out.wav stands in" in found["speaker"].summary


@pytest.mark.pulse
def test_a_real_microphone_is_heard(pulse: Pulse, tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(48_000 * 12) / 48_000)
    soundfile.write(tmp_path / "tone.wav", tone.astype(np.float32), 48_000)
    script = (
        "import json\n"
        "from moshi_tui.config import AudioOptions\n"
        "from moshi_tui.doctor.sound import check_sound\n"
        "found = check_sound(AudioOptions(), 'Linux')\n"
        "print(json.dumps({f.check: [f.verdict, f.data.get('rms_db')] for f in found}))\n"
    )
    root = Path(__file__).parents[2]
    env = {**pulse.env, "PYTHONPATH": str(root)}

    def listen() -> dict[str, Any]:
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, env=env, capture_output=True, check=True, timeout=60)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    assert listen()["microphone"] == ["bad", None]
    player = pulse.play(tmp_path / "tone.wav")
    try:
        found = listen()
    finally:
        player.terminate()
        player.wait(5)
    assert found["speaker"][0] == "ok"
    verdict, rms = found["microphone"]
    assert verdict == "ok"
    assert -25 < rms < -20
