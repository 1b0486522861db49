"""The program itself in real time, and what it takes in a wheel."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
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


def underruns(model: Path, seconds: float) -> tuple[int, int, float]:
    """Run `moshi-tui --headless` for so long with a file as the microphone.

    Returns the underruns after the first second, those within it, and the seconds of the talk.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_user(folder / "user.wav", seconds)
        command = [sys.executable, "-m", "moshi_tui", "--headless"]
        command += ["--model-dir", str(model.resolve()), "--seconds", str(seconds)]
        command += ["--input", str(folder / "user.wav"), "--output", str(folder / "moshi.wav")]
        command += ["--record", str(folder / "talks")]
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
    late = sum(t > FIRST_S for t in times)
    return late, len(times) - late, max(event.get("t", 0.0) for event in events)


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
