"""A talk of the demo with its own user: recorded, and the model says the same again."""

import os
import re
import subprocess
import sys
from pathlib import Path

from moshi_tui.demo.checkpoint import demo_config

ROOT = Path(__file__).parents[2]


def moshi(*words, cwd):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(cwd / "state")}
    command = [sys.executable, "-m", "moshi_tui", *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


def test_a_recorded_talk_is_said_again(tmp_path):
    talks = tmp_path / "talks"
    options = ("--headless", "--seconds", "5", "--seed", "3", "--record", str(talks))
    done = moshi("--demo", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Pocket Moshi" in done.stderr
    (folder,) = talks.iterdir()
    again = moshi("replay", str(folder), "--model", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    steps, equal = re.search(r"(\d+) of (\d+) steps equal", again.stdout + again.stderr).groups()
    assert steps == equal
    assert f"of {demo_config()['dep_q']} codes" in again.stdout + again.stderr
