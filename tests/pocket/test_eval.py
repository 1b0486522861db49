"""The evaluation's measures, on made-up sounds, talks and transcripts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "assets" / "pocket"))

import eval_turns
import eval_words
import stoi
from eval_turns import Talk, Turn

SECONDS = 10.0


def _sound(*runs: tuple[float, float]) -> np.ndarray:
    time = np.arange(round(SECONDS * eval_turns.RATE)) / eval_turns.RATE
    on = np.any([(time >= a) & (time < b) for a, b in runs], axis=0)
    return (0.1 * np.sin(2 * np.pi * 200 * time) * on).astype(np.float32)


def _measure(turn: Turn, *runs: tuple[float, float], words: int = 9) -> eval_turns.Counts:
    said = [("word", runs[-1][0] + 0.1 * i) for i in range(words)]
    talk = Talk(np.zeros(0), _sound(*runs), [turn], said)
    return eval_turns.measure(talk, np.random.default_rng(0))


def _turn(interrupts: bool = False) -> Turn:
    return Turn(2.01, 4.0, "so", interrupts)


def test_runs_part_at_pauses() -> None:
    active = eval_turns.active(_sound((1, 2), (2.15, 3), (5, 6)))
    runs = eval_turns.runs(active)
    assert np.allclose(runs, [(1, 3), (5, 6)], atol=0.03)


@pytest.mark.parametrize(("begin", "answered"), [(4.6, True), (5.4, True), (5.7, False)])
def test_answered_within_a_second_and_a_half(begin: float, answered: bool) -> None:
    counts = _measure(_turn(), (begin, 7))
    assert counts.answered == [answered]
    assert counts.waited == [True]
    assert counts.delays == (pytest.approx([begin - 4], abs=0.03) if answered else [])


@pytest.mark.parametrize(("end", "stopped"), [(2.4, [True]), (2.7, [False]), (2.03, [])])
def test_stopped_in_half_a_second(end: float, stopped: list[bool]) -> None:
    assert _measure(_turn(interrupts=True), (1, end)).stopped == stopped


def test_a_breath_is_no_stop() -> None:
    counts = _measure(_turn(interrupts=True), (1, 2.3), (2.5, 3.5))
    assert counts.stopped == [False]


def test_starting_while_the_user_speaks() -> None:
    assert _measure(_turn(), (3, 6)).waited == [False]
    assert _measure(_turn(), (2.2, 6)).waited == [True]


def test_backchannels_count_on_their_own() -> None:
    counts = _measure(_turn(), (3, 3.4), words=2)
    assert (counts.waited, counts.backchannels) == ([True], 1)
    assert _measure(_turn(), (3, 3.4), words=5).waited == [False]


def test_what_the_user_named_and_moshi_says_again() -> None:
    turns = [
        Turn(1.0, 2.0, "I like jazz.", False),
        Turn(5.0, 6.0, "Is it Monday?", False),
        Turn(8.0, 9.0, "So.", False),
    ]
    said = [("Jazz!", 2.5), ("Well,", 3.0), ("Sunday.", 6.5), ("Jazz?", 7.0), ("Oh.", 9.5)]
    talk = Talk(np.zeros(0), _sound((2.5, 3.5), (6.5, 7.5)), turns, said)
    counts = eval_turns.measure(talk, np.random.default_rng(0))
    assert counts.named == [True, False]
    assert counts.named_by_chance == [True, False, False, False]


def test_errors_of_recognition() -> None:
    said, heard = ["i", "like", "my", "red", "cat"], ["i", "like", "a", "my", "bed"]
    errors = eval_words.Errors.between(said, heard)
    assert (errors.words, errors.all) == (5, eval_words.distance(said, heard)) == (5, 3)
    assert (errors.wrong, errors.missed, errors.added) == (1, 1, 1)
    assert errors.recognised == pytest.approx(0.6)
    assert errors.rate == pytest.approx(0.6)


def test_words_and_sentences() -> None:
    assert eval_words.normal("Hello, it's 5 o'clock 'now'.") == ["hello", "it's", "o'clock", "now"]
    said = eval_words.sentences("I see. Go on! go on. Go on? Bye.")
    assert eval_words.longest_run(said) == 3
    assert eval_words.share_known(["cat's", "zzz"], {"cat"}) == 0.5


def test_stoi() -> None:
    rng = np.random.default_rng(1)
    time = np.arange(3 * 16_000) / 16_000
    speech = rng.standard_normal(len(time)) * (1 + np.sin(2 * np.pi * 4 * time)) ** 2
    noise = rng.standard_normal(len(time))
    scores = [stoi.stoi(speech, speech + g * noise, 16_000) for g in (0, 0.3, 3, 100)]
    assert scores[0] == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.5
    assert stoi.stoi(speech, 0.1 * speech, 16_000) == pytest.approx(1)
