from importlib.resources import as_file, files

import numpy as np
import pytest

from moshi_tui.audio.files import AudioReader
from moshi_tui.replay.tempo import Tempo

RATE = 24_000
SPEEDS = (0.5, 0.75, 1.25, 1.5, 2.0, 3.0, 4.0)


@pytest.fixture(scope="module")
def speech():
    with as_file(files("moshi_tui.bench") / "speech.ogg") as path, AudioReader(path) as reader:
        return np.concatenate(list(reader.chunks()))[: 10 * RATE]


def played(pcm, speed, block=960):
    tempo = Tempo(speed)
    parts = [tempo.process(pcm[at : at + block]) for at in range(0, len(pcm), block)]
    return np.concatenate([*parts, tempo.finish()])


def pitch(pcm):
    """Median in Hz of what is voiced, by autocorrelation over 80 ms."""
    frames = np.lib.stride_tricks.sliding_window_view(pcm, 1920)[::480]
    frames = frames[np.sqrt(np.mean(frames**2, axis=1)) > 0.03]
    power = np.abs(np.fft.rfft(frames - frames.mean(axis=1, keepdims=True), 4096)) ** 2
    like = np.fft.irfft(power)[:, :400] / (1 - np.arange(400) / 1920)
    lags = 70 + like[:, 70:].argmax(axis=1)
    voiced = like[np.arange(len(like)), lags] > 0.6 * like[:, 0]
    return RATE / np.median(lags[voiced])


@pytest.mark.parametrize("speed", SPEEDS)
def test_speech_lasts_as_long_as_it_should_at_the_same_pitch_and_without_clicks(speech, speed):
    out = played(speech, speed)
    assert len(out) == round(len(speech) / speed)
    assert pitch(out) == pytest.approx(pitch(speech), rel=0.02)
    assert np.abs(np.diff(out)).max() <= 1.5 * np.abs(np.diff(speech)).max()
    loudness = np.sqrt(np.mean(out**2)) / np.sqrt(np.mean(speech**2))
    assert loudness == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("speed", [0.5, 1.5, 4.0])
def test_what_is_played_is_where_it_should_be(speed):
    sound = np.zeros(4 * RATE, np.float32)
    starts = np.array([0.5, 1.3, 2.2, 3.4])
    for start in (RATE * starts).astype(int):
        sound[start : start + 4800] = np.sin(np.arange(4800) / 20)
    loud = np.flatnonzero(np.abs(played(sound, speed)) > 0.3)
    first = loud[np.diff(loud, prepend=-RATE) > RATE / 10]
    assert first / RATE * speed == pytest.approx(starts, abs=0.025 * max(1, speed))


def test_at_its_own_speed_sound_passes_as_it_is(speech):
    assert played(speech, 1.0).tobytes() == speech.tobytes()


def test_the_blocks_do_not_matter(speech):
    some = speech[: 2 * RATE]
    assert np.array_equal(played(some, 1.5, 960), played(some, 1.5, 313))


@pytest.mark.parametrize("length", [0, 1, 500, 5000])
def test_short_and_silent_sounds_have_their_length(length):
    assert np.array_equal(played(np.zeros(length, np.float32), 2.0), np.zeros(round(length / 2)))


def test_nothing_is_played_before_its_time(speech):
    tempo, fed, out = Tempo(4.0), 0, 0
    for at in range(0, 4 * RATE, 960):
        out += len(tempo.process(speech[at : at + 960]))
        fed += 960
        assert fed / 4 - 0.09 * RATE <= out <= fed / 4
