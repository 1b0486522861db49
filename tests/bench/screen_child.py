"""The app with an engine that talks by the clock and computes nothing; for `screen.py cpu`.

    python tests/bench/screen_child.py SECONDS FILE

Writes the CPU seconds that the process has used into FILE, a line a second.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from itertools import count
from pathlib import Path

from moshi_tui.audio.levels import SILENCE, Level
from moshi_tui.config import ScreenOptions
from moshi_tui.frames import FRAME_RATE
from moshi_tui.session.events import TextPiece, UserTurn
from moshi_tui.ui.app import MoshiApp
from tests.fakes import FakeDesk, FakeEngine

RATE = 15
"""Snapshots a second: as often as the screen looks."""
SETTLE_SECONDS = 5.0
WORDS = ("well", "that", "is", "a", "good", "question", "and", "it", "depends", "on", "the")


def level(t: float, speed: float) -> Level:
    """Speech as a meter sees it: up and down a few times a second."""
    rms_db = -28.0 + 14.0 * math.sin(speed * t) * math.sin(1.7 * speed * t)
    return Level(rms_db, rms_db + 9.0)


def talk(engine: FakeEngine, app: MoshiApp, seconds: float, out: Path) -> None:
    """Four seconds Moshi, four seconds the user, and so on; three words a second."""
    time.sleep(1.0)
    engine.load()
    words = count()
    began, ticks, lines = time.monotonic(), 0, []
    while (t := time.monotonic() - began) < SETTLE_SECONDS + seconds:
        frame = int(t * FRAME_RATE)
        moshi_speaks = t % 8 < 4
        engine.update(
            elapsed_s=t,
            frame=frame,
            frames=frame,
            lag_ms=140 + 15 * math.sin(t),
            step_ms=54 + math.sin(3 * t),
            encode_ms=21 + math.sin(5 * t),
            decode_ms=22 + math.sin(4 * t),
            backlog_frames=0.3 + 0.3 * math.sin(7 * t),
            playout_ms=30 + 3 * math.sin(t / 3),
            context_frames=frame,
            context_size=3000,
            memory_bytes=5_100_000_000,
            user=Level(-62, -55) if moshi_speaks else level(t, 9.0),
            moshi=level(t, 11.0) if moshi_speaks else SILENCE,
        )
        if moshi_speaks and ticks % 5 == 0:
            engine.fire(TextPiece(frame, 9, f" {WORDS[next(words) % len(WORDS)]}"))
        if not moshi_speaks and ticks % 4 == 0:
            start = (t // 8) * 8 + 4
            blocks = int((t - start) / 0.24) + 1
            levels = tuple(level(n * 0.24, 9.0).rms_db for n in range(blocks))
            first = int(start * FRAME_RATE)
            engine.fire(UserTurn(first, max(1, frame - first), levels, over=False))
        if ticks % RATE == 0 and t > SETTLE_SECONDS:
            lines.append(f"{time.process_time()}\n")
        ticks += 1
        time.sleep(max(0.0, began + ticks / RATE - time.monotonic()))
    out.write_text("".join(lines))
    app.call_later(app.leave)


def main() -> None:
    """The command line."""
    seconds, out = float(sys.argv[1]), Path(sys.argv[2])
    engine = FakeEngine()
    app = MoshiApp(engine.listen_to, FakeDesk, ScreenOptions())
    threading.Thread(target=talk, args=(engine, app, seconds, out), daemon=True).start()
    app.run()


if __name__ == "__main__":
    main()
