"""What shows that the pocket model does its job: one table, through moshi_tui's own runtime.

PYTHONPATH=. python assets/pocket/evaluate.py --model moshi_tui/demo/pocket --recogniser W/….pt
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as moshi_tui.cli has it

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import eval_parts as parts
from eval_parts import Row, Setup

PARTS: dict[str, Callable[[Setup], Iterator[Row]]] = {
    "size": parts.size,
    "speed": parts.speed,
    "stoi": parts.codec_quality,
    "control": parts.recogniser_control,
    "turns": parts.talks,
    "long": parts.long_talk,
    "live": parts.live,
    "person": parts.person,
}


def main() -> int:
    """Print the table, write it as JSON; status 1 if a bar is missed."""
    arguments = _arguments()
    setup = Setup(
        arguments.model,
        arguments.recogniser,
        arguments.dictionary,
        arguments.dialogues,
        arguments.seconds,
        arguments.workers,
        arguments.seconds_live,
        arguments.seconds_long,
        arguments.save,
    )
    rows: list[Row] = []
    for name in arguments.only:
        start = time.monotonic()
        for row in PARTS[name](setup):
            rows.append(row)
            print(row, flush=True)
        print(f"    [{name}: {time.monotonic() - start:.0f} s]", file=sys.stderr, flush=True)
    if arguments.json:
        table = [asdict(row) | {"passed": row.passed} for row in rows]
        arguments.json.write_text(json.dumps(table, indent=1) + "\n")
    return int(any(row.passed is False for row in rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, required=True, help="the checkpoint's folder")
    add("--recogniser", type=Path, help="recogniser.pt; without it, nothing is recognised")
    add("--only", type=_names, default=list(PARTS), help="some of " + ",".join(PARTS))
    add("--dialogues", type=int, default=200)
    add("--seconds", type=float, default=25.0, help="of a dialogue")
    add("--workers", type=int, default=2)
    add("--seconds-live", type=float, default=300.0)
    add("--seconds-long", type=float, default=600.0)
    add("--dictionary", type=Path, default=Path("/usr/share/dict/words"))
    add("--save", type=Path, help="a folder for the first dialogues, as stereo WAV and text")
    add("--json", type=Path, help="the table, for programs")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        raise argparse.ArgumentTypeError(f"no part {unknown[0]!r}: there are {', '.join(PARTS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
