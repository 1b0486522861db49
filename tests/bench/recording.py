"""Whether recordings survive: a process that is killed, and many hours.

    PYTHONPATH=. python tests/bench/recording.py kill --runs 100
    PYTHONPATH=. python tests/bench/recording.py long --hours 8 --speed 50

kill: so many processes record both sides, the raw microphone, events and codes, and are killed with
SIGKILL at random moments. Each recording must parse in every file: headers, lengths, whole lines.
Prints how many do and lack at most a second, and by how much each file lacked at most.

long: one recording of so many hours, with a clock that runs faster (at most so; it waits for a
machine that is too slow for that). Once a minute both sides and the raw microphone have a click; at
the end each must stand where it belongs. Prints the memory of the process every 10 %, and whether
the files have all that was told.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from moshi_tui.recording.codes import read_codes
from moshi_tui.recording.journal import Record, read_journal
from moshi_tui.recording.recorder import QUEUE_ITEMS, Recorder
from tests.recording.hand import BLOCK, N_USER, Told, rows
from tests.recording.killed import child, lost
from tests.recording.made import LAG

RATE = 24_000
STEP = 0.08
EARLIEST, LATEST = 0.3, 6.0
"""Seconds after which a process is killed."""
MOST_LOST = 1.0
MOST_GROWTH_MB = 10.0
"""Between 10 % and the end."""
CLICK_EVERY = 60.0
TOLERANCE = RATE // 1000
"""1 ms."""
SAY_EVERY = 5
"""Frames: a piece of text each 0.4 s."""
TURN_EVERY = 100
OUTPUT_AHEAD = 0.1
"""Seconds by which Moshi's sound is told before it is heard."""


def kill(runs: int, together: int, seed: int) -> int:
    """Returns the exit status."""
    chance = random.Random(seed)
    moments = [chance.uniform(EARLIEST, LATEST) for _ in range(runs)]
    worst: Counter[str] = Counter()
    good = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(together) as pool:
        bases = [Path(folder) / str(number) for number in range(runs)]
        for base, (missing, error) in zip(bases, pool.map(killed, bases, moments), strict=True):
            worst |= Counter(missing)
            fine = not error and max(missing.values()) <= MOST_LOST
            good += fine
            if not fine:
                print(f"{base.name}: {error or missing}")
    print(f"{good} of {runs}")
    for name, seconds in worst.items():
        print(f"{name}: {seconds:.2f} s missing at most")
    return 0 if good == runs else 1


def killed(base: Path, moment: float) -> tuple[dict[str, float], str]:
    """What the files of a process that was killed then lack, or what is wrong with them."""
    process = child(base)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(moment)
    process.kill()
    out, _ = process.communicate()
    fed = float(out.splitlines()[-1]) if out else STEP
    try:
        return lost(base, fed), ""
    except Exception as error:  # noqa: BLE001 - told for this run
        at = traceback.extract_tb(error.__traceback__)[-1]
        return {}, f"{type(error).__name__}: {error} ({at.name}: {at.line})"
    finally:
        shutil.rmtree(base, ignore_errors=True)


