"""The program itself in real time, and what it takes in a wheel."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from eval_talk import FRAME
from eval_turns import FRAME_S, RATE
from eval_user import SimulatedUser

REPO = Path(__file__).resolve().parents[2]
FIRST_S = 1.0
"""Underruns before this do not count."""
EXTRA_S = 180.0
"""For loading and for finishing the recording."""
STOLEN_S = 0.03
"""Processor time that the host took within `BEFORE_S`, for an underrun to be laid to it."""
BEFORE_S = 0.35
_STAT = Path("/proc/stat")
_STEAL = 8
"""The field of a line of `_STAT`, in hundredths of a second."""


class HostWatch:
    """Notes, in a thread, how much processor time the host of a virtual machine takes away."""

    def __init__(self) -> None:
        self._moments: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="host-watch", daemon=True)

    def __enter__(self) -> HostWatch:
        if _STAT.exists():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.ident:
            self._thread.join()

    def _run(self) -> None:
        before = _stolen_s()
        while not self._over.wait(0.02):
            now = _stolen_s()
            self._moments.append((time.time(), now - before))
            before = now

    def stolen_before(self, moment: float) -> float:
        """Seconds, of all processors, within `BEFORE_S` before `moment` (`time.time`)."""
        return sum(s for at, s in self._moments if 0 <= moment + 0.05 - at <= BEFORE_S + 0.05)

    @property
    def by_chance(self) -> float:
        """The share of all moments before which as much was stolen as is laid to the host."""
        some = [at for at, _ in self._moments[::50]]
        return sum(self.stolen_before(at) >= STOLEN_S for at in some) / max(1, len(some))

    @property
    def share(self) -> float:
        """Of one processor's time, all the while."""
        if len(self._moments) < 2:
            return 0.0
        return sum(s for _, s in self._moments) / (self._moments[-1][0] - self._moments[0][0])


def _stolen_s() -> float:
    return int(_STAT.read_text().split(None, _STEAL + 1)[_STEAL]) / 100


@dataclass(frozen=True)
class Live:
    """A talk in real time."""

    seconds: float
    early: int
    """Underruns within the first second."""
    late: int
    """Underruns after it..."""
    late_and_stolen: int
    """...of these such before which the host took processor time away."""
    stolen: float
    """The share of one processor's time that the host took away."""
    by_chance: float
    """The share of `late_and_stolen` in `late` if the host had nothing to do with it."""


def is_shipped(model: Path) -> bool:
    """Whether it is the one that `--demo` runs."""
    return model.resolve() == REPO / "moshi_tui" / "demo" / "pocket"


def talk_live(model: Path | None, seconds: float) -> Live:
    """Run `moshi-tui --headless` for so long.

    Args:
        model: a file is the microphone, as if it were a person's; None: `--demo`, with its user.
    """
    with HostWatch() as host, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "moshi_tui", "--headless", "--seconds", str(seconds)]
        command += ["--record", str(folder / "talks")]
        if model is None:
            command += ["--demo"]
        else:
            _write_user(folder / "user.wav", seconds)
            command += ["--model-dir", str(model.resolve())]
            command += ["--input", str(folder / "user.wav"), "--output", str(folder / "moshi.wav")]
        done = subprocess.run(
            command, cwd=REPO, capture_output=True, text=True, timeout=seconds + EXTRA_S
        )
        found = sorted((folder / "talks").glob("*/events.jsonl"))
        if not found:
            raise SystemExit(
                f"moshi-tui made no recording (status {done.returncode}): {done.stderr}"
            )
        events = [json.loads(line) for line in found[0].read_text().splitlines()]
    times = [event["t"] for event in events if event["type"] == "underrun"]
    began = datetime.fromisoformat(events[0]["started"]).timestamp()
    late = [t for t in times if t > FIRST_S]
    taken = sum(host.stolen_before(began + t) >= STOLEN_S for t in late)
    length = max(event.get("t", 0.0) for event in events)
    return Live(length, len(times) - len(late), len(late), taken, host.share, host.by_chance)


def _write_user(path: Path, seconds: float) -> None:
    """A user that hears nothing: a sentence, some seconds of silence, and so on."""
    import soundfile

    user = SimulatedUser(1, seconds, chatty=False)
    silent = np.zeros(FRAME, np.float32)
    sound = [user.frame(silent) for _ in range(round(seconds / FRAME_S))]
    soundfile.write(path, np.concatenate(sound), RATE, subtype="PCM_16")


def folder_bytes(model: Path) -> int:
    """Of the checkpoint's files."""
    return sum(file.stat().st_size for file in model.iterdir() if file.is_file())


def wheel_bytes() -> int:
    """What moshi_tui/demo takes in a wheel, compressed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, str(REPO)]
        subprocess.run(command, check=True, capture_output=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            entries = wheel.infolist()
    return sum(e.compress_size for e in entries if e.filename.startswith("moshi_tui/demo/"))
