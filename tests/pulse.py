"""A sound card for tests: a private PulseAudio with a fake microphone and a fake speaker.

`play` is the person who speaks into the microphone, `record` the ear in front of the speaker.
PortAudio looks at the environment when it is loaded, so what uses it runs in a process of its own,
started with `Pulse.env`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

RATE = 48_000
"""Of both null sinks."""

# norewinds: blocks of at most 50 ms; else an idle null sink works in blocks of 2 s.
_MODULES = (
    "module-native-protocol-unix auth-anonymous=1",
    f"module-null-sink sink_name=mic_sink rate={RATE} channels=1 norewinds=1",
    f"module-null-sink sink_name=spk_sink rate={RATE} channels=1 norewinds=1",
    "module-remap-source master=mic_sink.monitor source_name=virtmic",
)


@dataclass(frozen=True)
class Pulse:
    """A running PulseAudio."""

    daemon: subprocess.Popen[bytes]
    env: dict[str, str]
    """The whole environment for programs that shall hear and speak through it."""
    _players: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def play(self, path: Path, sink: str = "mic_sink") -> subprocess.Popen[bytes]:
        """Start to speak a sound file into the microphone; `wait()` for its end."""
        self._players.append(self._spawn("paplay", "-d", sink, str(path)))
        return self._players[-1]

    def hush(self) -> None:
        """End what is still being played."""
        while self._players:
            player = self._players.pop()
            player.kill()
            player.wait(5)

    def control(self, *words: str) -> None:
        """Ask the server for something, in pactl's words."""
        subprocess.run(["pactl", *words], env=self.env, stdout=subprocess.DEVNULL, check=True)

    @contextmanager
    def record(
        self, path: Path, source: str = "spk_sink.monitor", channels: int = 1
    ) -> Iterator[None]:
        """Record what the speaker plays inside the `with` into a WAV file."""
        recorder = self._spawn(
            *("parec", "-d", source, "--file-format=wav", f"--rate={RATE}"),
            *(f"--channels={channels}", "--format=s16le", "--latency-msec=20", str(path)),
        )
        try:
            self._wait_for_recorder(recorder)
            yield
            time.sleep(0.2)  # what is still on its way to the recorder
        finally:
            recorder.terminate()  # it completes the file
            recorder.wait(5)

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=self.env)

    def _wait_for_recorder(self, recorder: subprocess.Popen[bytes]) -> None:
        mark = f'application.process.id = "{recorder.pid}"'
        for _ in range(100):
            listed = subprocess.run(
                ["pactl", "list", "source-outputs"], env=self.env, capture_output=True, text=True
            )
            if mark in listed.stdout:
                return
            time.sleep(0.05)
        raise TimeoutError("parec does not record")


@contextmanager
def running_pulse() -> Iterator[Pulse]:
    """Start a PulseAudio of our own, end it afterwards. Skips the test where that can't be done."""
    for tool in ("pulseaudio", "pactl", "paplay", "parec"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (apt: pulseaudio pulseaudio-utils)")
    if not list(Path("/usr").glob("lib*/**/alsa-lib/libasound_module_pcm_pulse.so")):
        pytest.skip("ALSA's pulse plugin is not installed (apt: libasound2-plugins)")
    # Not in tmp_path: the name of a Unix socket may have no more than 107 characters.
    home = Path(tempfile.mkdtemp(prefix="pulse-"))
    env = _environment(home)
    log = (home / "log").open("wb")
    daemon = subprocess.Popen(_command(), env=env, stdout=log, stderr=log)
    pulse = Pulse(daemon, env)
    try:
        _wait_until_up(daemon, env, home / "log")
        yield pulse
    finally:
        pulse.hush()
        daemon.kill()
        daemon.wait(5)
        log.close()
        # A client that is just ending may still write there.
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def pulse() -> Iterator[Pulse]:
    """One PulseAudio for all tests of the session."""
    with running_pulse() as running:
        yield running


def _environment(home: Path) -> dict[str, str]:
    (home / ".asoundrc").write_text("pcm.!default pulse\nctl.!default pulse\n")
    ours = {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "PULSE_RUNTIME_PATH": str(home / "pulse"),
        "PULSE_SERVER": f"unix:{home}/pulse/native",
        "PULSE_COOKIE": str(home / "cookie"),
    }
    return {**os.environ, **ours}


def _command() -> list[str]:
    quiet = ["--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--log-level=error"]
    modules = [option for module in _MODULES for option in ("-L", module)]
    return ["pulseaudio", "-n", *quiet, *modules]


def _wait_until_up(daemon: subprocess.Popen[bytes], env: dict[str, str], log: Path) -> None:
    defaults = (("set-default-sink", "spk_sink"), ("set-default-source", "virtmic"))
    for _ in range(200):
        if daemon.poll() is not None:
            pytest.skip(f"PulseAudio did not start: {log.read_text().strip()}")
        if all(
            subprocess.run(["pactl", *default], env=env, capture_output=True).returncode == 0
            for default in defaults
        ):
            return
        time.sleep(0.05)
    pytest.skip("PulseAudio did not answer")
