"""Decisions carried out on real sound."""

from importlib.resources import files

import numpy as np
import pytest
import soundfile

from moshi_tui.audio.playout import Playout
from moshi_tui.audio.ring import Ring
from moshi_tui.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from moshi_tui.session.lag import MARGIN_SECONDS, PATIENT_MARGIN_SECONDS
from moshi_tui.session.playback import Playback

BLOCK = 240


@pytest.fixture(scope="module")
def speech():
    with (files("moshi_tui.bench") / "speech.ogg").open("rb") as file:
        pcm, _ = soundfile.read(file, dtype="float32")
    faint = np.random.default_rng(0).standard_normal(len(pcm)) * 10 ** (-75 / 20)
    return (pcm + faint).astype(np.float32)


class Ear:
    """A speaker on a virtual clock: frames come when the test says, blocks of 10 ms are played."""

    def __init__(self, **how):
        self.playback = Playback(**how)
        self.ring = Ring(SAMPLE_RATE * 5, overwrite=False)
        self.playout = Playout(self.ring, SAMPLE_RATE)
        self.blocks = 0
        self.heard = []
        self.placed = []

    def play_until(self, seconds):
        while (self.blocks + 1) * BLOCK / SAMPLE_RATE <= seconds + 1e-9:
            block = np.zeros(BLOCK, np.float32)
            self.playout.fill(block)
            self.heard.append(block)
            self.blocks += 1

    def frame(self, pcm, at, pace_s=0.055):
        self.play_until(at)
        placed = self.playback.place(
            pcm, self.ring.fill / SAMPLE_RATE, at, pace_s, self.playout.gap / SAMPLE_RATE
        )
        self.ring.push(placed.pcm)
        self.placed.append(placed)

    def play(self, pcm, times, **how):
        for frame, at in zip(pcm.reshape(-1, FRAME_SAMPLES), times, strict=True):
            self.frame(frame, at, **how)
        self.play_until(self.blocks * BLOCK / SAMPLE_RATE + self.ring.fill / SAMPLE_RATE)
        return np.concatenate(self.heard)


def whole_frames(pcm, count):
    return pcm[: count * FRAME_SAMPLES]


def jumps(pcm):
    return np.abs(np.diff(pcm))


def test_frames_in_time_are_played_as_they_are(speech):
    pcm = whole_frames(speech, 200)
    ear = Ear()
    heard = ear.play(pcm, np.arange(1, 201) * FRAME_SECONDS)
    assert ear.playout.underruns == 0
    begin = ear.blocks * BLOCK - len(pcm) - 240
    lead = ear.placed[0].lead
    assert lead == 240
    assert not any(p.changes for p in ear.placed)
    begin = FRAME_SAMPLES + lead
    np.testing.assert_array_equal(
        heard[begin + 120 : begin + len(pcm)], pcm[120 : len(heard) - begin]
    )


@pytest.mark.parametrize(("patient", "underruns"), [(False, 2), (True, 0)])
def test_where_nobody_waits_for_answers_the_sound_may_wait(speech, patient, underruns):
    times = np.arange(1, 201) * FRAME_SECONDS
    times[[60, 140]] += 0.24
    times = np.maximum.accumulate(times)  # those after it come at once
    ear = Ear(patient=lambda: patient)
    heard = ear.play(whole_frames(speech, 200), times)
    assert ear.playout.underruns == underruns
    assert bool(ear.playout.gap) is not patient
    if patient:
        assert ear.placed[0].lead == round(PATIENT_MARGIN_SECONDS * SAMPLE_RATE)
        assert len(heard) / SAMPLE_RATE == pytest.approx(
            201 * FRAME_SECONDS + PATIENT_MARGIN_SECONDS, abs=0.03
        )


def test_a_person_who_takes_over_has_the_margin_of_a_person(speech):
    patient = [True]
    ear = Ear(patient=lambda: patient[0])
    pcm = whole_frames(speech, 300).reshape(-1, FRAME_SAMPLES)
    for i, frame in enumerate(pcm):
        patient[0] = i < 50
        ear.frame(frame, (i + 1) * FRAME_SECONDS)
    assert ear.playback.margin_s == MARGIN_SECONDS
    assert ear.ring.fill / SAMPLE_RATE - FRAME_SECONDS == pytest.approx(MARGIN_SECONDS, abs=0.015)
    assert ear.playout.underruns == 0


