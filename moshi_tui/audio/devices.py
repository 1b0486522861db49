"""Which sound devices there are, and which one a person means.

PortAudio finds devices once, when it is initialised. What is plugged in later is found by doing
that again (`look_anew`), which ends all open streams; so it is only done while there are none, and
a list of what is there now comes from a process of its own (`listing.py`).
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from moshi_tui.audio.quiet import redirect_c_stderr, silence_alsa
from moshi_tui.errors import MoshiTuiError

Kind = Literal["input", "output"]

ANSWER_SECONDS = 4.0
"""A sound system that is busy for longer does not answer."""

TRY_AGAIN = "Try again in a while; moshi-tui doctor looks closer."

_INSTALL_PORTAUDIO = """\
Install it, e.g.
  Debian, Ubuntu: sudo apt install libportaudio2
  Fedora:         sudo dnf install portaudio
  Arch:           sudo pacman -S portaudio
  macOS:          pip install --force-reinstall sounddevice (it brings the library)
Without it these still work: moshi-tui --demo, and moshi-tui run on sound files."""


class NoAnswerError(MoshiTuiError):
    """The sound system, or a device, does not answer: to ask it for more would only take time."""


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
        with _stderr_kept():
            import sounddevice
    except OSError as error:
        raise MoshiTuiError(
            "PortAudio is missing", f"No sound without it ({error}).", _INSTALL_PORTAUDIO
        ) from error
    except Exception as error:  # sounddevice's own PortAudioError can't be had yet
        raise _no_answer(error) from error
    _hush()
    return sounddevice


_stderr: list[int] = []
"""Where file descriptor 2 leads to, for each call that is under way and has it elsewhere."""


@contextmanager
def _stderr_kept() -> Iterator[None]:
    """Remember file descriptor 2: if PortAudio hangs while it begins, it would stay lost."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    _stderr.append(kept)
    try:
        yield
    finally:
        _stderr.remove(kept)
        os.close(kept)


def let_hang() -> None:
    """A call to PortAudio hangs: go on without it.

    File descriptor 2 is what it was before, and the process will not hang in the same way at its
    exit, when sounddevice cleans up.
    """
    for kept in _stderr[:1]:
        os.dup2(kept, 2)
    handler = getattr(sys.modules.get("sounddevice"), "_exit_handler", None)
    if handler is not None:
        atexit.unregister(handler)


def _no_answer(error: Exception) -> NoAnswerError:
    why = error.args[0] if error.args else error  # the rest is numbers
    return NoAnswerError(
        "The sound system does not answer", f"{type(error).__name__}: {why}.", TRY_AGAIN
    )


_turn = threading.RLock()
open_streams: set[object] = set()
"""The streams that PortAudio has open now; changed by those who hold `alone`."""
_down = threading.Event()
"""PortAudio has been ended and did not begin again. Changed by those who hold `alone`."""


@contextmanager
def alone() -> Iterator[Any]:
    """`sounddevice` for this thread alone: PortAudio lets only one at a time open and close.

    Raises MoshiTuiError as `load` does; NoAnswerError if another thread has been at it for too
    long (a sound server that hangs holds up whoever opens a device of it), or in place of an error
    of PortAudio's own.
    """
    if not _turn.acquire(timeout=ANSWER_SECONDS):
        raise NoAnswerError(
            "The sound system does not answer",
            f"It has been busy with another device for {ANSWER_SECONDS:.0f} seconds.",
            "Try again in a while, or restart the computer's sound server.",
        )
    try:
        portaudio = load()
        try:
            if _down.is_set():
                _begin(portaudio)
            yield portaudio
        except portaudio.PortAudioError as error:
            raise _no_answer(error) from error
    finally:
        _turn.release()


def look_anew() -> bool:
    """Let PortAudio find what was plugged in since; False: not now, for a stream is open.

    Points file descriptor 2 at /dev/null for a moment. All indices may change. Raises
    MoshiTuiError as `alone` does.
    """
    with alone() as portaudio:
        if open_streams:
            return False
        portaudio._terminate()
        _down.set()
        _begin(portaudio)
        return True


def _begin(portaudio: Any) -> None:
    with _stderr_kept():
        portaudio._initialize()
    _down.clear()


@cache
def _hush() -> None:
    silence_alsa()
    redirect_c_stderr()


def list_devices() -> list[Device]:
    """All devices that PortAudio has found. Raises MoshiTuiError as `alone` does."""
    with alone() as portaudio:
        return _listed(portaudio)


def find(device: Device, kind: Kind) -> Device | None:
    """The same device as PortAudio lists it now: its index may be another one. None: not there.

    Raises MoshiTuiError as `alone` does.
    """
    same = [
        each
        for each in list_devices()
        if (each.name, each.host_api) == (device.name, device.host_api) and each.channels(kind)
    ]
    return next((each for each in same if each.index == device.index), same[0] if same else None)


def _listed(portaudio: Any) -> list[Device]:
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

    If nothing fits, it may have been plugged in just now: then PortAudio is made to look anew,
    unless a stream is open. Raises MoshiTuiError if there is none, or more than one.
    """
    try:
        return _pick(kind, wanted)
    except MoshiTuiError:
        if not look_anew():
            raise
    return _pick(kind, wanted)


def _pick(kind: Kind, wanted: str | None) -> Device:
    able = [device for device in list_devices() if device.channels(kind)]
    if not able:
        asked, advice = "", "Plug one in, or use a file: --{0} FILE. moshi-tui --demo needs none."
        if wanted is not None:
            asked = f" {wanted!r} was asked for."
            advice = "Leave out --{0}-device, or use a file: --{0} FILE."
        raise MoshiTuiError(
            f"No {_WORD[kind]}",
            f"The system offers no sound {kind} device.{asked}",
            advice.format(kind),
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
        f"Choose by number, e.g. with --{kind}-device {(found or able)[0].index}.",
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
