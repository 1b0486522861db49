from __future__ import annotations

import pytest

from moshi_tui.session.catchup import CatchUp, Interruption, add, duration, in_words
from moshi_tui.session.events import Skipped, Underrun
from moshi_tui.session.stats import Skips


def test_sums() -> None:
    skips = Skips()
    for ms, (side, kind) in enumerate(
        [
            ("user", "silence"),
            ("user", "speech"),
            ("moshi", "silence"),
            ("moshi", "speech"),
            ("moshi", "speed"),
            ("user", "speech"),
        ],
        start=1,
    ):
        skips = add(skips, Skipped(0, side, kind, ms))  # type: ignore[arg-type]
    assert skips == Skips(1, 8, 3, 4, 5)


@pytest.mark.parametrize(
    ("skips", "words"),
    [
        (Skips(), ""),
        (Skips(user_silence_ms=299), ""),
        (Skips(100, 50, 100, 40), ""),
        (Skips(user_silence_ms=1920), "skipped 1.9 s of silence to catch up"),
        (Skips(user_speech_ms=320), "skipped 0.3 s of your speech to catch up"),
        (Skips(1600, 320), "skipped 1.9 s (0.3 s of it your speech) to catch up"),
        (Skips(moshi_silence_ms=400), "cut 0.4 s out of Moshi's pauses to catch up"),
        (Skips(moshi_speech_ms=400), "cut 0.4 s of Moshi's speech to catch up"),
        (
            Skips(moshi_silence_ms=400, moshi_speech_ms=160),
            "cut 0.6 s (0.2 s of it Moshi's speech) to catch up",
        ),
        (Skips(moshi_speed_ms=510), "played Moshi faster (0.5 s gained) to catch up"),
        (
            Skips(user_silence_ms=800, moshi_silence_ms=400),
            "skipped 0.8 s of silence and cut 0.4 s out of Moshi's pauses to catch up",
        ),
        (
            Skips(1600, 320, 400, 0, 510),
            "skipped 1.9 s (0.3 s of it your speech), cut 0.4 s out of Moshi's pauses and played "
            "Moshi faster (0.5 s gained) to catch up",
        ),
        (
            Skips(user_silence_ms=800, moshi_silence_ms=49, moshi_speed_ms=49),
            "skipped 0.8 s of silence to catch up",
        ),
    ],
)
def test_words(skips: Skips, words: str) -> None:
    assert in_words(skips) == words


def test_many_small_things_are_one_that_is_told() -> None:
    assert in_words(Skips(75, 75, 75, 75)) != ""
    words = in_words(Skips(65, 65, 65, 65, 65))
    assert words.startswith("skipped 0.1 s (0.1 s of it your speech), cut 0.1 s")


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (80, "0.1 s"),
        (1920, "1.9 s"),
        (99_949, "99.9 s"),
        (99_950, "100 s"),
        (999_499, "999 s"),
        (1_000_000, "17 min"),
    ],
)
def test_durations(ms: float, words: str) -> None:
    assert duration(ms) == words


def test_an_episode_ends_after_quiet_seconds_and_after_a_minute() -> None:
    episode = CatchUp(100)
    assert episode.joins(131)
    assert not episode.joins(132)
    assert episode.joins(90)  # Moshi's side is behind the user's
    for frame in range(100, 900, 20):
        episode.reaches(frame)
    episode.reaches(120)
    assert episode.joins(849)
    assert not episode.joins(850)


def test_interruptions() -> None:
    late = Interruption(10)
    late.take(Underrun(10, 299))
    assert late.words == ""
    late.take(Underrun(12, 2000))
    assert late.words == "Moshi was interrupted for 2.0 s (the model was late)"
    late.take(Underrun(40, 20))
    late.take(Underrun(60, 500))
    assert late.words == "Moshi was interrupted 2 times, for 2.5 s in all (the model was late)"