def test_a_burst_is_made_up_for_in_the_pauses_without_losing_a_word(speech):
    pcm = whole_frames(speech, 360)
    times = np.arange(1, 361) * FRAME_SECONDS
    times[100:130] = times[130]  # all at once, after a stall of 2.4 s
    ear = Ear()
    heard = ear.play(pcm, times)
    assert ear.playout.underruns == 1
    kinds = {c.kind for p in ear.placed for c in p.changes}
    assert kinds <= {"silence", "speed"}
    gained = sum(c.ms for p in ear.placed for c in p.changes if c.kind == "silence")
    assert gained > 1000
    # At the end it is where it was: what waits is the margin again.
    assert len(heard) / SAMPLE_RATE == pytest.approx(times[-1] + FRAME_SECONDS, abs=0.06)
    cut = np.concatenate(
        [
            pcm[i * FRAME_SAMPLES + c.start : i * FRAME_SAMPLES + c.start + c.count]
            for i, p in enumerate(ear.placed)
            for c in p.changes
            if c.kind == "silence" and c.count
        ]
    )
    assert 20 * np.log10(np.abs(cut).max()) < -40
    assert 20 * np.log10(np.sqrt(np.mean(cut**2))) < -60


def test_speech_without_a_pause_is_hurried_and_nothing_is_lost(speech):
    loud = np.array([np.abs(b).max() for b in speech[: len(speech) // 240 * 240].reshape(-1, 240)])
    dense = speech[: len(loud) * 240].reshape(-1, 240)[loud > 0.03].reshape(-1)
    dense = np.tile(dense, 2)
    pcm = whole_frames(dense, len(dense) // FRAME_SAMPLES)
    count = len(pcm) // FRAME_SAMPLES
    assert count > 200
    times = np.arange(1, count + 1) * FRAME_SECONDS
    times[20:30] = times[30]
    ear = Ear()
    ear.play(pcm, times)
    changes = [c for p in ear.placed for c in p.changes]
    assert {c.kind for c in changes} == {"speed"}
    assert sum(c.ms for c in changes) == pytest.approx(800, abs=60)


def test_no_splice_clicks(speech):
    """Largest jump at any splice: no more than the signal's own 99.9th percentile."""
    pcm = whole_frames(speech, 360)
    rng = np.random.default_rng(3)
    times = np.arange(1, 361) * FRAME_SECONDS
    for start in (60, 150, 240):
        times[start : start + 12] = times[start + 12]
    times += rng.uniform(0, 0.02, 360)
    times.sort()
    ear = Ear()
    ear.play(pcm, times)
    bar = np.percentile(jumps(pcm), 99.9)
    worst, count = 0.0, 0
    for placed in ear.placed:
        for start, length in placed.splices:
            region = placed.pcm[max(0, start - 2) : start + length + 2]
            worst = max(worst, float(jumps(region).max()))
            count += 1
    assert count > 20
    assert worst <= bar


def test_too_slow_a_model_is_stretched_over_its_gaps(speech):
    pcm = whole_frames(speech, 200)
    ear = Ear()
    heard = ear.play(pcm, np.arange(1, 201) * 0.1, pace_s=0.1)
    assert ear.playout.underruns <= 2
    assert ear.playback.speed < 1 or not ear.placed[-1].changes
    assert len(heard) / SAMPLE_RATE == pytest.approx(20.1, abs=0.1)
    longer = -sum(c.ms for p in ear.placed for c in p.changes)
    assert longer == pytest.approx(200 * 20, rel=0.05)


def test_after_a_reset_playing_begins_anew(speech):
    ear = Ear()
    ear.play(whole_frames(speech, 20), np.arange(1, 21) * FRAME_SECONDS)
    ear.playback.reset()
    ear.frame(speech[:FRAME_SAMPLES], 10.0)
    assert ear.placed[-1].late_s == 0
    assert ear.placed[-1].lead == 240
    assert ear.playback.speed == 1.0


def test_sound_after_silence_is_faded_in():
    ear = Ear()
    ear.frame(np.full(FRAME_SAMPLES, 0.5, np.float32), 1.0)
    placed = ear.placed[-1]
    assert np.abs(np.diff(placed.pcm)).max() < 0.01
    np.testing.assert_array_equal(placed.pcm[placed.lead + 120 :], 0.5)
