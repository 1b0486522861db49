"""Makes shards of dialogues: dNNNN.npy, dNNNN.phones.npy and, last, dNNNN.json.

python assets/pocket/make_dialogues.py --out DIR --hours 35 --seed 1 --split train --workers 16
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path

import dialogue
import numpy as np
import shapes

SHARD_S = 20 * 60
LINE_EVERY_S = 10.0


@dataclass(frozen=True)
class Job:
    """A shard: where it goes and what it is made from."""

    out: Path
    number: int
    seed: int
    split: str
    seconds: float
    ahead: int = 100_000
    """So many shards of sound may be there; then it waits until some are deleted."""


def make_shard(job: Job) -> float:
    """Write one shard; returns the seconds of dialogue in it."""
    while sum(1 for _ in job.out.glob("d????.npy")) >= job.ahead:
        time.sleep(1)
    made = []
    entries = []
    start = 0
    while start < job.seconds * shapes.SPEECH_RATE:
        one = dialogue.make(f"{job.split}-{job.seed}-{job.number}-{len(made)}", job.split)
        made.append(one)
        entries.append(one.described(start))
        start += one.samples.shape[1]
    stem = f"d{job.number:04d}"
    _save(job.out / f"{stem}.npy", np.concatenate([one.samples for one in made], axis=1))
    _save(job.out / f"{stem}.phones.npy", np.concatenate([one.phones for one in made], axis=1))
    part = job.out / f"{stem}.json.part"
    part.write_text(json.dumps({"dialogues": entries}))
    os.replace(part, job.out / f"{stem}.json")
    return start / shapes.SPEECH_RATE


def _save(path: Path, array: np.ndarray) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.save(file, array)
    os.replace(part, path)


def jobs(out: Path, hours: float, seed: int, split: str, ahead: int) -> list[Job]:
    """The shards; what is in each does not depend on how many there are."""
    seconds = hours * 3600
    count = max(1, round(seconds / SHARD_S))
    size = min(SHARD_S, seconds)
    return [Job(out, number, seed, split, size, ahead) for number in range(count)]


def main() -> None:
    """Make all shards, and say every ten seconds how far that is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, required=True, help="of dialogue")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=("train", "test"), default="train")
    parser.add_argument(
        "--ahead",
        type=int,
        default=Job.ahead,
        help="shards of sound (76 MB each) that may lie there at a time, for `tokenise --consume`",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    todo = jobs(arguments.out, arguments.hours, arguments.seed, arguments.split, arguments.ahead)
    began = said = time.monotonic()
    seconds = 0.0
    with multiprocessing.Pool(arguments.workers) as pool:
        for number, made in enumerate(pool.imap_unordered(make_shard, todo), 1):
            seconds += made
            now = time.monotonic()
            if now - said > LINE_EVERY_S or number == len(todo):
                said = now
                speed = seconds / (now - began)
                print(
                    f"{number}/{len(todo)} shards, {seconds / 3600:.2f} h of dialogue, "
                    f"{speed:.0f} x real time",
                    flush=True,
                )


if __name__ == "__main__":
    main()
