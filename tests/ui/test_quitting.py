"""The whole program in a terminal of its own: how it ends, and what it leaves behind."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from moshi_tui.ui.stopping import Stopper

SCRIPT = """
import os, sys, threading
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import Failed, Loading, Ready, TextPiece
from moshi_tui.config import ScreenOptions
from moshi_tui.ui.app import run_app
from moshi_tui.ui.replaying import run_replay
from tests.fakes import INFO, FakeDesk, FakeEngine, FakePlayer

state, stop_seconds, heeds = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "heeds"

class Engine(FakeEngine):
    def start(self):
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        error = MoshiTuiError("It broke", "Badly.", "Mend it.")
        self.fire(Loading("weights", "half of it", 0.5))
        if state == "load-failed":
            self.fire(Failed(error))
        if state in ("talking", "talk-failed", "crash"):
            self.fire(Ready(INFO), TextPiece(1, 9, "Hey you"))
        if state == "talk-failed":
            self.fire(Failed(error))
        if state == "crash":
            self.stats = None

if state == "replay":
    outcome = run_replay(FakePlayer().listen_to, ScreenOptions(), title="a talk")
else:
    engine = Engine(stop_seconds=stop_seconds, heeds_timeout=heeds)
    outcome = run_app(engine.listen_to, FakeDesk)
os.write(1, f"<{outcome.status} {outcome.stopped}>".encode())
os._exit(outcome.status)
"""

SHOWN = {
    "loading": "half of it",
    "load-failed": "It broke",
    "talking": "Hey you",
    "talk-failed": "It broke",
    "crash": "Hey you",
    "replay": "01:00",
}
LEFT_SCREEN = "\x1b[?1049l"
CURSOR_SHOWN = "\x1b[?25h"


class Terminal:
    """A pseudo-terminal with the program in it."""

    def __init__(self, *arguments: str) -> None:
        self._master, self._slave = pty.openpty()
        self.before = self.settings()
        self.output = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
            start_new_session=True,
        )

    def settings(self) -> list[object]:
        return termios.tcgetattr(self._slave)

    def wait_for(self, text: str, timeout: float = 30.0) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.output:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} never came; got {self.output[-2000:]!r}"
            if select.select([self._master], [], [], left)[0]:
                self.output += os.read(self._master, 65536).decode(errors="replace")

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize(
    ("state", "stop_seconds", "heeds", "key", "ending"),
    [
        ("loading", 30.0, "ignores", "q", "<0 False>"),  # in a step that can't be interrupted
        ("loading", 0.0, "heeds", "\x03", "<0 True>"),
        ("load-failed", 0.0, "heeds", "q", "<1 True>"),
        ("talking", 0.3, "heeds", "q", "<0 True>"),
        ("talking", 30.0, "heeds", "\x11", "<0 False>"),
        ("talk-failed", 30.0, "ignores", "q", "<1 False>"),
        ("replay", 0.0, "heeds", "q", "<0 True>"),
    ],
)
def test_gone_within_a_second_and_the_terminal_as_it_was(
    terminals: list[Terminal], state: str, stop_seconds: float, heeds: str, key: str, ending: str
) -> None:
    terminal = Terminal(state, str(stop_seconds), heeds)
    terminals.append(terminal)
    terminal.wait_for(SHOWN[state])
    terminal.wait_for("Quit")
    pressed = time.monotonic()
    terminal.type(key)
    terminal.wait_for(ending)
    terminal.process.wait()
    assert time.monotonic() - pressed < 1.0
    assert terminal.process.returncode == int(ending[1])
    assert terminal.settings() == terminal.before
    assert LEFT_SCREEN in terminal.output
    assert CURSOR_SHOWN in terminal.output
    after = terminal.output.split(LEFT_SCREEN)[1]
    assert "Hey" not in after  # nothing is printed behind the screen


def test_a_signal_restores_the_terminal(terminals: list[Terminal]) -> None:
    terminal = Terminal("talking", "0", "heeds")
    terminals.append(terminal)
    terminal.wait_for("Hey you")
    terminal.process.send_signal(signal.SIGTERM)
    terminal.wait_for("<143 True>")
    assert terminal.settings() == terminal.before
    assert LEFT_SCREEN in terminal.output


def test_a_crash_of_the_app_is_told(terminals: list[Terminal]) -> None:
    terminal = Terminal("crash", "0", "heeds")
    terminals.append(terminal)
    terminal.wait_for("<1 True>")
    assert terminal.settings() == terminal.before
    assert "AttributeError" in terminal.output.split(LEFT_SCREEN)[1]


def test_stopper_stops_once() -> None:
    calls: list[float] = []

    def stop(timeout: float) -> bool:
        calls.append(timeout)
        return True

    stopper = Stopper(stop, 0.2)
    stopper.begin()
    stopper.begin()
    assert stopper.finish()
    assert stopper.finish()
    assert calls == [0.2]


def test_stopper_gives_up_in_time() -> None:
    began = time.monotonic()
    stopper = Stopper(lambda timeout: bool(time.sleep(3)), 0.1)
    assert not stopper.finish()
    assert time.monotonic() - began < 1.0


def test_stopper_hands_an_error_on() -> None:
    def stop(timeout: float) -> bool:
        raise OSError("no such device")

    with pytest.raises(OSError, match="no such device"):
        Stopper(stop).finish()
