"""What the files of a checkpoint are called.

A `config.json` may name them; where it does not, Kyutai's names lead, and then whatever single file
looks right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from moshi_tui.errors import MoshiTuiError

CONFIG = "config.json"
MAIN = "main"
"""The revision that a repo has if nothing else is said."""


@dataclass(frozen=True)
class Role:
    """One of the three files."""

    what: str
    option: str
    key: str
    """The key of its name in `config.json`."""
    usual: str
    """Kyutai's name for it."""
    pattern: str
    """A file of another name is taken if it alone is like this."""


MOSHI = Role(
    "language model",
    "--moshi-weight",
    "moshi_name",
    "model.safetensors",
    r"model[^/]*\.safetensors",
)
MIMI = Role(
    "codec Mimi",
    "--mimi-weight",
    "mimi_name",
    "tokenizer-e351c8d8-checkpoint125.safetensors",
    r"(tokenizer|mimi)[^/]*\.safetensors",
)
TOKENIZER = Role(
    "text tokenizer",
    "--tokenizer",
    "tokenizer_name",
    "tokenizer_spm_32k_3.model",
    r"[^/]*\.model",
)

FOLDER_NEEDS = (
    "A folder for --model-dir needs the language model (model.q4.safetensors, model.q8.safetensors "
    f"or {MOSHI.usual}), the codec Mimi ({MIMI.usual}) and the text tokenizer "
    f"({TOKENIZER.usual}), and config.json if their repo has one."
)


@dataclass(frozen=True)
class InRepo:
    """A file of a repo on the hub."""

    repo: str
    revision: str
    name: str


def read_config(path: Path | None) -> Mapping[str, object]:
    """A `config.json`, as far as it names files: {} if there is none."""
    if path is None:
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MoshiTuiError("Config can't be read", f"{path}: {error}.") from error
    if not isinstance(config, dict):
        raise MoshiTuiError("Config can't be read", f"{path} holds no JSON object.")
    if config.get("lora_name"):
        raise MoshiTuiError(
            "LoRA is not supported",
            f"{path} asks for the LoRA weights {config['lora_name']} on top of the model.",
            "Take a checkpoint in which they are merged.",
        )
    return config


def choose(
    role: Role, config: Mapping[str, object], names: Collection[str], quant: int | None
) -> str | None:
    """The name of a file: the config's, or the one of `names` that is meant, or None."""
    if config.get(role.key) is not None:
        return _checked(config[role.key], role.key)
    for name in _preferred(role, quant):
        if name in names:
            return name
    alike = sorted(name for name in names if re.fullmatch(role.pattern, name))
    if len(alike) > 1:
        raise MoshiTuiError(
            "Which file?",
            f"Several files can be the {role.what}: {', '.join(alike)}.",
            f"Say which with {role.option}.",
        )
    return alike[0] if alike else None


def passed_over(
    role: Role, config: Mapping[str, object], chosen: str, quant: int | None
) -> list[str]:
    """Names that `choose` would have taken rather than `chosen`, had they been there."""
    if config.get(role.key) is not None:
        return []
    names = _preferred(role, quant)
    return names[: names.index(chosen)] if chosen in names else names


def _preferred(role: Role, quant: int | None) -> list[str]:
    quantised = [f"model.q{quant}.safetensors"] if quant and role is MOSHI else []
    return [*quantised, role.usual]


def _checked(name: object, key: str) -> str:
    """A file's name from a config: a path below the repo, or "hf://owner/repo/path"."""
    path = str(name).removeprefix("hf://")
    parts = path.split("/")
    fits = isinstance(name, str) and "\\" not in path and ":" not in path
    if not fits or not {"", ".", ".."}.isdisjoint(parts) or (path != name and len(parts) < 3):
        raise MoshiTuiError("Config can't be used", f"{key} is {name!r}: not a file of a repo.")
    return str(name)


def elsewhere(name: str) -> InRepo | None:
    """The file that "hf://owner/repo/path" means, at the newest commit; None for other names."""
    if not name.startswith("hf://"):
        return None
    owner, repo, path = name.removeprefix("hf://").split("/", 2)
    return InRepo(f"{owner}/{repo}", MAIN, path)


def some(names: Iterable[str], limit: int = 12) -> str:
    """A list to read, not too long."""
    known = sorted(names)
    more = f" and {len(known) - limit} more" if len(known) > limit else ""
    return ", ".join(known[:limit]) + more if known else "nothing"
