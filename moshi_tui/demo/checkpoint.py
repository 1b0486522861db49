"""Pocket Moshi: the small trained checkpoint that comes with the package, in Kyutai's formats.

`assets/pocket` has what it was trained with. It takes turns and says simple things; it understands
little. What it shows is the program.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from moshi_tui.errors import MoshiTuiError
from moshi_tui.tensorfile import promised_size

FOLDER = Path(__file__).with_name("pocket")

CONFIG = "config.json"
WEIGHTS, CODEC, TOKENIZER = "moshi_name", "mimi_name", "tokenizer_name"
"""The keys by which Kyutai's configs name the files."""

BITS = 8
"""The weights are quantised to so many."""


def demo_folder() -> Path:
    """The folder with its files. Raises MoshiTuiError if one is missing or not whole."""
    config = demo_config()
    for key in (WEIGHTS, CODEC, TOKENIZER):
        path = FOLDER / str(config.get(key))
        if not path.is_file():
            raise damaged(f"{path} is missing")
        if path.suffix == ".safetensors" and promised_size(path) != path.stat().st_size:
            raise damaged(f"{path} is not whole")
    return FOLDER


def demo_file(key: str) -> Path:
    """The file that the configuration names so: `WEIGHTS`, `CODEC`, `TOKENIZER`. Raises
    MoshiTuiError."""
    return demo_folder() / str(demo_config()[key])


def demo_config() -> dict[str, Any]:
    """Its `config.json`. Raises MoshiTuiError."""
    path = FOLDER / CONFIG
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise damaged(f"{path}: {error}") from error
    if not isinstance(config, dict):
        raise damaged(f"{path} is not an object")
    return config


def damaged(what: str) -> MoshiTuiError:
    """Something that comes with the package is not as it was."""
    return MoshiTuiError("The demo's files are damaged", f"{what}.", "Install moshi-tui again.")
