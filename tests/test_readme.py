"""What README says of the program holds."""

from __future__ import annotations

import re
from pathlib import Path

from moshi_tui.ui.keys import KEYS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_every_key_is_in_the_table() -> None:
    table = README.partition("| key | does |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`([^`]+)`", table))
    for key in KEYS:
        if not key.shown.startswith("Shift"):
            assert set(key.shown.split()) <= told, key.shown
