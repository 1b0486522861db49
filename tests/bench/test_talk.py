import numpy as np
import pytest

from moshi_tui.bench.talk import BLOCK, make_talk, speech_mask


def test_both_sides_talk_two_fifths_of_the_time_and_differently():
    talk = make_talk(60.0, 5)
    assert len(talk.user.pcm) == len(talk.moshi.pcm) == 60 * 24_000
    for side in (talk.user, talk.moshi):
        assert len(side.speech) == 6_000
        assert side.speech.mean() == pytest.approx(0.4, abs=0.025)
    assert (talk.user.speech != talk.moshi.speech).mean() > 0.2
    assert (talk.user.speech & talk.moshi.speech).any()


def test_the_seed_makes_the_talk():
    one, same, other = make_talk(20.0, 1), make_talk(20.0, 1), make_talk(20.0, 2)
    assert np.array_equal(one.user.pcm, same.user.pcm)
    assert np.array_equal(one.moshi.speech, same.moshi.speech)
    assert not np.array_equal(one.user.speech, other.user.speech)


def test_the_pauses_hold_faint_noise_and_the_speech_is_loud(talk):
    for side, noise_db in ((talk.user, -62.0), (talk.moshi, -75.0)):
        blocks = side.pcm.reshape(-1, BLOCK)
        levels = 10 * np.log10(np.mean(blocks**2, axis=1))
        far = ~np.convolve(side.speech, np.ones(41), "same").astype(bool)
        assert np.median(levels[far]) == pytest.approx(noise_db, abs=0.5)
        assert levels[far].max() < noise_db + 3
        assert np.median(levels[side.speech]) > -30


def test_the_mask_closes_short_gaps_only():
    loud = 0.1 * np.ones(BLOCK * 20, np.float32)
    sound = np.concatenate(
        [loud, np.zeros(BLOCK * 9, np.float32), loud, np.zeros(BLOCK * 10, np.float32), loud]
    )
    mask = speech_mask(sound)
    assert mask[:49].all()
    assert not mask[49:59].any()
    assert mask[59:].all()


def test_a_window_keeps_frames_and_masks_together(talk):
    part = talk.window(4.0, 8.0)
    assert len(part.user.pcm) == 8 * 24_000
    assert np.array_equal(part.moshi.frame(3), talk.moshi.frame(53))
    assert np.array_equal(part.user.speech, talk.user.speech[400:1_200])
    assert np.array_equal(part.user.frame_speech_ms, talk.user.frame_speech_ms[50:150])
