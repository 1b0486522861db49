"""Microphone and speaker: opened, and the microphone listened to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from moshi_tui.clean import clean
from moshi_tui.config import AudioOptions
from moshi_tui.doctor.child import Answer, ask
from moshi_tui.doctor.findings import Finding, failed
from moshi_tui.errors import MoshiTuiError

SOUND_SECONDS = 25.0

QUIET_DB = -75.0
"""A room is louder than that (RMS), with any microphone that is turned up."""

NO_PORTAUDIO = "PortAudio is missing"
"""The title of that error: the demo does without."""

NO_CARD = (
    "Without one: moshi-tui --demo, where somebody else talks with Moshi, and moshi-tui run for "
    "sound files."
)


def ask_sound(audio: AudioOptions) -> Answer:
    """Open both devices in a process of its own and listen for a moment (task "sound")."""
    request = {
        "input": audio.input_device if audio.input_file is None else False,
        "output": audio.output_device if audio.output_file is None else False,
    }
    return ask("sound", request, SOUND_SECONDS)


def check_sound(
    audio: AudioOptions, system: str, look: Callable[[AudioOptions], Answer] = ask_sound
) -> list[Finding]:
    """PortAudio, the speaker and the microphone."""
    answer = look(audio)
    if not answer.lines:
        return [failed("sound", answer.error or MoshiTuiError("Sound", "no answer"))]
    about, *sides = answer.lines
    devices = about["devices"]
    inputs = sum(bool(device["inputs"]) for device in devices)
    outputs = sum(bool(device["outputs"]) for device in devices)
    version = clean(about["version"]).partition(",")[0]
    counts = f"{_count(inputs, 'microphone')}, {_count(outputs, 'speaker')}"
    findings = [
        Finding(
            "sound",
            "ok" if inputs and outputs else "careful",
            f"{version}: {counts}" if devices else f"{version}: no sound card",
            tuple(_device_line(device) for device in devices),
            "" if devices else NO_CARD,
            dict(about),
        )
    ]
    found = {kind: result for side in sides for kind, result in side.items()}
    for kind, name, number, file, judge in (
        ("output", "speaker", outputs, audio.output_file, _speaker),
        ("input", "microphone", inputs, audio.input_file, _microphone),
    ):
        if file is not None:
            summary = f"{clean(str(file))} stands in for it"
            findings.append(Finding(name, "ok", summary, data={"file": str(file)}))
        elif kind in found and "error" in found[kind]:
            wanted = audio.input_device if kind == "input" else audio.output_device
            error = MoshiTuiError(*found[kind]["error"])
            missing = number == 0 and wanted is None
            if devices or not missing:
                finding = failed(name, error, "careful" if missing else "bad")
                if wanted is not None and found[kind].get("unfit"):
                    finding = replace(finding, data={**finding.data, "option": f"{kind}_device"})
                findings.append(finding)
        elif kind in found:
            findings.append(judge(name, found[kind], system))
        elif answer.error is not None:
            findings.append(failed(name, answer.error))
    return findings


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _device_line(device: Mapping[str, Any]) -> str:
    ways = [
        f"{device[key]} {word}{' (default)' if device[default] else ''}"
        for key, word, default in (
            ("inputs", "in", "default_input"),
            ("outputs", "out", "default_output"),
        )
        if device[key]
    ]
    name = clean(f"{device['name']} ({device['host_api']})")
    return f"[{device['index']}] {name}: {', '.join(ways) or 'no channels'}, {device['rate']} Hz"


def _opened(found: Mapping[str, Any]) -> str:
    return f"{clean(found['name'])} opens at {found['rate']} Hz"


def _speaker(name: str, found: Mapping[str, Any], system: str) -> Finding:
    if not found["moves"]:
        return _stuck(name, found)
    return Finding(name, "ok", _opened(found), data=dict(found))


def _stuck(name: str, found: Mapping[str, Any]) -> Finding:
    return Finding(
        name,
        "bad",
        f"{_opened(found)}, but moves no sound",
        advice="Plug it in again, restart the sound server, or choose another device with "
        f"--{'in' if name == 'microphone' else 'out'}put-device.",
        data=dict(found),
    )


def _microphone(name: str, found: Mapping[str, Any], system: str) -> Finding:
    """What was heard in a second and a half."""
    if not found["moves"]:
        return _stuck(name, found)
    rms = found["rms_db"]
    if rms is None:
        advice = "Is it muted, or its gain at zero? Look at the system's sound settings."
        if system == "Darwin":
            advice = (
                "Allow it: System Settings > Privacy & Security > Microphone > your terminal, "
                "then restart the terminal."
            )
        summary = f"{_opened(found)}, but is digital silence"
        return Finding(name, "bad", summary, advice=advice, data=dict(found))
    summary = f"{_opened(found)}; heard {rms:.0f} dBFS, peak {found['peak_db']:.0f}"
    if found["clipped"]:
        advice = "Turn its gain down, or speak from further away."
        return Finding(name, "careful", f"{summary}: clips", advice=advice, data=dict(found))
    if rms < QUIET_DB:
        advice = "Turn its gain up, or check that it is the right one (--input-device)."
        return Finding(name, "careful", f"{summary}: very quiet", advice=advice, data=dict(found))
    return Finding(name, "ok", summary, data=dict(found))
