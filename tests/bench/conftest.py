import numpy as np
import pytest

from moshi_tui.bench.talk import Talk, Track, make_talk
from moshi_tui.frames import FRAME_SAMPLES


@pytest.fixture(scope="session")
def talk():
    """Twenty seconds, both sides."""
    return make_talk(20.0, 1)


@pytest.fixture
def silent_user():
    """A talk in which only Moshi speaks: samples count up, so that each can be recognised."""

    def make(frames):
        samples = frames * FRAME_SAMPLES
        user = Track(np.zeros(samples, np.float32), np.zeros(samples // 240, np.bool_))
        ramp = np.arange(samples, dtype=np.float32) / samples
        return Talk(user, Track(ramp, np.ones(samples // 240, np.bool_)))

    return make
