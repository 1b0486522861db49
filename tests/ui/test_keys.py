from __future__ import annotations

import subprocess
import sys

from moshi_tui.ui.keys import GROUPS, KEYS, REPLAY_KEYS, as_text


def test_every_key_is_listed_under_its_heading() -> None:
    lines = as_text().splitlines()
    starts = {group: lines.index(heading) for group, heading in GROUPS.items()}
    assert list(starts.values()) == sorted(starts.values())
    ends = [*list(starts.values())[1:], len(lines)]
    for (group, start), end in zip(starts.items(), ends, strict=True):
        listed = [line for line in lines[start + 1 : end] if line]
        table = REPLAY_KEYS if group == "replay" else KEYS
        keys = [key for key in table if key.group == group]
        assert len(listed) == len(keys)
        for line, key in zip(listed, keys, strict=True):
            assert line.startswith(f"  {key.shown} ")
            assert line.endswith(key.help)


def test_explanations_stand_in_one_column() -> None:
    columns = {
        line.index(key.help)
        for key in KEYS
        for line in as_text().splitlines()
        if line.endswith(key.help)
    }
    assert len(columns) == 1


def test_no_key_does_two_things() -> None:
    for table in (KEYS, REPLAY_KEYS):
        names = [name for key in table for name in key.keys.split(",")]
        assert len(names) == len(set(names))


def test_the_list_needs_no_screen() -> None:
    code = (
        "import sys, moshi_tui.ui.keys as keys; keys.as_text();"
        "sys.exit(any(name in sys.modules for name in ('textual', 'rich', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
