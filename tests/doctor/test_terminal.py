from __future__ import annotations

import os
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest

from moshi_tui.doctor.findings import Finding
from moshi_tui.doctor.terminal import Terminal, as_started, check_terminal, this_terminal

ENV = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_GB.UTF-8"}


def check(size: tuple[int, int] = (120, 40), encoding: str = "utf-8", **env: str) -> Finding:
    [finding] = check_terminal(Terminal(True, size, encoding, {**ENV, **env}))
    return finding


def test_a_good_terminal() -> None:
    finding = check()
    assert finding.verdict == "ok"
    assert finding.summary == "120x40, xterm-256color, 16 million colours, UTF-8"


@pytest.mark.parametrize(
    ("env", "colours"),
    [
        ({"COLORTERM": ""}, "256 colours"),
        ({"COLORTERM": "", "TERM": "xterm"}, "16 colours"),
        ({"NO_COLOR": "1"}, "no colours (NO_COLOR)"),
    ],
)
def test_colours(env: dict[str, str], colours: str) -> None:
    assert colours in check(**env).summary


@pytest.mark.parametrize(
    ("env", "encoding"),
    [
        ({"LC_ALL": "de_DE.ISO-8859-1"}, "utf-8"),
        ({"LANG": "C"}, "utf-8"),  # as Python's UTF-8 mode has it
        ({"LANG": ""}, "utf-8"),
        ({"LANG": "en_GB"}, "iso-8859-1"),
    ],
)
def test_without_utf8_it_says_ascii(env: dict[str, str], encoding: str) -> None:
    finding = check(encoding=encoding, **env)
    assert (finding.verdict, "--ascii" in finding.advice) == ("careful", True)
    assert "UTF-8" not in finding.summary


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_what_python_makes_of_the_c_locale_does_not_count() -> None:
    code = (
        "import os\n"
        "from moshi_tui.doctor.terminal import as_started\n"
        "print(as_started().get('LC_CTYPE'), as_started()['LANG'], os.environ.get('LC_CTYPE'))\n"
    )
    root = Path(__file__).parents[2]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "LANG": "C"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.split()[:2] == ["None", "C"]
    assert done.stdout.split()[2] != "None"


def test_without_proc_the_environment_is_what_it_is_now(tmp_path: Path) -> None:
    assert as_started(tmp_path / "none") == dict(os.environ)


def test_a_size_of_nothing_is_not_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((0, 0)))
    found = this_terminal()
    assert found.size is None
    [finding] = check_terminal(replace(found, env=ENV))
    assert (finding.verdict, finding.advice) == ("ok", "")
    assert finding.summary.startswith("size not known, xterm")


def test_the_linux_console_lacks_blocks() -> None:
    assert "--ascii" in check(TERM="linux").advice


def test_small_terminals() -> None:
    assert check(size=(70, 24)).verdict == "ok"
    assert "80x24" in check(size=(70, 24)).advice
    assert check(size=(30, 10)).verdict == "careful"


def test_a_terminal_that_can_draw_nothing() -> None:
    finding = check(TERM="dumb")
    assert (finding.verdict, "--headless" in finding.advice) == ("bad", True)


def test_no_terminal() -> None:
    [finding] = check_terminal(Terminal(False, None, "utf-8", {}))
    assert (finding.verdict, "--headless" in finding.advice) == ("careful", True)


def test_notes_on_tmux_and_ssh() -> None:
    notes = " ".join(check(TMUX="/tmp/x", SSH_CONNECTION="1 2").details)
    assert "tmux" in notes
    assert "microphone and speaker are those of this machine" in notes
    assert "screen" in check(STY="1").details[0]


def test_names_from_outside_steer_nothing() -> None:
    assert "\x1b" not in check(TERM="x\x1b[2J").summary
