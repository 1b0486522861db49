from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from moshi_tui.doctor.child import ask
from moshi_tui.errors import MoshiTuiError

TASKS = """
import json, os, signal, sys, time
print(json.dumps({"got": json.load(sys.stdin)}), flush=True)
task = sys.argv[1]
if task == "hang":
    time.sleep(60)
if task == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if task == "abort":
    print("no Metal device", file=sys.stderr)
    os.abort()
if task == "refuse":
    print(json.dumps({"error": ["Title", "what was found", "what to do"]}))
    sys.exit(1)
if task == "raise":
    raise ValueError("odd")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "fake_tasks.py").write_text(TASKS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "fake_tasks"


def test_the_last_line_is_the_result(module: str) -> None:
    answer = ask("fine", {"a": "é"}, 20, module=module)
    assert answer.result() == {"got": {"a": "é"}}


def test_a_process_that_hangs_is_ended_and_what_it_said_is_kept(module: str) -> None:
    answer = ask("hang", {}, 1.0, module=module)
    assert answer.lines == ({"got": {}},)
    with pytest.raises(MoshiTuiError, match="within 1 seconds"):
        answer.result()


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("killed", "SIGKILL.*out of memory"),
        ("abort", "SIGABRT. no Metal device"),
        ("raise", "status 1. ValueError: odd"),
        ("refuse", "what was found\nwhat to do"),
    ],
)
def test_a_crash_is_a_sentence(module: str, task: str, words: str) -> None:
    with pytest.raises(MoshiTuiError, match=words):
        ask(task, {}, 20, module=module).result()


def test_a_file_in_the_current_folder_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise RuntimeError('not the real one')")
    monkeypatch.chdir(tmp_path)
    if sys.version_info < (3, 11):
        pytest.skip("Python 3.10 always looks into the current folder")
    answer = ask("imports", {"modules": ["numpy"]}, 60)
    assert answer.result() == {"module": "numpy", "failed": None}


def test_imports_tell_how_far_they_got() -> None:
    answer = ask("imports", {"modules": ["json", "no_such_module_at_all"]}, 60)
    told = {line["module"]: line["failed"] for line in answer.lines if "module" in line}
    assert told["json"] is None
    assert "no_such_module_at_all" in told["no_such_module_at_all"]


def test_the_doctor_itself_needs_no_package_that_may_be_broken() -> None:
    script = (
        "import sys, moshi_tui.doctor.command\n"
        "heavy = {'mlx', 'numpy', 'rustymimi', 'sounddevice', 'textual', 'huggingface_hub'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": str(root)}, check=True)
