"""The parts of the evaluation: each gives rows of the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import eval_live
import numpy as np
from eval_recognise import Ear, control, speech, through
from eval_talk import Runtime, Times, record
from eval_turns import RATE, Counts, measure
from eval_user import SimulatedUser
from eval_words import Errors, longest_run, misses, normal, sentences, share_known
from phrases import sentences as phrases
from phrases_grammar import held_out
from stoi import stoi

from moshi_tui.checkpoint import resolve
from moshi_tui.codec import load as load_codec
from moshi_tui.config import CheckpointOptions

TESTED = 100
"""Held-out sentences of Moshi's for the codec."""
VOCABULARY_DRAWS = 20_000
SAVED = 8
LAST_S = 120.0
LAST_WORDS = 20
LULLS = 0.2
MEGABYTES = 25


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    measure: str
    value: Any
    bar: str = ""
    passed: bool | None = None
    """None: there is no bar."""
    unit: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        value = f"{self.value:.1%}" if self.unit == "%" else f"{self.value:.4g} {self.unit}".strip()
        verdict = {True: "pass", False: "FAIL", None: ""}[self.passed]
        line = f"{self.measure:<58} {self.bar:>12} {value:>12}  {verdict}"
        return line.rstrip() + "".join(f"\n    {k}: {v}" for k, v in self.details.items())


def at_least(name: str, value: float, bar: float, unit: str = "", **details: Any) -> Row:
    """A row whose value must not be below the bar."""
    text = f">= {bar:.0%}" if unit == "%" else f">= {bar:g} {unit}".strip()
    return Row(name, value, text, bool(value >= bar), unit, details)


def at_most(name: str, value: float, bar: float, unit: str = "", **details: Any) -> Row:
    """A row whose value must not be above the bar."""
    return Row(name, value, f"<= {bar:g} {unit}".strip(), bool(value <= bar), unit, details)


@dataclass
class Setup:
    """What is evaluated, and how much of it."""

    model: Path
    recogniser: Path | None
    dictionary: Path
    dialogues: int
    seconds: float
    workers: int
    seconds_live: float
    seconds_long: float
    save: Path | None

    @cached_property
    def runtime(self) -> Runtime:
        """The checkpoint, loaded here."""
        return Runtime(self.model)

    @cached_property
    def vocabulary(self) -> set[str]:
        """The words that Moshi may have learned."""
        drawn = islice(phrases("moshi", "train", 0), VOCABULARY_DRAWS)
        return {word for text in drawn for word in normal(text)}

    def ear(self) -> Ear | None:
        """The recogniser, if one was given."""
        return Ear(self.recogniser, self.vocabulary) if self.recogniser else None

    def sentences(self) -> list[str]:
        """Held-out ones of Moshi's, all different."""
        found: dict[str, None] = {}
        for text in phrases("moshi", "test", 1):
            if held_out(text):
                found[text] = None
            if len(found) == TESTED:
                return list(found)
        raise AssertionError


def size(setup: Setup) -> Iterator[Row]:
    """Of the files, and in a wheel."""
    yield Row("checkpoint's files", eval_live.folder_bytes(setup.model) / 1e6, unit="MB")
    megabytes = eval_live.wheel_bytes() / 1e6
    yield at_most("moshi_tui/demo in the wheel", megabytes, MEGABYTES, "MB")


def speed(setup: Setup) -> Iterator[Row]:
    """Medians of a minute's talk, one stage after the other, nothing else running."""
    times = Times()
    setup.runtime.talk(SimulatedUser(3, 60), 60, 3, times)
    encode, step, decode = (median(part) for part in (times.encode, times.step, times.decode))
    runner = setup.runtime.parts.runner
    yield at_most("encode + decode a frame, median", encode + decode, 16, "ms", encode=encode)
    slow = float(np.percentile(times.step, 99))
    yield at_most("step, median", step, 30, "ms", runner=runner, percentile_99=slow)


def codec_quality(setup: Setup) -> Iterator[Row]:
    """STOI of held-out sentences in Moshi's voice. What comes out of the codec belongs to the same
    moment as what went in: there is no lag to be made up for (and none to be found by correlating
    the waves: phases are not kept)."""
    path = resolve(CheckpointOptions(model_dir=setup.model)).mimi
    texts = setup.sentences()
    for books, bar in ((8, 0.90), (4, None)):
        codecs = load_codec(path, books), load_codec(path, books)
        sounds = [speech(text) for text in texts]
        scores = [stoi(clean, through(clean, *codecs), RATE) for clean in sounds]
        name, value = f"STOI of {len(texts)} held-out sentences, {books} codebooks", np.mean(scores)
        details = {"worst": f"{min(scores):.3f}"}
        if bar is None:
            yield Row(name, float(value), details=details)
        else:
            yield at_least(name, float(value), bar, **details)


def recogniser_control(setup: Setup) -> Iterator[Row]:
    """How many words the recogniser gets right where they are surely there."""
    ear = setup.ear()
    if ear is None:
        return
    path = resolve(CheckpointOptions(model_dir=setup.model)).mimi
    codecs = load_codec(path, 8), load_codec(path, 8)
    for name, way in (("flite's speech", None), ("flite's speech through the codec", codecs)):
        errors = control(ear, setup.sentences(), way)
        yield Row(
            f"recognised: {name} (control)", errors.recognised, unit="%", details=_wer(errors)
        )


def _wer(errors: Errors) -> dict[str, str]:
    return {"word_error_rate": f"{errors.rate:.1%} of {errors.words} words"}


