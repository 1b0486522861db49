from __future__ import annotations

import pytest
from rich.cells import cell_len

from moshi_tui.ui.ascii import to_ascii


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("╭─ Levels ─╮", "+- Levels -+"),
        ("███▊▏ ▕", "####- |"),
        ("▁▂▃▄▅▆▇█", "--==####"),
        ("✓ ▸ · ✗ ● …", "+ > * x * ."),
        ("moshiko · q4", "moshiko * q4"),
        ("↑↓", "^v"),
        ("plain", "plain"),
        ("déjà vu, 你好", "déjà vu, 你好"),
        ("\N{RIGHT-POINTING MAGNIFYING GLASS} x", ">  x"),
    ],
)
def test_signs_become_ascii_and_keep_their_width(text: str, expected: str) -> None:
    assert to_ascii(text) == expected
    assert cell_len(to_ascii(text)) == cell_len(text)
