from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from moshi_tui.ui.terminal import private_terminal

SCRIPT = """
import os, sys
from pathlib import Path
from moshi_tui.ui.terminal import private_terminal

before = sys.stderr, sys.__stderr__
try:
    with private_terminal(Path(sys.argv[1])):
        os.write(2, b"native\\n")
        print("python", file=sys.stderr, flush=True)
        print("painted", file=sys.__stderr__, flush=True)
        if len(sys.argv) > 2:
            raise ValueError("it broke")
finally:
    assert (sys.stderr, sys.__stderr__) == before
    os.write(2, b"afterwards\\n")
"""


def run(log: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(log), *more],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )


def test_what_native_code_says_goes_into_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    result = run(log)
    assert result.returncode == 0
    assert result.stderr == "python\npainted\nafterwards\n"
    assert log.read_text() == "before\nnative\n"


def test_an_exception_leaves_everything_as_it_was(tmp_path: Path) -> None:
    result = run(tmp_path / "log", "break")
    assert result.returncode == 1
    assert "afterwards" in result.stderr
    assert "ValueError: it broke" in result.stderr


def test_without_a_log_it_goes_nowhere(tmp_path: Path) -> None:
    result = run(tmp_path / "no folder" / "log")
    assert result.stderr == "python\npainted\nafterwards\n"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("no /proc here")
    before = len(os.listdir(folder))
    for _ in range(5):
        with private_terminal(tmp_path / "log"):
            pass
    assert len(os.listdir(folder)) == before
