"""The JSON Schema of a line of events.jsonl (events.schema.json, beside this module)."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def schema() -> dict[str, Any]:
    """It, parsed: JSON Schema of the draft 2020-12."""
    text = resources.files("moshi_tui.recording").joinpath("events.schema.json").read_text("utf-8")
    parsed: dict[str, Any] = json.loads(text)
    return parsed
