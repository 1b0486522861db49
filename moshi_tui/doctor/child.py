"""Asks a process of its own: one that hangs is ended, one that crashes is a sentence.

MLX aborts where it finds no Metal device, a process that takes too much memory is killed, and a
sound server may hang: none of that may end the doctor.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moshi_tui.errors import MoshiTuiError

MODULE = "moshi_tui.doctor.tasks"


@dataclass(frozen=True)
class Answer:
    """What the process said."""

    lines: tuple[dict[str, Any], ...]
    """Its results, in its order."""
    error: MoshiTuiError | None
    """Why there are no more."""

    def result(self) -> dict[str, Any]:
        """The last line. Raises MoshiTuiError if the process failed."""
        if self.error is not None:
            raise self.error
        return self.lines[-1]


def ask(task: str, request: dict[str, Any], limit_s: float, *, module: str = MODULE) -> Answer:
    """Let a process of its own do one of `tasks.TASKS`.

    Args:
        request: what the task gets.
        limit_s: seconds, after which it is killed.
        module: the module with the tasks; another one in tests.
    """
    root = str(Path(__file__).parents[2])
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
        "PYTHONSAFEPATH": "1",  # a file numpy.py in the current folder is not ours
        "PYTHONIOENCODING": "utf-8",
    }
    command = [sys.executable, "-m", module, task]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(request).encode(),
            capture_output=True,
            env=env,
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired as late:
        what = f"It gave no answer within {limit_s:.0f} seconds."
        return Answer(_parsed(late.stdout or b""), MoshiTuiError("No answer", what))
    lines = _parsed(done.stdout)
    if lines and "error" in lines[-1]:
        return Answer(lines[:-1], MoshiTuiError(*lines[-1]["error"]))
    if done.returncode:
        return Answer(lines, _crash(done.returncode, done.stderr.decode(errors="replace")))
    if not lines:
        return Answer(lines, MoshiTuiError("No answer", "It ended without a result."))
    return Answer(lines, None)


def _parsed(output: bytes) -> tuple[dict[str, Any], ...]:
    """The complete lines."""
    return tuple(
        json.loads(line) for line in output.splitlines(keepends=True) if line[-1:] == b"\n"
    )


def _crash(status: int, said: str) -> MoshiTuiError:
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        why = " (out of memory?)" if name == "SIGKILL" else ""
        ended = f"It was ended by {name}{why}."
    else:
        ended = f"It ended with status {status}."
    return MoshiTuiError("Crashed", f"{ended} {last}".strip())
