"""What the screen costs, and how soon it is there. On a quiet machine:

    PYTHONPATH=. python tests/bench/screen.py paint    # from the command to the first picture
    PYTHONPATH=. python tests/bench/screen.py cpu      # share of a core, 60 s at 120x40

`paint` starts `moshi-tui --demo` in a pseudo-terminal, in turns with an app that consists of one
word: what Textual itself needs. `cpu` runs the whole app with an engine that only pretends.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
PAINT_BAR_S = 0.6
CPU_BAR = 0.06
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("weights")
Bare().run()
"""


@contextmanager
def terminal(argv: list[str], columns: int, lines: int, home: str) -> Iterator[int]:
    """A program in a pseudo-terminal; gives its master end, and kills it."""
    size = struct.pack("HHHH", lines, columns, 0, 0)
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, size)
        env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "HOME": home}
        env |= {"PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": home}
        os.chdir(ROOT)
        os.execvpe(argv[0], argv, env)
    try:
        yield master
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(master)


def until(master: int, needle: bytes, timeout: float) -> float | None:
    """Read what is painted until `needle` is among it; returns for how long."""
    began, painted = time.perf_counter(), b""
    while (left := began + timeout - time.perf_counter()) > 0:
        if not select.select([master], [], [], left)[0]:
            break
        try:
            painted += os.read(master, 65536)
        except OSError:  # the program has ended
            break
        if needle in painted:
            return time.perf_counter() - began
    return None


def paint(times: int) -> int:
    """Compare with a bare app."""
    commands = {
        "moshi-tui --demo": [sys.executable, "-m", "moshi_tui", "--demo"],
        "bare Textual app": [sys.executable, "-c", BARE],
    }
    measured: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as home:
        for _ in range(times + 1):
            for name, argv in commands.items():
                with terminal(argv, 120, 40, home) as master:
                    needle = b"weights" if name.startswith("bare") else b"Weights"
                    seconds = until(master, needle, 20.0)
                if seconds is None:
                    print(f"{name}: nothing was painted")
                    return 1
                measured[name].append(seconds)
    for name, values in measured.items():
        values = values[1:]  # the first one fills the disk's cache
        print(f"{name}: median {median(values):.3f} s ({min(values):.3f} to {max(values):.3f})")
    return int(median(measured["moshi-tui --demo"][1:]) > PAINT_BAR_S)


def cpu(seconds: float) -> int:
    """The share of a core, second by second."""
    with tempfile.TemporaryDirectory() as home:
        out = Path(home) / "cpu.txt"
        child = str(Path(__file__).with_name("screen_child.py"))
        with terminal([sys.executable, child, str(seconds), str(out)], 120, 40, home) as master:
            painted = 0
            while True:
                try:
                    data = os.read(master, 65536)
                except OSError:
                    break
                if not data:
                    break
                painted += len(data)
        used = [float(line) for line in out.read_text().split()]
    shares = [later - earlier for earlier, later in pairwise(used)]
    print(
        f"{len(shares)} s: median {median(shares):.1%} of a core "
        f"({min(shares):.1%} to {max(shares):.1%}), {painted / seconds / 1000:.0f} kB/s painted"
    )
    return int(median(shares) > CPU_BAR)


def main() -> int:
    """The command line; status 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("paint", "cpu"))
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=60.0)
    args = parser.parse_args()
    return paint(args.times) if args.what == "paint" else cpu(args.seconds)


if __name__ == "__main__":
    sys.exit(main())