class Clock:
    """Follows what is fed, so that a busy machine is slower and feeds as much."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def long(hours: float, speed: float, base: Path) -> int:
    """Returns the exit status."""
    clock, told = Clock(), Told()
    frames = round(hours * 3600 / STEP)
    base.mkdir(parents=True, exist_ok=True)
    recorder = told.begin(base, raw=True, lag=LAG, clock=clock)
    memory, began = [], time.monotonic()
    for number in range(frames):
        time.sleep(max(0.0, clock.now / speed - (time.monotonic() - began)))
        while recorder._queue.qsize() > QUEUE_ITEMS // 2:  # a real talk would not wait
            time.sleep(0.001)
        clock.now = STEP * (number + 1)
        feed(recorder, told, number)
        if (number + 1) % (frames // 10) == 0:
            memory.append(resident_mb())
            print(f"{10 * len(memory):>4} %: {memory[-1]:.1f} MB", flush=True)
    took = time.monotonic() - began
    recorder.stop()
    folder, seconds, error, _ = told.wait(60.0)
    checks = {
        "ended well": error is None and recorder.dropped == 0,
        "memory flat": memory[-1] - memory[0] < MOST_GROWTH_MB,
        "length": abs(seconds - hours * 3600) < 1.0,
        **checked(folder, frames, seconds),
    }
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"{seconds:.1f} s in {size:.0f} MB, {frames * STEP / took:.0f} times as fast as a talk")
    print(f"{recorder.dropped} dropped, error: {error}")
    for what, fine in checks.items():
        print(f"{what}: {'yes' if fine else 'NO'}")
    return 0 if all(checks.values()) else 1


def feed(recorder: Recorder[Record], told: Told, number: int) -> None:
    """One frame of everything, as a talk tells it."""
    at = recorder.origin + STEP * number
    told.frame = number
    recorder.heard(at, sound(number, 0.2), sound(number, 0.3))
    recorder.played(at + OUTPUT_AHEAD + STEP, sound(number, 0.4))
    recorder.coded(rows(number))
    if number % SAY_EVERY == 0:
        begins = number % TURN_EVERY == 0
        recorder.note({"type": "text", "token": 5, "text": f" w{number}", "begins": begins})
    if number % TURN_EVERY == 50:
        recorder.note({"type": "user_start"})
    if number % TURN_EVERY == 75:
        recorder.note({"type": "user_stop", "seconds": 2.0, "levels": [-20.0] * 8})


def sound(number: int, level: float) -> np.ndarray:
    """Soft noise; a click where a minute begins."""
    pcm = _NOISE[number % len(_NOISE)].copy()
    if is_click(number):
        pcm[BLOCK // 2] = level
    return pcm


def is_click(number: int) -> bool:
    """Once a minute, in the middle of a frame; not in the first, which fades in."""
    return number % round(CLICK_EVERY / STEP) == 5


_NOISE = np.random.default_rng(1).uniform(-0.02, 0.02, (16, BLOCK)).astype(np.float32)


def checked(folder: Path, frames: int, seconds: float) -> dict[str, bool]:
    """What the files must have."""
    clicks = [n for n in range(frames) if is_click(n)]
    header, *records = read_journal(folder / "events.jsonl")
    counts = Counter(record["type"] for record in records)
    times = [record["t"] for record in records]
    codes = read_codes(folder, N_USER)
    samples = round(seconds * RATE)
    lengths = [soundfile.info(folder / name).frames for name in ("audio.wav", "microphone.wav")]
    ahead = OUTPUT_AHEAD + STEP
    return {
        "sound as long as was told": lengths == [samples, samples],
        "user's clicks": in_place(folder / "audio.wav", 0, clicks, 0.0),
        "Moshi's clicks": in_place(folder / "audio.wav", 1, clicks, ahead),
        "microphone's clicks": in_place(folder / "microphone.wav", 0, clicks, 0.0),
        "events in order": times == sorted(times) and header["type"] == "header",
        "all text": counts["text"] == len(range(0, frames, SAY_EVERY)),
        "all turns": counts["user_start"] == len(range(50, frames, TURN_EVERY)),
        # Fewer than in a talk: what takes 20 ms takes a second of this clock.
        "lag at most once a second": 0.2 * seconds < counts["lag"] <= seconds + 2,
        "an end with totals": records[-1]["totals"]["steps"] == frames,
        "all codes": codes.step.tolist() == list(range(frames)),
        "transcripts": all(
            (folder / name).stat().st_size > frames // 10
            for name in ("transcript.txt", "transcript.vtt")
        ),
    }


def in_place(path: Path, channel: int, clicks: list[int], late_s: float) -> bool:
    """Whether each click stands within 1 ms of where it belongs; says which does not."""
    fine = True
    with soundfile.SoundFile(path) as file:
        for number in clicks:
            expected = round((number * STEP + late_s) * RATE) + BLOCK // 2
            if expected + RATE // 10 > file.frames:
                continue
            file.seek(expected - RATE // 10)
            window = file.read(RATE // 5, always_2d=True)[:, channel]
            found = expected - RATE // 10 + int(np.argmax(np.abs(window)))
            if abs(found - expected) > TOLERANCE or np.abs(window).max() < 0.1:
                print(f"{path.name}, frame {number}: click off by {found - expected} samples")
                fine = False
    return fine


def resident_mb() -> float:
    """Of this process, now (Linux; elsewhere the most so far)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (1e6 if sys.platform == "darwin" else 1e3)
    return pages * 4096 / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_subparsers(required=True, metavar="kill|long")
    one = what.add_parser("kill")
    one.add_argument("--runs", type=int, default=100)
    one.add_argument("--together", type=int, default=8, help="processes at a time")
    one.add_argument("--seed", type=int, default=1)
    one.set_defaults(run=lambda given: kill(given.runs, given.together, given.seed))
    other = what.add_parser("long")
    other.add_argument("--hours", type=float, default=8.0)
    other.add_argument("--speed", type=float, default=50.0)
    other.add_argument("--folder", type=Path, help="keep the recording there")
    other.set_defaults(run=recorded)
    given = parser.parse_args()
    return given.run(given)


def recorded(given: argparse.Namespace) -> int:
    """`long`, in a folder of its own if none is named."""
    record = partial(long, given.hours, given.speed)
    if given.folder is not None:
        return record(given.folder)
    with tempfile.TemporaryDirectory() as folder:
        return record(Path(folder))


if __name__ == "__main__":
    sys.exit(main())
