"""Makes assets/screenshot.svg, the picture in the README: the real app with the real engine and
the demo checkpoint, driven without a terminal.

    python assets/make_screenshot.py

Waits until Moshi has said something, so it takes as long as the talk that it shows.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as moshi_tui.cli does

from moshi_tui.config import CheckpointOptions, SamplingOptions, Settings
from moshi_tui.session.desk import Desk
from moshi_tui.session.ends import live_ends
from moshi_tui.session.engine import Engine
from moshi_tui.ui.app import MoshiApp
from moshi_tui.ui.engine_port import EngineLike, Listener

SIZE = (100, 30)
SEED = 5
TARGET = Path(__file__).with_name("screenshot.svg")


def make_engine(listener: Listener) -> EngineLike:
    """The engine of `moshi-tui --demo`."""
    settings = Settings(
        checkpoint=CheckpointOptions(demo=True), sampling=SamplingOptions(seed=SEED)
    )
    return Engine(settings, listener, partial(live_ends, settings))


async def make(target: Path, words: int, timeout: float) -> int:
    """Talk until Moshi has said `words` words, then write the picture. Returns the exit status."""
    app = MoshiApp(make_engine, Desk)
    async with app.run_test(size=SIZE) as pilot:
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout
        while len(app.transcript_text().split()) < words and app.failure is None:
            if clock() > deadline:
                break
            await pilot.pause(0.2)
        said = len(app.transcript_text().split())
        svg = app.export_screenshot(title="moshi-tui")
        app.leave()
    stopped = app.stopper is None or app.stopper.finish()
    if app.failure is not None:
        print(app.failure, file=sys.stderr)
        return 1
    if said < words:
        print(f"Moshi said {said} of {words} words in {timeout:.0f} s.", file=sys.stderr)
        return 1
    target.write_text(svg, encoding="utf-8")
    print(f"{target}: {said} words, engine {'stopped' if stopped else 'did not stop in time'}")
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Makes assets/screenshot.svg.")
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--words", type=int, default=85, help="wait for so many words")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds to wait for them")
    options = parser.parse_args()
    return asyncio.run(make(options.out, options.words, options.timeout))


if __name__ == "__main__":
    sys.exit(main())
