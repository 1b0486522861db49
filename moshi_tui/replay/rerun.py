"""Runs the model again on what it heard: the same weights and seed should say the same.

A reset begins a new run, with the seed that was in use from there on. What the recorded model said
does not steer the new run: after the first difference it goes its own way until the next reset.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import pairwise

import numpy as np

from moshi_tui.checkpoint import Cancelled, CheckpointFiles, resolve
from moshi_tui.config import OPTIONS, CheckpointOptions, SamplingOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.model import Generator, Lm, LmConfig, Step
from moshi_tui.model.device import device_name
from moshi_tui.model.runner import RunnerName
from moshi_tui.model.tokenizer import TextTokenizer
from moshi_tui.recording.codes import Codes
from moshi_tui.recording.reader import Recording
from moshi_tui.recording.weights import describe_weights
from moshi_tui.replay.comparison import Comparison, Difference, Gap
from moshi_tui.replay.fields import number
from moshi_tui.replay.named import NAME_IT, damaged, named_checkpoint, resolve_named, told
from moshi_tui.session.downloading import download_words
from moshi_tui.session.events import Loading
from moshi_tui.session.loading import load_language

Progress = Callable[[str, float | None], None]
"""Gets what is being done, and how much of it is done: 0 to 1, None while unknown."""


def rerun(
    recording: Recording,
    options: CheckpointOptions | None,
    tell: Progress,
    warn: Callable[[str], None],
    stopping: Callable[[], bool],
) -> Comparison:
    """Load the model, feed it the recorded codes, compare. On the thread that may use MLX.

    Args:
        options: the checkpoint; None: that which the recording names.
        warn: gets a sentence for whatever may make it say something else than was recorded.
        stopping: asked at every step; once true, Cancelled is raised.

    Raises MoshiTuiError, also if no step of the recording can be compared.
    """
    codes = _whole(recording, recording.codes())
    sampling = _sampling(recording)
    find = resolve
    if options is None:
        options, find = named_checkpoint(recording), resolve_named
    when = _moments(recording)
    runs, gaps = _runs(codes, when)
    if not runs:
        raise MoshiTuiError(
            "Nothing to compare",
            f"{recording.folder}: {gaps[0].why if gaps else 'the model has not made a step'}.",
            "Record a talk from its beginning (--record), or reset it (r) while you record.",
        )
    files, model, tokenizer = load_language(
        options, lambda event: tell(*_words(event)), stopping, find
    )
    _check(recording, codes, model.config)
    for doubt in _doubts(recording, files, model):
        warn(doubt)
    steps = sum(map(len, runs))
    tally = _Tally(codes, _Words(tokenizer, model.config), when)
    start = time.perf_counter()

    def take(row: int, step: Step) -> None:
        if stopping():
            raise Cancelled
        tally.take(row, step)
        real_time = tally.steps * FRAME_SECONDS / max(time.perf_counter() - start, 1e-9)
        tell(f"{tally.steps} of {steps} steps, {real_time:.1f} x", tally.steps / steps)

    for run in runs:
        generator = _generator(recording, model, sampling, int(codes.seed[run.start]))
        if run is runs[0] and (doubt := _runner_doubt(recording, sampling, generator)):
            warn(doubt)
        _run(run, codes, generator, take)
        del generator  # it goes before the next one comes: two would take twice the memory
    return Comparison(
        model=f"{files.label} {model.quantisation} on {device_name()}: {files.moshi.name}",
        steps=steps,
        equal=tally.equal,
        texts=tally.texts,
        frames=tally.frames,
        codebooks=model.config.dep_q,
        first=tally.first,
        gaps=tuple(gaps),
        seconds=time.perf_counter() - start,
    )


def _run(run: range, codes: Codes, generator: Generator, take: Callable[[int, Step], None]) -> None:
    """From a reset on. The generator goes with it: two would take twice the memory."""
    for row in run:
        take(row, generator.step(codes.user[row]))


class _Words:
    """Text tokens as one reads them."""

    def __init__(self, tokenizer: TextTokenizer, config: LmConfig) -> None:
        self._tokenizer = tokenizer
        self._silent = (0, config.existing_text_padding_id)

    def __getitem__(self, token: int) -> str:
        if token in self._silent:
            return f"token {token} (nothing said)"
        return f'token {token} "{self._tokenizer.piece(token).replace("▁", " ")}"'


class _Tally:
    """Counts what is equal, and keeps the first difference: no memory for each step.

    Args:
        when: in seconds of the recording, by the number of a frame.
    """

    def __init__(self, codes: Codes, words: _Words, when: Callable[[int], float]) -> None:
        self.steps = self.equal = self.texts = self.frames = 0
        self.first: Difference | None = None
        self._codes = codes
        self._words = words
        self._when = when
        self._none = np.full(codes.moshi.shape[1], -1)

    def take(self, row: int, step: Step) -> None:
        """Compare a step with the recorded one."""
        text, frame = int(self._codes.text[row]), self._codes.moshi[row]
        now = self._none if step.audio_codes is None else step.audio_codes.astype(np.int64)
        same_text, same_frame = step.text_token == text, bool((now == frame).all())
        self.steps += 1
        self.equal += same_text and same_frame
        self.texts += same_text
        self.frames += same_frame and step.audio_codes is not None
        if self.first is not None or (same_text and same_frame):
            return
        if not same_text:
            told = "text", self._words[text], self._words[step.text_token]
        else:
            book = int((now != frame).argmax())
            told = f"codebook {book + 1}", _code(frame[book]), _code(now[book])
        at = self._when(int(self._codes.frame[row]))
        self.first = Difference(int(self._codes.step[row]), at, *told)


def _code(code: int) -> str:
    return "no frame yet" if code < 0 else f"code {code}"


def _runs(codes: Codes, when: Callable[[int], float]) -> tuple[list[range], list[Gap]]:
    """Rows that can be run: those of an epoch from its first step on, until one is missing; and
    all others."""
    borders = [0, *(np.flatnonzero(np.diff(codes.epoch)) + 1).tolist(), len(codes)]
    runs, gaps = [], []
    for start, end in pairwise(borders):
        holes = np.flatnonzero(codes.step[start:end] != np.arange(end - start))
        stop = start + int(holes[0]) if len(holes) else end
        if stop > start:
            runs.append(range(start, stop))
        if stop < end:
            step = int(codes.step[stop])
            why = f"the recording lacks the steps before number {step}"
            if stop == 0:
                why = f"it began {step} steps into the talk"
            gaps.append(Gap(when(int(codes.frame[stop])), end - stop, why))
    return runs, gaps


def _generator(recording: Recording, model: Lm, sampling: SamplingOptions, seed: int) -> Generator:
    values = {name: value for name, value in vars(sampling).items() if value is not None}
    # MLX's operations run everywhere. Otherwise what this machine takes: it is the same as then, if
    # the machine is.
    runner: RunnerName | None = "mlx" if recording.header.get("runner") == "mlx" else None
    return Generator(model, **{**values, "seed": seed}, runner=runner)


def _moments(recording: Recording) -> Callable[[int], float]:
    """When a frame was heard, in seconds of the recording: frames are counted at the microphone,
    so it can be told from the newest one that a record knows."""
    try:
        known = [(number(recording.header["frames"], "first"), 0.0)]
        for record in recording.records:
            if record["type"] == "lag":
                known.append((number(record, "frame"), number(record, "t")))
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(recording, f"the numbers of its frames can't be read ({error})") from error
    frames, times = np.array(known).T

    def when(frame: int) -> float:
        place = max(0, int(np.searchsorted(frames, frame, side="right")) - 1)
        return float(times[place] + (frame - frames[place]) * FRAME_SECONDS)

    return when


# What the header tells.


def _sampling(recording: Recording) -> SamplingOptions:
    values = told(recording, "sampling")
    needed = {option.name for option in OPTIONS if option.section == "sampling"} - {"seed"}
    missing = needed - values.keys()
    if missing:
        raise damaged(recording, f"its header has no {', '.join(sorted(missing))}")
    return SamplingOptions(**values)


def _whole(recording: Recording, codes: Codes) -> Codes:
    """The same; refuse what no model can have written."""
    for name, values in codes.arrays().items():
        dimensions = 2 if name in ("user", "moshi") else 1
        as_long = values.shape[:1] == codes.step.shape[:1]
        if values.ndim != dimensions or not as_long or values.dtype.kind not in "iu":
            raise damaged(recording, f"its codes have {name} of {values.shape} {values.dtype}")
    return codes


def _check(recording: Recording, codes: Codes, config: LmConfig) -> None:
    """Refuse codes that this model can't have heard or said."""
    made = codes.user.shape[1], codes.moshi.shape[1]
    if made != (config.n_user, config.dep_q):
        found = f"{made[0]} codebooks of the user and {made[1]} of Moshi"
        needed = f"{config.n_user} and {config.dep_q}"
        raise _another(recording, f"was made with {found}, the model has {needed}")
    for name, values, low, end in (
        ("user's codes", codes.user, 0, config.card),
        ("Moshi's codes", codes.moshi, -1, config.card),
        ("text tokens", codes.text, 0, config.text_card),
    ):
        if values.size and not low <= values.min() <= values.max() < end:
            found = f"from {values.min()} to {values.max()}"
            raise _another(recording, f"has {name} {found}, the model's are below {end}")


