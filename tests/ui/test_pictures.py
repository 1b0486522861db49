from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from tests.ui import test_replay_snapshots, test_snapshots

PICTURES = Path(__file__).with_name("__snapshots__")


def test_every_picture_is_compared_by_a_test() -> None:
    modules = {"test_snapshots": test_snapshots, "test_replay_snapshots": test_replay_snapshots}
    assert {folder.name for folder in PICTURES.iterdir()} == set(modules)
    for name, module in modules.items():
        pictures = Counter(path.stem.partition("[")[0] for path in (PICTURES / name).iterdir())
        for test, count in pictures.items():
            marks = getattr(getattr(module, test), "pytestmark", [])
            assert count == math.prod(len(mark.args[1]) for mark in marks), test
