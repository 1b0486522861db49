"""What the options that choose a checkpoint can't mean together."""

from __future__ import annotations

import re
from collections.abc import Callable

from moshi_tui.config import KYUTAI, VOICES, CheckpointOptions
from moshi_tui.errors import MoshiTuiError, UsageError


def as_flag(name: str) -> str:
    """A field of `CheckpointOptions` as one types it, where nobody knows who said it."""
    return "--" + name.replace("_", "-")


def refuse_contradictions(options: CheckpointOptions, said: Callable[[str], str] = as_flag) -> None:
    """Raise UsageError for what can't be meant.

    Args:
        said: how to name a field, e.g. "hf_repo" as "--hf-repo" or "hf_repo (config.toml)".
    """
    other = "model_dir" if options.model_dir else "hf_repo" if options.hf_repo else ""
    if options.voice not in VOICES:
        raise _contradiction(f"There is no voice {options.voice!r}", "Take moshiko or moshika.")
    if options.quant not in (None, 4, 8):
        raise _contradiction(f"Weights of {options.quant} bits don't exist", "Take 4 or 8.")
    if options.model_dir and options.hf_repo:
        both = f"{said('model_dir')} and {said('hf_repo')}"
        raise _contradiction(f"{both} both say where the files are")
    if options.model_dir and options.revision:
        names = f"but {said('model_dir')} names a folder"
        raise _contradiction(f"{said('revision')} is one of a repo, {names}")
    if other and options.voice != VOICES[0]:
        names = f"but {said(other)} names another source"
        raise _contradiction(f"{said('voice')} chooses Kyutai's repo, {names}")
    if options.hf_repo and not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", options.hf_repo):
        raise UsageError(
            "Not the name of a repo",
            f"{said('hf_repo')} {options.hf_repo}",
            "Write it as OWNER/NAME.",
        )
    kyutai = KYUTAI.fullmatch(options.hf_repo or "")
    if kyutai and options.quant and kyutai[2] not in (f"q{options.quant}", "bf16"):
        names = f"but {said('hf_repo')} names {options.hf_repo}"
        raise _contradiction(f"{said('quant')} asks for {options.quant} bits, {names}")


def _contradiction(why: str, hint: str = "Leave one of the two out.") -> MoshiTuiError:
    return UsageError("Options don't go together", f"{why}.", hint)
