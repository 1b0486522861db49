"""Real speech in simulated rooms: levels in, verdict out."""

import numpy as np
import pytest

from moshi_tui.audio.files import read_audio
from moshi_tui.audio.levels import block_levels
from moshi_tui.bench.talk import _SPEECH, speech_mask
from moshi_tui.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from moshi_tui.session.echo import EchoDetector

START = 4321.0
BLOCKS = 8
"""Of 10 ms in a frame."""


@pytest.fixture(scope="module")
def voices():
    """Two halves of the recording, each without its longer pauses: Moshi's and the user's."""
    pcm = read_audio(_SPEECH)
    mask = speech_mask(pcm)
    # Pauses of up to 0.4 s stay.
    kept = np.convolve(mask, np.ones(40), "same") > 0
    blocks = pcm[: len(mask) * 240].reshape(-1, 240)[kept]
    half = len(blocks) // 2
    return [part.ravel() * (0.06 / part.std()) for part in (blocks[:half], blocks[half:])]


def talk(voice, seconds, rng, part=1.0):
    """So much speech, begun anywhere; `part`: of the time, in turns of about two seconds."""
    count = round(seconds * SAMPLE_RATE)
    pcm = np.resize(np.roll(voice, int(rng.integers(len(voice)))), count).astype(np.float32)
    if part < 1:
        turns = rng.random(round(seconds / 2) + 1) < part
        pcm *= np.repeat(turns, 2 * SAMPLE_RATE)[:count]
    return pcm


def in_the_room(pcm, echo_db, delay_s, rng):
    """`pcm` as a microphone hears it: late, reverberating, softer."""
    length = round(rng.uniform(0.1, 0.4) * SAMPLE_RATE)
    response = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    response[0] = np.sqrt(np.sum(response**2))
    response *= 10 ** (echo_db / 20) / np.sqrt(np.sum(response**2))
    late = np.concatenate((np.zeros(round(delay_s * SAMPLE_RATE)), pcm))
    size = 1 << (len(late) + length).bit_length()
    wet = np.fft.irfft(np.fft.rfft(late, size) * np.fft.rfft(response, size), size)
    return wet[: len(pcm)].astype(np.float32)


def noise(count, db, rng):
    return (10 ** (db / 20) * rng.standard_normal(count)).astype(np.float32)


def verdicts(moshi, microphone, detector=None, start=START):
    """What the detector says after each frame."""
    detector = detector or EchoDetector()
    said = []
    for frame in range(len(moshi) // FRAME_SAMPLES):
        part = slice(frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES)
        at = start + frame * FRAME_SECONDS
        detector.played(block_levels(moshi[part]), at)
        said.append(detector.heard(block_levels(microphone[part]), at + FRAME_SECONDS))
    return said


@pytest.mark.parametrize("delay_s", [0.02, 0.13, 0.27, 0.4])
@pytest.mark.parametrize("echo_db", [0, -10, -20, -30, -40])
def test_an_echo_is_found_within_seconds_and_measured(voices, echo_db, delay_s):
    rng = np.random.default_rng(abs(echo_db) * 100 + round(delay_s * 100))
    moshi = talk(voices[0], 9, rng)
    microphone = in_the_room(moshi, echo_db, delay_s, rng) + noise(len(moshi), -78, rng)
    said = verdicts(moshi, microphone)
    assert said[-1] == pytest.approx(echo_db, abs=6)  # a room is not equally loud at all pitches
    assert said[round(2 / FRAME_SECONDS)] is None  # a word or two say nothing


@pytest.mark.parametrize("seed", range(6))
def test_an_echo_is_found_while_both_take_turns(voices, seed):
    rng = np.random.default_rng(seed)
    moshi, user = talk(voices[0], 20, rng), talk(voices[1], 20, rng)
    turns = np.arange(len(moshi)) // (4 * SAMPLE_RATE) % 2 == 0
    microphone = in_the_room(moshi * turns, -15, rng.uniform(0.02, 0.4), rng)
    microphone += user * ~turns + noise(len(moshi), -70, rng)
    assert verdicts(moshi * turns, microphone)[-1] is not None


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("part", [0.4, 1.0])
def test_who_talks_at_the_same_time_is_no_echo(voices, seed, part):
    rng = np.random.default_rng(100 + seed)
    moshi, user = talk(voices[0], 25, rng, part), talk(voices[1], 25, rng, part)
    user *= 10 ** (rng.uniform(-20, 6) / 20)
    assert not any(verdicts(moshi, user + noise(len(moshi), rng.uniform(-80, -50), rng)))


@pytest.mark.parametrize("db", [-120, -80, -60, -30])
def test_a_quiet_or_a_noisy_room_is_no_echo(voices, db):
    rng = np.random.default_rng(7)
    moshi = talk(voices[0], 20, rng)
    assert not any(verdicts(moshi, noise(len(moshi), db, rng)))


def test_digital_silence_is_no_echo(voices):
    moshi = talk(voices[0], 15, np.random.default_rng(0))
    assert not any(verdicts(moshi, np.zeros_like(moshi)))
    assert not any(verdicts(np.zeros_like(moshi), moshi))


def test_while_moshi_says_nothing_nothing_is_learnt(voices):
    rng = np.random.default_rng(1)
    moshi = talk(voices[0], 10, rng)
    detector = EchoDetector()
    assert verdicts(moshi, in_the_room(moshi, -10, 0.1, rng), detector)[-1] is not None
    silence = np.zeros_like(moshi)
    said = verdicts(silence, talk(voices[1], 10, rng), detector, START + 10)
    assert said[-1] is not None


def test_with_headphones_on_the_echo_is_over(voices):
    rng = np.random.default_rng(2)
    detector = EchoDetector()
    moshi = talk(voices[0], 10, rng)
    assert verdicts(moshi, in_the_room(moshi, -10, 0.1, rng), detector)[-1] is not None
    quiet = noise(len(moshi) * 2, -70, rng)
    moshi = np.concatenate((moshi, moshi))
    assert verdicts(moshi, quiet, detector, START + 10)[-1] is None


def test_times_may_shake_and_sound_may_be_missing(voices):
    rng = np.random.default_rng(3)
    moshi = talk(voices[0], 25, rng)
    microphone = in_the_room(moshi, -12, 0.2, rng) + noise(len(moshi), -75, rng)
    detector = EchoDetector()
    for frame in range(len(moshi) // FRAME_SAMPLES):
        part = slice(frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES)
        at = START + frame * FRAME_SECONDS
        detector.played(block_levels(moshi[part]), at + rng.uniform(-0.003, 0.003))
        if rng.random() > 0.05:
            heard = block_levels(microphone[part])
            said = detector.heard(heard, at + FRAME_SECONDS + rng.uniform(-0.003, 0.003))
    assert said == pytest.approx(-12, abs=6)


def test_a_long_break_is_forgotten(voices):
    rng = np.random.default_rng(4)
    detector = EchoDetector()
    moshi = talk(voices[0], 12, rng)
    for start in (START, START + 1000, START + 1013):
        said = verdicts(moshi, in_the_room(moshi, -10, 0.1, rng), detector, start)
    assert said[-1] == pytest.approx(-10, abs=6)


def test_blocks_of_any_number_and_none(voices):
    detector = EchoDetector()
    detector.played([], START)
    assert detector.heard([], START) is None
    detector.played([-20.0] * 3, START + 5)
    assert detector.heard([-20.0] * 5, START) is None
