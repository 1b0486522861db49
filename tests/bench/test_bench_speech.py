import math
from pathlib import Path

import numpy as np

import moshi_tui.bench
from moshi_tui.audio.files import AudioReader
from moshi_tui.audio.levels import measure

SPEECH = Path(moshi_tui.bench.__file__).with_name("speech.ogg")


def test_the_demo_speech_has_sentences_and_pauses_at_a_good_level():
    with AudioReader(SPEECH) as reader:
        assert 24 < reader.seconds < 32
        levels = np.array([measure(frame).rms_db for frame in reader])
    speaking = levels > -45
    assert 0.3 < speaking.mean() < 0.7
    edges = np.flatnonzero(np.diff(speaking.astype(int)) == 1)
    pauses = np.diff(np.flatnonzero(speaking)) * 0.08
    assert len(edges) >= 6
    assert np.count_nonzero(pauses > 1.8) == 5
    power = np.mean(10 ** (levels[speaking] / 10))
    assert -23 < 10 * math.log10(power) < -18
    assert SPEECH.stat().st_size < 300_000
