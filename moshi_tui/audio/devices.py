"""Which sound devices there are, and which one a person means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from moshi_tui.audio.quiet import redirect_c_stderr, silence_alsa
from moshi_tui.errors import MoshiTuiError

Kind = Literal["input", "output"]

_INSTALL_PORTAUDIO = """\
Install it, e.g.
  Debian, Ubuntu: sudo apt install libportaudio2
  Fedora:         sudo dnf install portaudio
  Arch:           sudo pacman -S portaudio
  macOS:          pip install --force-reinstall sounddevice (it brings the library)
Without it these still work: moshi-tui --demo, and moshi-tui run on sound files."""


@dataclass(frozen=True)
class Device:
    """One sound device, as PortAudio lists it."""

    index: int
    name: str
    host_api: str
    rate: int
    """Its default rate in Hz."""
    inputs: int
    """Channels that it can record; 0: it has no microphone."""
    outputs: int
    default_input: bool
    default_output: bool

    def channels(self, kind: Kind) -> int:
        """How many channels it has in one direction."""
        return self.inputs if kind == "input" else self.outputs

    def is_default(self, kind: Kind) -> bool:
        """Whether the system would choose it."""
        return self.default_input if kind == "input" else self.default_output

    def __str__(self) -> str:
        return f"[{self.index}] {self.name} ({self.host_api})"


def load() -> Any:
    """The module `sounddevice`, imported at the first call and kept quiet from then on.

    Its import points file descriptor 2 at /dev/null for a moment: call this before the screen is
    up. Raises MoshiTuiError where PortAudio is missing.
    """
    try:
        import sounddevice
    except OSError as error:
        raise MoshiTuiError(
            "PortAudio is missing", f"No sound without it ({error}).", _INSTALL_PORTAUDIO
        ) from error
    _hush()
    return sounddevice


@cache
def _hush() -> None:
    silence_alsa()
    redirect_c_stderr()


def list_devices() -> list[Device]:
    """All devices that PortAudio found when it was loaded. Raises MoshiTuiError as `load` does."""
    portaudio = load()
    apis = portaudio.query_hostapis()
    default_input = _default_index(portaudio, "input")
    default_output = _default_index(portaudio, "output")
    return [
        Device(
            index=index,
            name=str(entry["name"]),
            host_api=str(apis[entry["hostapi"]]["name"]),
            rate=round(entry["default_samplerate"]),
            inputs=int(entry["max_input_channels"]),
            outputs=int(entry["max_output_channels"]),
            default_input=index == default_input,
            default_output=index == default_output,
        )
        for index, entry in enumerate(portaudio.query_devices())
    ]


def pick(kind: Kind, wanted: str | None) -> Device:
    """The device that a person means.

    Args:
        kind: "input" for a microphone, "output" for a speaker.
        wanted: an index, a name or a part of one (upper and lower case are the same);
            None: the system's default.

    Raises MoshiTuiError if there is none, or more than one.
    """
    able = [device for device in list_devices() if device.channels(kind)]
    if not able:
        raise MoshiTuiError(
            f"No {_WORD[kind]}",
            f"The system offers no sound {kind} device.",
            f"Plug one in, or use a file: --{kind} FILE. moshi-tui --demo needs no sound card.",
        )
    if wanted is None:
        return next((device for device in able if device.is_default(kind)), able[0])
    found = _matches(able, wanted.strip())
    if len(found) == 1:
        return found[0]
    what = "Which" if found else "Unknown"
    title = f"{what} {_WORD[kind]}?" if found else f"{what} {_WORD[kind]}"
    many = f"{wanted!r} fits {len(found)} devices" if found else f"No {kind} device fits {wanted!r}"
    choices = "\n".join(f"  {device}" for device in (found or able))
    raise MoshiTuiError(
        title,
        f"{many}:\n{choices}",
        f"Choose by number: --{kind}-device {(found or able)[0].index}",
    )


_WORD: dict[Kind, str] = {"input": "microphone", "output": "speaker"}


def _matches(devices: list[Device], wanted: str) -> list[Device]:
    if wanted.isdecimal():
        return [device for device in devices if device.index == int(wanted)]
    name = wanted.casefold()
    exact = [device for device in devices if device.name.casefold() == name]
    return exact or [device for device in devices if name and name in device.name.casefold()]


def _default_index(portaudio: Any, kind: Kind) -> int:
    try:
        return int(portaudio.query_devices(kind=kind)["index"])
    except (portaudio.PortAudioError, ValueError):  # there is none of this kind
        return -1
