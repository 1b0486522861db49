"""Everything that happens before the first frame, on the inference thread, with progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, cast

from moshi_tui.checkpoint import Cancelled, CheckpointFiles, Progress, resolve
from moshi_tui.codec import Codec
from moshi_tui.codec import load as load_codec
from moshi_tui.config import CheckpointOptions, SamplingOptions, Settings
from moshi_tui.demo.checkpoint import demo_folder
from moshi_tui.errors import MoshiTuiError
from moshi_tui.model import Generator, Lm
from moshi_tui.model import load as load_model
from moshi_tui.model.choose import check_runner
from moshi_tui.model.config import LmConfig
from moshi_tui.model.device import device_name
from moshi_tui.model.runner import RunnerName
from moshi_tui.model.tokenizer import TextStream, TextTokenizer
from moshi_tui.model.warm_up import warm_up
from moshi_tui.recording.journal import Record
from moshi_tui.recording.weights import describe_weights
from moshi_tui.session.downloading import DownloadMeter, amount_words, is_checking
from moshi_tui.session.events import Download, Loading
from moshi_tui.session.pocket import POCKET_MOSHI

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What a talk is made of, but for the sound."""

    files: CheckpointFiles
    generator: Generator
    text: TextStream
    encoder: Codec
    decoder: Codec
    device: str
    sampling: dict[str, float] = field(default_factory=dict)
    """Temperatures and top-k in use, by the names of `SamplingOptions`."""
    weights: Record | None = None
    """What `describe_weights` says of the file; None if it could not be read any more."""
    runner: str = ""
    """What computes the steps."""
    host_bytes: int = 0
    """What it holds outside MLX's memory."""


def load_parts(
    settings: Settings, tell: Callable[[Loading], None], stopping: Callable[[], bool]
) -> Parts:
    """Files, weights, codecs, warm-up. To be called on the inference thread.

    Args:
        tell: gets the progress.
        stopping: asked at every step; once true, Cancelled is raised.

    Raises MoshiTuiError.
    """

    say = _teller(tell, stopping)
    check_runner(settings.compute.runner)
    files, model, tokenizer = load_language(settings.checkpoint, tell, stopping)
    config = model.config
    say("codec", files.mimi.name)
    _read_once(files.mimi, lambda: say("codec", files.mimi.name))
    encoder = load_codec(files.mimi, config.n_user)
    time.sleep(0.05)  # loading it kept Python's global lock: let a waiting screen have its turn
    say("codec", files.mimi.name, 0.5)
    decoder = load_codec(files.mimi, config.dep_q)
    _check_codec(files, config, encoder)
    generator = _warm_up(model, settings, say, tell)
    text = TextStream(tokenizer, silent=(0, config.existing_text_padding_id))
    sampling = _sampling(config, settings.sampling)
    weights = _described(files.moshi)
    return Parts(
        files,
        generator,
        text,
        encoder,
        decoder,
        device_name(),
        sampling,
        weights,
        runner=generator.runner.name,
        host_bytes=generator.host_bytes,
    )


def load_language(
    options: CheckpointOptions,
    tell: Callable[[Loading], None],
    stopping: Callable[[], bool],
    find: Callable[..., CheckpointFiles] = resolve,
) -> tuple[CheckpointFiles, Lm, TextTokenizer]:
    """Files, weights and vocabulary: what it takes to run the model on codes. As `load_parts`;
    `find` is called as `checkpoint.resolve`."""
    say = _teller(tell, stopping)
    say("files", "Looking for the checkpoint")
    files = _files(options, say, stopping, find)
    model = _model(files, say)
    return files, model, _tokenizer(files, model.config)


class _Say(Protocol):
    """Tells the progress; raises Cancelled if the person quit."""

    def __call__(
        self,
        stage: str,
        detail: str,
        fraction: float | None = None,
        download: Download | None = None,
    ) -> None: ...


def _teller(tell: Callable[[Loading], None], stopping: Callable[[], bool]) -> _Say:
    def say(
        stage: str, detail: str, fraction: float | None = None, download: Download | None = None
    ) -> None:
        if stopping():
            raise Cancelled
        tell(Loading(stage, detail, fraction, download))

    return say


