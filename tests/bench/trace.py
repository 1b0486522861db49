"""What `--trace` costs, and what is in a trace.

python -m tests.bench.trace               CPU time a frame of each stage, without and with it
python -m tests.bench.trace trace.json    median and 95th percentile of each span in it
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from moshi_tui.config import RecordingOptions, Settings
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.session import engine as engine_module
from moshi_tui.session.engine import Engine
from moshi_tui.session.events import Ready
from moshi_tui.session.trace import Trace
from moshi_tui.session.trace_rows import PlacedFrame, SteppedFrame
from tests.session.stand_ins import EarSink, HandSource, parts

FRAMES = 600
ROUNDS = 5
PACE_SECONDS = 0.004
"""Twenty times real time."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", nargs="?", type=Path, help="a file that --trace has written")
    options = parser.parse_args()
    if options.trace is None:
        print_overhead()
    else:
        print_spans(opened(options.trace.read_text()))


def print_overhead() -> None:
    """Rounds without and with a trace take turns, so that the machine's moods are shared."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        rounds = [(cpu_us(None), cpu_us(path)) for _ in range(ROUNDS)]
        calls = calls_us(None), calls_us(path)
        frame = path.stat().st_size / FRAMES
    print(f"{'µs of CPU a frame':20} {'without':>8} {'with':>8}")
    sums = [0.0, 0.0]
    for stage in rounds[0][0]:
        pair = [median(each[which][stage] for each in rounds) for which in (0, 1)]
        sums = [total + each for total, each in zip(sums, pair, strict=True)]
        print(f"{stage:20} {pair[0]:8.1f} {pair[1]:8.1f}")
    print(f"{'all':20} {sums[0]:8.1f} {sums[1]:8.1f}")
    print(f"{'calls of a live talk':20} {calls[0]:8.1f} {calls[1]:8.1f}")
    print(f"{frame:.0f} bytes a frame: {frame / FRAME_SECONDS * 3600 / 1e6:.0f} MB an hour")


def calls_us(path: Path | None) -> float:
    """All that a live talk tells its trace of one frame."""
    trace = Trace(path)
    trace.start()
    times = []
    for frame in range(FRAMES):
        now = time.monotonic()
        began = time.thread_time()
        trace.captured(frame, now)
        trace.encoded(frame, 1, now, now)
        trace.stepped(SteppedFrame(frame, now, now, now, now, now, 0, memory=frame << 20))
        trace.decoded(frame, 1, now, now)
        heard_at = now + 0.001
        trace.placed(PlacedFrame(frame, now - 0.1, now, now, 0.1, heard_at, PACE_SECONDS))
        times.append(time.thread_time() - began)
        time.sleep(PACE_SECONDS)
    trace.close()
    return median(times) * 1e6


def cpu_us(path: Path | None) -> dict[str, float]:
    """What the thread of each stage computes from one frame to the next, as median."""
    made = parts()
    stages = {
        "encode": (made.encoder, "encode"),
        "inference": (made.generator, "step"),
        "decode": (made.decoder, "decode"),
    }
    times: dict[str, list[float]] = {name: [] for name in stages}
    for name, (part, method) in stages.items():
        setattr(part, method, stamped(getattr(part, method), times[name]))
    ready = threading.Event()
    source = HandSource()
    engine_module.load_parts = lambda *_: made
    engine = Engine(
        Settings(recording=RecordingOptions(trace=path)),
        lambda event: ready.set() if isinstance(event, Ready) else None,
        lambda: (source, EarSink()),
    )
    engine.start()
    ready.wait()
    while not source.discards:
        time.sleep(PACE_SECONDS)
    for _ in range(FRAMES):
        source.feed(0.5)
        time.sleep(PACE_SECONDS)
    engine.stop(10)
    return {name: float(np.median(np.diff(stamps))) * 1e6 for name, stamps in times.items()}


def stamped(call: Callable[..., Any], stamps: list[float]) -> Callable[..., Any]:
    def stamp(*values: Any) -> Any:
        stamps.append(time.thread_time())
        return call(*values)

    return stamp


def opened(text: str) -> list[dict[str, Any]]:
    """Its events, also if its process was killed."""
    text = text.rstrip()
    closed = text if text.endswith("]") else text.removesuffix(",") + "]"
    return list(json.loads(closed))


def print_spans(events: list[dict[str, Any]]) -> None:
    """Every kind of span; then what the lag of a frame is made of."""
    rows = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    spans: dict[str, list[float]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            spans[f"{rows[event['tid']]}: {event['name']}"].append(event["dur"] / 1000)
    print(f"{'ms':32} {'count':>6} {'p50':>8} {'p95':>8} {'most':>8}")
    for name, values in sorted(spans.items()):
        print_line(name, values)
    ways = [way for way in frame_times(events).values() if "lag e" in way]
    for begin, end in pairwise(WAY):
        parts_ms = [(way[end] - way[begin]) / 1000 for way in ways]
        print_line(f"lag: {begin} - {end}", parts_ms)
    print_line("lag: all", [(way["lag e"] - way["lag b"]) / 1000 for way in ways])


WAY = ("lag b", "encode b", "encode e", "step b", "step e", "decode b", "decode e", "place e")
WAY += ("lag e",)


def frame_times(events: list[dict[str, Any]]) -> dict[int, dict[str, int]]:
    """When each frame's parts began and ended, in µs."""
    times: dict[int, dict[str, int]] = defaultdict(dict)
    for event in events:
        name, at = event["name"], event.get("ts", 0)
        if event["ph"] == "X" and "args" in event:
            first = event["args"]["frame"]
            for frame in range(first, first + event["args"].get("frames", 1)):
                times[frame] |= {f"{name} b": at, f"{name} e": at + event["dur"]}
        elif event["ph"] in "be":
            times[int(event["id"].removeprefix("frame "))][f"{name} {event['ph']}"] = at
    return times


def print_line(name: str, values: list[float]) -> None:
    p50, p95, most = np.percentile(values, [50, 95, 100])
    print(f"{name:32} {len(values):6} {p50:8.2f} {p95:8.2f} {most:8.2f}")


if __name__ == "__main__":
    main()
