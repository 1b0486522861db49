"""The checkpoint that a recording names, and how far it is believed.

Whoever made the recording wrote its header, and may be a stranger. So nothing is fetched on its
word but what Kyutai has published; other repos must be on this machine already, or be named by
whoever runs them. A folder or a file is named from the root: nothing that came with the recording
is taken for a model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from moshi_tui.checkpoint import CheckpointFiles, Progress
from moshi_tui.checkpoint.hub import Hub, Listing
from moshi_tui.checkpoint.sources import locate
from moshi_tui.clean import clean
from moshi_tui.config import OPTIONS, CheckpointOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.reader import Recording
from moshi_tui.settings.contradictions import refuse_contradictions
from moshi_tui.settings.values import BadValueError, from_toml

NAME_IT = "Name the model that was recorded, e.g. moshi-tui replay DIR --model --model-dir MODEL."
_TRUSTED = "kyutai/"


def told(recording: Recording, section: str) -> dict[str, Any]:
    """A section of the settings that the header has, checked as if it stood in a file. Raises
    MoshiTuiError."""
    values = recording.header.get(section, {})
    if not isinstance(values, dict):
        raise damaged(recording, f"{section} is {values!r}")
    checked = {}
    for option in OPTIONS:
        value = values.get(option.name) if option.section == section else None
        if value is None:
            continue
        try:
            checked[option.name] = from_toml(option, value, recording.folder)
        except BadValueError as error:
            found = f"{section}: {option.name} is {value!r}, not {error}"
            raise damaged(recording, found) from error
        if option.kind == "Path" and not Path(value).is_absolute():
            raise damaged(recording, f"{section}: {option.name} is {value!r}, not from the root")
    return checked


def damaged(recording: Recording, what: str) -> MoshiTuiError:
    """What a header or codes can't be."""
    return MoshiTuiError(
        "Damaged recording", f"{recording.folder}: {clean(what)}.", "Take another recording."
    )


def named_checkpoint(recording: Recording) -> CheckpointOptions:
    """What the recording names. Raises MoshiTuiError, also if its files are gone."""
    if "checkpoint" not in recording.header:
        raise MoshiTuiError("Which model?", f"{recording.folder} does not say it.", NAME_IT)
    options = CheckpointOptions(**told(recording, "checkpoint"))
    try:
        refuse_contradictions(options)
    except MoshiTuiError as error:
        raise damaged(recording, f"checkpoint: {error.message.removesuffix('.')}") from error
    for path in vars(options).values():
        if isinstance(path, Path) and not path.exists():
            raise MoshiTuiError(
                "The model is gone",
                f"{recording.folder} was made with {clean(str(path))}, which does not exist (moved,"
                " or on another machine).",
                NAME_IT,
            )
    return options


def sources(options: CheckpointOptions) -> str:
    """Where its files come from, to read: "/models/moshi" or "kyutai/moshiko-mlx-q4"."""
    if options.demo:
        return "the demo, Pocket Moshi"
    kind = f"q{options.quant}" if options.quant else "bf16"
    repo = options.hf_repo or f"kyutai/{options.voice}-mlx-{kind}"
    base = options.model_dir or (f"{repo} ({options.revision})" if options.revision else repo)
    files = options.moshi_weight, options.mimi_weight, options.tokenizer
    places = [*files, options.lm_config, None if all(files) else base]
    return clean(", ".join(str(place) for place in places if place is not None))


def resolve_named(
    options: CheckpointOptions,
    *,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> CheckpointFiles:
    """As `checkpoint.resolve`, for what a recording names."""
    return locate(options, lambda: _CarefulHub(progress, cancelled))


class _CarefulHub(Hub):
    """What is in the cache may be anybody's."""

    def listing(self, repo: str, revision: str) -> Listing:
        """As that of the base class, which comes before every download."""
        if not repo.startswith(_TRUSTED):
            raise MoshiTuiError(
                "Not downloaded",
                f"The recording asks for {clean(repo)}, which is not on this machine. Nothing is "
                "fetched on the word of a recording but Kyutai's own.",
                f"If you trust it: moshi-tui replay DIR --model --hf-repo {clean(repo)}",
            )
        return super().listing(repo, revision)
