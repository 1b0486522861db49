"""Flags over environment over file over defaults, field by field; pure.

One exception to "field by field": whoever says where something comes from on a stronger layer does
not want the weaker layers' answer to the same question mixed in. With `quant = 4` in the file,
`--model-dir DIR` means that folder and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moshi_tui.config import OPTIONS, Settings, build
from moshi_tui.errors import MoshiTuiError


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


@dataclass(frozen=True)
class Merged:
    """The settings, and what was said of them; what is missing in `given` is at its default."""

    settings: Settings
    given: Layer


def merge(*layers: Layer) -> Merged:
    """The strongest layer first. Raises MoshiTuiError if a layer contradicts itself."""
    given: dict[str, Given] = {}
    displaced: set[str] = set()
    for layer in layers:
        in_force = {
            key: said for key, said in layer.items() if key not in given and key not in displaced
        }
        _refuse_contradictions(in_force)
        given |= in_force
        for key, said in in_force.items():
            if said.value is not None and said.value is not False:
                displaced |= DISPLACES.get(key, frozenset())
    return Merged(build({key: said.value for key, said in given.items()}), given)


def _refuse_contradictions(layer: Layer) -> None:
    demo = layer.get(_DEMO)
    others = [
        said.origin
        for key, said in layer.items()
        if key in _CHECKPOINT - {_DEMO} and said.value is not None
    ]
    if demo is not None and demo.value and others:
        raise MoshiTuiError(
            "Contradicting options",
            f"{demo.origin} brings its own checkpoint; {', '.join(others)} names another",
            "Leave one of them out.",
        )