def _files(
    options: CheckpointOptions,
    say: _Say,
    stopping: Callable[[], bool],
    find: Callable[..., CheckpointFiles],
) -> CheckpointFiles:
    meter = DownloadMeter()

    def on_progress(progress: Progress) -> None:
        total = progress.overall_total
        fraction = progress.overall_done / total if total else None
        detail = f"checking {progress.file}" if is_checking(progress) else progress.file
        say("files", detail, fraction, meter.look(progress))

    if not options.demo:
        return find(options, progress=on_progress, cancelled=stopping)
    say("files", f"{POCKET_MOSHI}, which comes with the program")
    return replace(resolve(CheckpointOptions(model_dir=demo_folder())), label=POCKET_MOSHI)


def _model(files: CheckpointFiles, say: _Say) -> Lm:
    name = files.moshi.name
    say("weights", name, 0.0)
    model = load_model(
        files,
        quant=files.quantize,
        progress=lambda done, total: say(
            "weights", f"{name}, {amount_words(done, total)}", done / max(1, total)
        ),
    )
    log.info("model %s %s on %s", files.moshi, model.quantisation, device_name())
    return model


def _warm_up(
    model: Lm, settings: Settings, say: _Say, tell: Callable[[Loading], None]
) -> Generator:
    """A generator of which all kernels are built and all caches allocated."""
    generator, _ = warm_up(
        lambda: _generator(model, settings),
        lambda detail, fraction: say("warm-up", detail, fraction),
        lambda detail: tell(Loading("warm-up", detail)),
    )
    say("warm-up", "done", 1.0)
    return generator


def _described(path: Path) -> Record | None:
    """Now rather than when a recording begins, which would keep its first line waiting."""
    try:
        return describe_weights(path)
    except OSError:
        log.warning("weights that were loaded can't be read any more", exc_info=True)
        return None


def _read_once(path: Path, tick: Callable[[], None]) -> None:
    """Bring the file into memory, so that rustymimi, which holds the global lock, needn't wait."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            tick()


def _tokenizer(files: CheckpointFiles, config: LmConfig) -> TextTokenizer:
    tokenizer = TextTokenizer(files.tokenizer)
    if tokenizer.vocab_size != config.text_card:
        raise MoshiTuiError(
            "Tokenizer does not belong to the model",
            f"{files.tokenizer} has {tokenizer.vocab_size} pieces, the model {config.text_card}",
            "Name the right one with --tokenizer.",
        )
    return tokenizer


def _check_codec(files: CheckpointFiles, config: LmConfig, codec: Codec) -> None:
    if codec.cardinality != config.card:
        raise MoshiTuiError(
            "Codec does not belong to the model",
            f"{files.mimi} has codebooks of {codec.cardinality}, the model expects {config.card}",
            "Name the right one with --mimi-weight.",
        )


def _sampling(config: LmConfig, chosen: SamplingOptions) -> dict[str, float]:
    """What the person chose, else what the checkpoint suggests, else Kyutai's values."""
    suggested = config.lm_gen_config

    def pick(value: float | None, key: str, default: float) -> float:
        return value if value is not None else suggested.get(key, default)

    return {
        "text_temperature": pick(chosen.text_temperature, "temp_text", 0.7),
        "text_top_k": int(pick(chosen.text_top_k, "top_k_text", 25)),
        "audio_temperature": pick(chosen.audio_temperature, "temp", 0.8),
        "audio_top_k": int(pick(chosen.audio_top_k, "top_k", 250)),
    }


def _generator(model: Lm, settings: Settings) -> Generator:
    chosen = settings.sampling
    sampling = _sampling(model.config, chosen)
    return Generator(
        model,
        text_temperature=sampling["text_temperature"],
        text_top_k=int(sampling["text_top_k"]),
        audio_temperature=sampling["audio_temperature"],
        audio_top_k=int(sampling["audio_top_k"]),
        seed=chosen.seed,
        conditions=dict(chosen.conditions),
        runner=cast("RunnerName | None", settings.compute.runner),
    )