def _another(recording: Recording, found: str) -> MoshiTuiError:
    return MoshiTuiError("Another model", f"{recording.folder} {found}.", NAME_IT)


def _doubts(recording: Recording, files: CheckpointFiles, model: Lm) -> list[str]:
    """Why the model may say something else than was recorded."""
    header = recording.header
    packages = header.get("packages")
    mlx = packages.get("mlx") if isinstance(packages, dict) else None
    doubts = [recording.damage] if recording.damage else []
    recorded, here = header.get("weights"), describe_weights(files.moshi)
    if not isinstance(recorded, dict):
        doubts.append("the recording does not say with which weights it was made")
    elif recorded.get("fingerprint") != here["fingerprint"]:
        doubts.append(f"other weights: recorded with {recorded.get('file')}, not {files.moshi}")
    for what, then, now in (
        ("precision", header.get("quant"), model.quantisation),
        ("device", header.get("device"), device_name()),
        ("MLX", mlx, version("mlx")),
    ):
        if then != now:
            doubts.append(f"another {what}: recorded with {then}, now {now}")
    return doubts


def _runner_doubt(recording: Recording, sampling: SamplingOptions, generator: Generator) -> str:
    """Runners add up numbers in another order, which decides a draw now and then; and before they
    were named, tokens were drawn by another rule."""
    then, now = recording.header.get("runner"), generator.runner.name
    if not then:
        drawn = sampling.text_temperature or sampling.audio_temperature
        return "an older version recorded it, which drew tokens otherwise" if drawn else ""
    return f"another runner: recorded with {then}, now {now}" if then != now else ""


def _words(event: Loading) -> tuple[str, float | None]:
    if event.download is not None:
        return f"{event.detail}: {download_words(event.download)}", event.fraction
    return event.detail, event.fraction
