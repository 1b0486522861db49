from importlib.resources import files

import numpy as np
import pytest
import soundfile

from moshi_tui.audio.levels import block_levels
from moshi_tui.session.activity import Activity, SpeechDetector


def noise(db, seconds, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(round(24_000 * seconds)) * 10 ** (db / 20)).astype(np.float32)


def detect(pcm, **options):
    """Whether there is speech, or the edge of it, in each block."""
    return np.array(SpeechDetector(**options).update(block_levels(pcm))) > Activity.PAUSE


@pytest.fixture(scope="module")
def speech():
    with (files("moshi_tui.bench") / "speech.ogg").open("rb") as file:
        pcm, rate = soundfile.read(file, dtype="float32")
    assert rate == 24_000
    return pcm


def loud_blocks(pcm, below_db):
    """Blocks no more than so much below the loudest: speech without any doubt."""
    levels = np.array(block_levels(pcm))
    return levels > levels.max() - below_db


@pytest.mark.parametrize("noise_db", [-90, -65, -50, -40])
def test_words_are_found_in_any_room(speech, noise_db):
    heard = detect(speech + noise(noise_db, len(speech) / 24_000)[: len(speech)])
    certain = loud_blocks(speech, 22 if noise_db > -50 else 30)
    assert np.mean(heard[certain]) > 0.995


@pytest.mark.parametrize("noise_db", [-90, -65, -50, -40])
def test_pauses_are_found_in_any_room(speech, noise_db):
    silence = np.zeros(24_000 * 5, np.float32)
    pcm = np.concatenate((silence, speech[: 24_000 * 5], silence))
    heard = detect(pcm + noise(noise_db, len(pcm) / 24_000)[: len(pcm)])
    assert np.mean(heard[330:490]) < 0.03  # in the first three seconds the doubt goes to speech
    assert np.mean(heard[-300:]) < 0.03


def test_all_of_digital_silence_is_a_pause():
    assert not detect(np.zeros(24_000, np.float32)).any()


def test_the_hangover_keeps_the_end_of_a_word():
    pcm = np.concatenate((noise(-70, 1), noise(-20, 0.5), noise(-70, 1)))
    heard = np.array(SpeechDetector(hangover_s=0.2).update(block_levels(pcm)))
    begin, edge, end = np.flatnonzero(np.diff(heard))
    assert begin + 1 == 100
    assert 150 <= edge + 1 <= 153
    assert end - edge == 20
    assert heard[[0, 120, edge + 1, -1]].tolist() == [0, 2, 1, 0]


def test_a_fan_that_starts_becomes_background():
    heard = detect(np.concatenate((noise(-75, 2), noise(-45, 6))))
    assert heard[205:300].all()
    assert not heard[-100:].any()


def test_a_note_held_for_long_is_no_background():
    tone = (0.3 * np.sin(np.arange(24_000 * 8) / 10)).astype(np.float32)
    assert detect(tone)[-100:].all()


def test_reset_forgets_the_room():
    detector = SpeechDetector(hangover_s=0)
    detector.update(block_levels(noise(-40, 4)))
    assert not any(detector.update([-36.0] * 5))
    detector.reset()
    detector.update([-80.0] * 50)
    assert all(detector.update([-36.0] * 5))


def test_who_speaks_from_the_first_moment_on_is_heard(speech):
    begin = int(np.flatnonzero(np.abs(speech) > 0.1)[0])
    pcm = 0.3 * speech[begin : begin + 24_000]
    heard = detect(pcm + noise(-65, 1)[: len(pcm)])
    assert heard[loud_blocks(pcm, 20)].all()
