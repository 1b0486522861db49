"""Flags over environment over file over defaults, field by field; pure.

One exception to "field by field": whoever says where something comes from on a stronger layer does
not want the weaker layers' answer to the same question mixed in. With `quant = 4` in the file,
`--model-dir DIR` means that folder and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moshi_tui.config import KYUTAI, OPTIONS, Settings, build
from moshi_tui.errors import UsageError


@dataclass(frozen=True)
class Given:
    """A value, and where it was said."""

    value: Any
    origin: str
    """E.g. "--quant", "MOSHI_TUI_QUANT", "config.toml"; "" for a default."""


Layer = Mapping[str, Given]
"""What one source says, by `Option.key`."""

_CHECKPOINT = frozenset(option.key for option in OPTIONS if option.section == "checkpoint")
_DEMO = "checkpoint.demo"

DISPLACES: dict[str, frozenset[str]] = {
    # Any choice of a checkpoint ends the demo of a weaker layer.
    **dict.fromkeys(_CHECKPOINT, frozenset({_DEMO})),
    # These three name a checkpoint altogether.
    _DEMO: _CHECKPOINT,
    "checkpoint.hf_repo": _CHECKPOINT,
    "checkpoint.model_dir": _CHECKPOINT,
    # A voice is one of Kyutai's repos, in the precision that was chosen.
    "checkpoint.voice": _CHECKPOINT
    - {"checkpoint.quant", "checkpoint.mimi_weight", "checkpoint.tokenizer"},
    "checkpoint.revision": frozenset({_DEMO, "checkpoint.model_dir"}),
    # Precision and configuration belong to the model that was named with them.
    "checkpoint.moshi_weight": frozenset({_DEMO, "checkpoint.quant", "checkpoint.lm_config"}),
    # A file stands in for a device, and the other way round.
    "audio.input_file": frozenset({"audio.input_device"}),
    "audio.input_device": frozenset({"audio.input_file"}),
    "audio.output_file": frozenset({"audio.output_device"}),
    "audio.output_device": frozenset({"audio.output_file"}),
}
"""What a value on a stronger layer puts out of force on weaker ones."""

_QUANT, _VOICE = "checkpoint.quant", "checkpoint.voice"
_SOURCES = {
    "checkpoint.hf_repo": frozenset({"checkpoint.revision", "checkpoint.lm_config"}),
    "checkpoint.model_dir": frozenset({"checkpoint.lm_config"}),
    "checkpoint.moshi_weight": frozenset({"checkpoint.lm_config"}),
}
"""What names the model's file, and what belongs to it."""


@dataclass(frozen=True)
class Merged:
    """The settings, and what was said of them; what is missing in `given` is at its default."""

    settings: Settings
    given: Layer

    def said(self, key: str) -> str:
        """A setting with the place that says so: "--quant", "hf_repo (config.toml)"."""
        name = key.partition(".")[2]
        origin = self.given[key].origin if key in self.given else "default"
        return origin if origin.startswith(("--", "MOSHI_TUI_")) else f"{name} ({origin})"


def merge(*layers: Layer) -> Merged:
    """The strongest layer first. Raises UsageError if a layer has the demo and a checkpoint."""
    given: dict[str, Given] = {}
    displaced: set[str] = set()
    for full in layers:
        layer = _in_precision(given[_QUANT].value, full) if _QUANT in given else full
        in_force = {
            key: said for key, said in layer.items() if key not in given and key not in displaced
        }
        _refuse_contradictions(in_force)
        given |= in_force
        for key, said in in_force.items():
            if said.value is not None and said.value is not False:
                displaced |= DISPLACES.get(key, frozenset())
    return Merged(build({key: said.value for key, said in given.items()}), given)


def _in_precision(quant: int | None, layer: Layer) -> Layer:
    """The layer without a model that has other weights than a stronger layer asks for.

    An unquantised one may stay: it is quantised while loading. The voice of Kyutai's repos stays.
    """
    left = dict(layer)
    for key, belongings in _SOURCES.items():
        said = layer.get(key)
        found = _bits(said.value) if said else None
        if said is None or found in (None, quant):
            continue
        for each in {key} | belongings:
            left.pop(each, None)
        if kyutai := KYUTAI.fullmatch(str(said.value)):
            left.setdefault(_VOICE, Given(kyutai[1], said.origin))
    return left


def _bits(source: str | Path | None) -> int | None:
    """To which a model is quantised, if it is Kyutai's or is called as Kyutai's are."""
    if isinstance(source, Path):
        found = re.search(r"(?<![^\W_])q([48])(?![^\W_])", source.name)
    else:
        found = re.fullmatch(r"kyutai/\w+-mlx-q([48])", source or "")
    return int(found[1]) if found else None


def _refuse_contradictions(layer: Layer) -> None:
    demo = layer.get(_DEMO)
    others = [
        said.origin
        for key, said in layer.items()
        if key in _CHECKPOINT - {_DEMO} and said.value is not None
    ]
    if demo is not None and demo.value and others:
        raise UsageError(
            "Contradicting options",
            f"{demo.origin} brings its own checkpoint; {', '.join(others)} names another",
            "Leave one of them out.",
        )
