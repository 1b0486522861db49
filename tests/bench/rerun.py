"""Does the model say the same again? Records talks of the demo, and runs the model on them.

    PYTHONPATH=. python tests/bench/rerun.py [--seconds 60] [--input FILE]

The bar of issue 5: "Replay of a 60 s demo session, greedy and sampled: all tokens equal". Each talk
takes its time; there are four: greedy, sampled, one with a reset in the middle (each part has a
seed of its own), and one whose recording begins in the middle, before a reset. Exit status 1 if a
bar is missed.
"""

from __future__ import annotations

import argparse
import os
import queue
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `cli.main` sets it

from moshi_tui.config import AudioOptions, CheckpointOptions, RecordingOptions, Settings
from moshi_tui.session.ends import live_ends
from moshi_tui.session.engine import Engine
from moshi_tui.session.events import Failed, Ready, RecordingStopped

ROOT = Path(__file__).parents[2]


def moshi(*options: object) -> subprocess.CompletedProcess[str]:
    """The program, as one calls it."""
    command = [sys.executable, "-m", "moshi_tui", *map(str, options)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def talk(base: Path, seconds: float, source: list[object], *options: object) -> Path:
    """One talk with `--headless`; returns its recording."""
    ears = ["--input", *source] if source else []
    done = moshi("--demo", "--headless", "--seconds", seconds, "--record", base, *ears, *options)
    if done.returncode:
        sys.exit(done.stderr)
    return newest(base)


def talk_with_reset(base: Path, seconds: float, source: list[object], late: bool) -> Path:
    """One talk with a reset in the middle; `late`: recorded only after its first quarter."""
    settings = Settings(
        CheckpointOptions(demo=True),
        audio=AudioOptions(input_file=Path(str(source[0])) if source else None),
        recording=RecordingOptions(record=not late, record_folder=base),
    )
    events: queue.Queue[object] = queue.Queue()
    engine = Engine(settings, events.put, partial(live_ends, settings))
    engine.start()
    while not isinstance(event := events.get(timeout=60), Ready):
        if isinstance(event, Failed):
            raise event.error
    time.sleep(seconds / 4)
    engine.start_recording()
    time.sleep(seconds / 4)
    engine.reset()
    time.sleep(seconds / 2)
    engine.stop_recording()
    while not isinstance(events.get(timeout=10), RecordingStopped):
        pass
    engine.stop(5)
    return newest(base)


def newest(base: Path) -> Path:
    """The recording that was made last."""
    return max(base.iterdir(), key=lambda folder: folder.stat().st_mtime)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--input", help="what the model hears (default: the demo's voice)")
    options = parser.parse_args()
    source = [options.input] if options.input else []
    failed = False
    with tempfile.TemporaryDirectory() as name:
        base, seconds = Path(name), options.seconds
        talks = {
            "sampled": lambda: talk(base, seconds, source, "--seed", 1),
            "greedy": lambda: talk(base, seconds, source, "--seed", 1, "--greedy"),
            "with a reset": lambda: talk_with_reset(base, seconds, source, late=False),
            "recorded late": lambda: talk_with_reset(base, seconds, source, late=True),
        }
        for what, make in talks.items():
            done = moshi("replay", make(), "--model")
            failed = failed or done.returncode != 0
            print(f"{what}: status {done.returncode}\n{done.stdout}{done.stderr}", flush=True)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