@dataclass(frozen=True)
class _Result:
    """Of one dialogue."""

    counts: Counts
    errors: Errors
    text: str


def talks(setup: Setup) -> Iterator[Row]:
    """Held-out dialogues with the simulated user: words, transcript and turn taking."""
    results = _results(setup)
    errors, counts = Errors(), Counts()
    for result in results:
        errors += result.errors
        counts.add(result.counts)
    if setup.recogniser:
        yield at_least("Moshi's words recognised", errors.recognised, 0.85, "%", **_wer(errors))
    yield from _transcript([result.text for result in results], setup)
    yield from _turn_rows(counts)


def _transcript(texts: list[str], setup: Setup) -> Iterator[Row]:
    words = normal(" ".join(texts))
    if not setup.dictionary.is_file():
        raise SystemExit(f"no dictionary {setup.dictionary}: apt install wamerican")
    dictionary = {word.lower() for word in setup.dictionary.read_text().split()}
    known = dictionary | setup.vocabulary
    share = share_known(words, known)
    yield at_least(
        "transcript: words of the dictionary or Moshi's phrases",
        *(share, 0.98, "%"),
        words=len(words),
        misses=misses(words, known),
    )
    yield Row("of the dictionary alone", share_known(words, dictionary), unit="%")


def _turn_rows(counts: Counts) -> Iterator[Row]:
    def share(values: list[bool]) -> float:
        return sum(values) / max(1, len(values))

    def middle(values: list[float]) -> str:
        return f"{median(values):.2f} s" if values else "-"

    yield at_least(
        "answers within 1.5 s of the user's end",
        *(share(counts.answered), 0.90, "%"),
        turns=len(counts.answered),
        median_delay=middle(counts.delays),
    )
    yield at_least(
        "stops within 500 ms of an interruption",
        *(share(counts.stopped), 0.85, "%"),
        interruptions=len(counts.stopped),
        median_time=middle(counts.stop_times),
        would_have_ended_anyway=f"{share(counts.by_chance):.0%} of {len(counts.by_chance)}",
    )
    yield at_least(
        "does not start while the user speaks",
        *(share(counts.waited), 0.90, "%"),
        turns=len(counts.waited),
        backchannels=counts.backchannels,
    )
    yield Row(
        "says again a day, food, animal ... that the user named",
        share(counts.named),
        unit="%",
        details={
            "turns": len(counts.named),
            "in_its_other_answers": f"{share(counts.named_by_chance):.1%}",
        },
    )


def _results(setup: Setup) -> list[_Result]:
    """All dialogues, several at a time, in order of their seeds. Each process loads a runtime of
    its own (a copy of `setup` has none yet)."""
    if setup.save:
        setup.save.mkdir(parents=True, exist_ok=True)
    spawn = get_context("spawn")
    with ProcessPoolExecutor(setup.workers, spawn, _begin, (replace(setup),)) as pool:
        return list(pool.map(_one, range(setup.dialogues)))


_worker: dict[str, Any] = {}


def _begin(setup: Setup) -> None:
    _worker.update(setup=setup, ear=setup.ear())


def _one(seed: int) -> _Result:
    setup: Setup = _worker["setup"]
    ear: Ear | None = _worker["ear"]
    user = SimulatedUser(seed, setup.seconds)
    talk = setup.runtime.talk(user, setup.seconds, seed)
    if setup.save and seed < SAVED:
        record(talk, setup.save / f"talk{seed}.wav")
        notes = {"moshi": talk.words, "user": [vars(turn) for turn in talk.turns]}
        (setup.save / f"talk{seed}.json").write_text(json.dumps(notes, indent=1))
    errors = ear.judge(talk) if ear else Errors()
    return _Result(measure(talk, np.random.default_rng(seed)), errors, talk.text)


def long_talk(setup: Setup) -> Iterator[Row]:
    """Ten minutes with a user that lets Moshi finish and is silent for long at times."""
    seconds = setup.seconds_long
    user = SimulatedUser(5, seconds, lull=LULLS, chatty=False)
    talk = setup.runtime.talk(user, seconds, 5)
    said = sentences(talk.text)
    late = sum(at > seconds - LAST_S for _, at in talk.words)
    minutes = f"{seconds / 60:g} min of talk"
    yield at_least(f"{minutes}: words in the last two minutes", late, LAST_WORDS)
    yield at_most(f"{minutes}: the same sentence running", longest_run(said), 3)
    yield Row(f"{minutes}: sentences", len(said), details={"different": len(set(said))})


def live(setup: Setup) -> Iterator[Row]:
    """The program in real time: the demo itself, if this is its model."""
    yield from _live(None if eval_live.is_shipped(setup.model) else setup.model, setup.seconds_live)


def person(setup: Setup) -> Iterator[Row]:
    """The same with a file as the microphone, and so with a person's margin at the speaker."""
    yield from _live(setup.model, setup.seconds_live)


def _live(model: Path | None, seconds: float) -> Iterator[Row]:
    talk = eval_live.talk_live(model, seconds)
    details = {
        "in_the_first_second": talk.early,
        "after_the_host_took_processor_time": talk.late_and_stolen,
        "of_any_moments_after_such_a_theft": f"{talk.by_chance:.1%}",
        "taken_of_one_processor": f"{talk.stolen:.1%}",
    }
    who = "--demo" if model is None else "a file as microphone"
    measure = f"underruns after the first second of {talk.seconds:.0f} s, {who}"
    yield at_most(measure, talk.late, 0, **details)
