from __future__ import annotations

import pytest

from moshi_tui.doctor.findings import Finding
from moshi_tui.doctor.terminal import Terminal, check_terminal

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
    [({"LC_ALL": "de_DE.ISO-8859-1"}, "utf-8"), ({"LANG": "C"}, "ascii")],
)
def test_without_utf8_it_says_ascii(env: dict[str, str], encoding: str) -> None:
    finding = check(encoding=encoding, **env)
    assert (finding.verdict, "--ascii" in finding.advice) == ("careful", True)


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
