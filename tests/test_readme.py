"""What README says of the program holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from moshi_tui.recording.schema import schema
from moshi_tui.ui.keys import KEYS, REPLAY_KEYS
from tests.recording.made import write_recording

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_every_key_is_in_the_table() -> None:
    replay = [key for key in REPLAY_KEYS if key.group == "replay"]
    for heading, keys in (("| key | does |", KEYS), ("| key in a replay | does |", replay)):
        table = README.partition(heading)[2].partition("\n\n")[0]
        told = set(re.findall(r"`([^`]+)`", table))
        for key in keys:
            if not key.shown.startswith("Shift+↑"):
                assert set(key.shown.split()) <= told, key.shown


def test_every_event_of_a_recording_and_every_field_is_told() -> None:
    section = README.partition("## Recordings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|(.*)\|$", section.partition("| type |")[2], re.MULTILINE)
    told = {name: fields for names, fields in rows for name in re.findall(r"`(\w+)`", names)}
    kinds = {each["$ref"].rpartition("/")[2] for each in schema()["oneOf"]} - {"header"}
    assert set(told) == kinds
    for kind in kinds:
        fields = set(schema()["$defs"][kind]["properties"]) - {"t", "frame", "type"}
        assert fields <= set(re.findall(r"`(\w+)`", told[kind])), kind
    header = re.findall(r"`(\w+)`", section.partition("The header tells")[2])
    assert set(schema()["$defs"]["header"]["properties"]) - {"type"} <= set(header)


def test_a_recording_opens_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = README.partition("<!-- recording -->\n```python\n")[2].partition("```")[0]
    write_recording(tmp_path / "moshi-20261123-120000", seconds=5.0)
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(code, found)
    assert found["sound"].shape == (5 * found["rate"], 2)
    assert (found["header"]["type"], found["events"][-1]["type"]) == ("header", "end")
    assert found["words"].startswith("Hello there.")
    assert found["codes"]["user"].shape == (62, 8)


def test_what_tests_need_is_installed_by_the_checks() -> None:
    told = set(re.search(r"skip without them \(`apt install ([^`]+)`", README)[1].split())
    run = (Path(__file__).parents[1] / ".ci" / "run").read_text(encoding="utf-8")
    assert told <= set(run.partition("packages=(")[2].partition(")")[0].split())


def test_pictures_and_benches_that_it_names_are_there() -> None:
    root = Path(__file__).parents[1]
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", README):
        assert (root / picture).is_file(), picture
    for bench in re.findall(r"`(?:…|PYTHONPATH=. python) ([\w/]+\.py)", README):
        assert (root / "tests" / "bench" / Path(bench).name).is_file(), bench
