"""Which files make up the checkpoint that a person chose, and where they lie.

A checkpoint is three files and perhaps a `config.json`: the language model, the codec Mimi and the
text tokenizer. Each comes, in this order, from an option of its own, from a folder, from a repo on
the hub. The config may name the files; where it does not, Kyutai's names lead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from moshi_tui.checkpoint.hub import Hub, Listing, Progress, RepoFile
from moshi_tui.checkpoint.hub_errors import NoNetworkError
from moshi_tui.checkpoint.names import (
    CONFIG,
    FOLDER_NEEDS,
    MAIN,
    MIMI,
    MOSHI,
    TOKENIZER,
    InRepo,
    Role,
    choose,
    elsewhere,
    passed_over,
    read_config,
    some,
)
from moshi_tui.config import KYUTAI, CheckpointOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.settings.contradictions import refuse_contradictions


@dataclass(frozen=True)
class CheckpointFiles:
    """The files of a checkpoint, all on this machine; nobody has looked into them yet."""

    moshi: Path
    mimi: Path
    tokenizer: Path
    config: Path | None
    """None: the configuration of Moshi 7B v0.1."""
    label: str
    """For the title line: the voice, or the name of the repo, the folder or the file."""
    quantize: int | None
    """Bits to quantise the language model to while loading it, if the file is not quantised
    already. Set by `--quant` where that did not choose the repo."""


def resolve(
    options: CheckpointOptions,
    *,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> CheckpointFiles:
    """Find the files, downloading those that are neither given nor cached.

    What is in the hub's cache is used without a network and without a token. `options.demo` is not
    looked at: the session knows where the demo's files are.

    Args:
        options: what the person chose.
        progress: called on this thread, about ten times a second, while a file is downloaded.
        cancelled: asked as often; True ends the download.

    Raises:
        MoshiTuiError: the options contradict each other, a file is missing, a download failed.
        Cancelled: `cancelled` said so; what has arrived is kept for the next time.
    """
    return locate(options, lambda: Hub(progress, cancelled))


def locate(options: CheckpointOptions, make_hub: Callable[[], Hub]) -> CheckpointFiles:
    """The rules of `resolve`; the files are there if the hub brings what it is asked for.

    A hub is only made if it is needed: that takes the import of huggingface_hub.
    """
    refuse_contradictions(options)
    paths = _given(options)
    config = options.lm_config
    wanted = [role for role in (MOSHI, MIMI, TOKENIZER) if role not in paths]
    if wanted:
        hub = make_hub()
        if options.model_dir is not None:
            config, more = _from_folder(options.model_dir, options, wanted, hub)
        else:
            config, more = _Repo(options, wanted, hub).files()
        paths |= more
    return CheckpointFiles(
        moshi=paths[MOSHI],
        mimi=paths[MIMI],
        tokenizer=paths[TOKENIZER],
        config=config,
        label=_label(options),
        quantize=_quantize(options),
    )


# ---- the options


def _given(options: CheckpointOptions) -> dict[Role, Path]:
    """The files that have an option of their own; all of them must be there."""
    paths = {
        role: path
        for role, path in (
            (MOSHI, options.moshi_weight),
            (MIMI, options.mimi_weight),
            (TOKENIZER, options.tokenizer),
        )
        if path is not None
    }
    given = [(role.option, path) for role, path in paths.items()]
    if options.lm_config is not None:
        given.append(("--lm-config", options.lm_config))
    for option, path in given:
        if path.is_dir():
            raise MoshiTuiError(
                "Not a file", f"{option}: {path} is a folder.", "Give a folder with --model-dir."
            )
        if not path.is_file():
            raise MoshiTuiError("File not found", f"{option}: there is no {path}.")
    return paths


def _label(options: CheckpointOptions) -> str:
    if options.moshi_weight is not None:
        return options.moshi_weight.stem
    if options.model_dir is not None:
        return options.model_dir.resolve().name
    if options.hf_repo is None:
        return options.voice
    kyutai = KYUTAI.fullmatch(options.hf_repo)
    return kyutai[1] if kyutai else options.hf_repo.partition("/")[2]


def _quantize(options: CheckpointOptions) -> int | None:
    chosen = options.moshi_weight or options.model_dir or options.hf_repo
    return options.quant if chosen else None


# ---- a folder


def _from_folder(
    folder: Path, options: CheckpointOptions, wanted: Iterable[Role], hub: Hub
) -> tuple[Path | None, dict[Role, Path]]:
    if not folder.is_dir():
        raise MoshiTuiError("Folder not found", f"There is no folder {folder}.", FOLDER_NEEDS)
    config_path = options.lm_config
    if config_path is None and (folder / CONFIG).is_file():
        config_path = folder / CONFIG
    config = read_config(config_path)
    names = [path.name for path in folder.iterdir() if path.is_file()]
    paths: dict[Role, Path] = {}
    remote: dict[Role, InRepo] = {}
    missing: list[str] = []
    for role in wanted:
        name = choose(role, config, names, options.quant) or role.usual
        there = elsewhere(name)
        path = folder / (there.name if there else name)
        if path.is_file():
            paths[role] = path
        elif there:
            remote[role] = there
        else:
            missing.append(f"{role.what} ({name})")
    if missing:
        raise MoshiTuiError(
            "Folder is incomplete",
            f"{folder} lacks the {' and the '.join(missing)}. It holds {some(names)}.",
            FOLDER_NEEDS,
        )
    return config_path, paths | _bring(remote, {}, hub)


# ---- a repo


class _Repo:
    """The repo that the options choose: from the cache if it is all there, or the network."""

    def __init__(self, options: CheckpointOptions, wanted: list[Role], hub: Hub) -> None:
        kind = f"q{options.quant}" if options.quant else "bf16"
        self._repo = options.hf_repo or f"kyutai/{options.voice}-mlx-{kind}"
        self._revision = options.revision or MAIN
        self._config = options.lm_config
        self._quant = options.quant
        self._wanted = wanted
        self._hub = hub

    def files(self) -> tuple[Path | None, dict[Role, Path]]:
        """The config, if there is one, and the wanted files."""
        cached, doubts = self._cached()
        if cached is not None and all(self._has_no(name) for name in doubts):
            return cached
        try:
            return self._downloaded()
        except MoshiTuiError as error:
            if cached is not None:  # complete unless the repo holds one of `doubts`
                return cached
            if isinstance(error, NoNetworkError):
                raise _not_downloaded(self._usual(), error, self._hub) from error
            raise

    def _has_no(self, name: str) -> bool:
        """Whether it is known without a network that the repo has no such file.

        Kyutai's own MLX repos need no config (they are the 7B v0.1) and hold one language model;
        moshi_mlx, which may have downloaded them, leaves no mark that there is nothing else.
        """
        return KYUTAI.fullmatch(self._repo) is not None or self._hub.known_absent(
            self._repo, self._revision, name
        )

    def _cached(self) -> tuple[tuple[Path | None, dict[Role, Path]] | None, list[str]]:
        """What `files` returns if it is all cached, else None; and the files which, if the repo
        has them, change that."""
        snapshot = self._hub.snapshot(self._repo, self._revision)
        if snapshot is None:
            return None, []
        config_path = self._config
        if config_path is None and (snapshot / CONFIG).is_file():
            config_path = snapshot / CONFIG
        config = read_config(config_path)
        doubts = [CONFIG] if config_path is None else []
        names = [path.name for path in snapshot.iterdir() if path.is_file()]
        paths = {}
        for role in self._wanted:
            name = choose(role, config, names, self._quant)
            if name is None:
                return None, []
            there = elsewhere(name)
            path = _in_cache(there, self._hub) if there else snapshot / name
            if path is None or not path.is_file():
                return None, []
            paths[role] = path
            doubts += passed_over(role, config, name, self._quant)
        return (config_path, paths), doubts

    def _downloaded(self) -> tuple[Path | None, dict[Role, Path]]:
        hub, repo = self._hub, self._repo
        listing = hub.listing(repo, self._revision)
        absent = set() if CONFIG in listing.names else {CONFIG}
        config_path = self._config
        if config_path is None and not absent:
            file = RepoFile(repo, listing.commit, CONFIG)
            config_path = hub.fetch_config(file)
        config = read_config(config_path)
        places = {}
        for role in self._wanted:
            name = choose(role, config, listing.names, self._quant) or role.usual
            places[role] = elsewhere(name) or InRepo(repo, self._revision, name)
            absent.update(passed_over(role, config, name, self._quant))
        paths = _bring(places, {(repo, self._revision): listing}, hub)
        hub.remember(listing, absent)
        return config_path, paths

    def _usual(self) -> list[InRepo]:
        """The files by the names that Kyutai's repos have; for another repo all of it."""
        kyutai = KYUTAI.fullmatch(self._repo)
        if kyutai is None:
            return [InRepo(self._repo, self._revision, "")]
        kind = "" if kyutai[2] == "bf16" else f"{kyutai[2]}."
        names = [
            f"model.{kind}safetensors" if role is MOSHI else role.usual for role in self._wanted
        ]
        return [InRepo(self._repo, self._revision, name) for name in names]


def _in_cache(place: InRepo, hub: Hub) -> Path | None:
    snapshot = hub.snapshot(place.repo, place.revision)
    path = snapshot / place.name if snapshot else None
    return path if path and path.is_file() else None


def _bring(
    places: Mapping[Role, InRepo], listings: Mapping[tuple[str, str], Listing], hub: Hub
) -> dict[Role, Path]:
    """Download files, of several repos perhaps; those of repos without a listing if not cached."""
    known = dict(listings)
    paths: dict[Role, Path] = {}
    files: dict[Role, RepoFile] = {}
    try:
        for role, place in places.items():
            source = place.repo, place.revision
            cached = None if source in listings else _in_cache(place, hub)
            if cached is not None:
                paths[role] = cached
                continue
            if source not in known:
                known[source] = hub.listing(*source)
            files[role] = _listed(place, role, known[source])
        fetched = hub.fetch(list(files.values()))
    except NoNetworkError as error:
        if listings:
            raise  # the repo's own error says more
        raise _not_downloaded(list(places.values()), error, hub) from error
    for source, listing in known.items():
        if source not in listings:
            hub.remember(listing)
    return paths | dict(zip(files, fetched, strict=True))


def _listed(place: InRepo, role: Role, listing: Listing) -> RepoFile:
    if place.name not in listing.names:
        raise MoshiTuiError(
            "File not found",
            f"{place.repo} has no {role.what} ({place.name}). It holds {some(listing.names)}.",
            f"Give the file with {role.option}, or another repo with --hf-repo.",
        )
    return RepoFile(place.repo, listing.commit, place.name)


def _not_downloaded(places: list[InRepo], error: MoshiTuiError, hub: Hub) -> MoshiTuiError:
    """Nothing cached and no network: how to get the files, now or on another machine."""
    commands: dict[str, str] = {}
    for place in places:
        revision = f" --revision {place.revision}" if place.revision != MAIN else ""
        command = f"{commands.get(place.repo, f'hf download {place.repo}{revision}')} {place.name}"
        commands[place.repo] = command.rstrip()
    return MoshiTuiError(
        f"{error.title}, and the checkpoint is not downloaded yet",
        f"{error.message} {' and '.join(commands)} is not complete in {hub.cache}.",
        f"{error.hint} Or fetch it on a machine with a network:\n"
        f"  {' && '.join(commands.values())}\n{FOLDER_NEEDS}",
    )
