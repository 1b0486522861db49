from contextlib import closing

import pytest
import soundfile

from moshi_tui.frames import SAMPLE_RATE
from moshi_tui.recording import folder as folder_module
from moshi_tui.recording.reader import Recording
from moshi_tui.session.events import Failed, RecordingStarted, RecordingStopped, TextPiece
from tests.recording.small_disk import small_disk
from tests.session.test_tape import Talk


@pytest.fixture
def disk(tmp_path):
    """Half a second of sound."""
    with small_disk(tmp_path, 64) as disk:
        yield disk


def test_a_disk_that_fills_ends_the_recording_and_the_talk_goes_on(disk, monkeypatch):
    monkeypatch.setattr(folder_module, "LEAST_FREE", 0)
    talk = Talk(monkeypatch, disk / "talks", record=True).start()
    talk.wait(lambda: talk.of(RecordingStarted))
    while not talk.of(RecordingStopped):
        talk.say(0.25)
    (stopped,) = talk.of(RecordingStopped)
    assert stopped.error.title == "Recording has ended"
    assert stopped.error.message == f"{stopped.folder}: disk full."
    assert "Make room" in stopped.error.hint
    assert (talk.engine.stats.recording_s, talk.engine.stats.recording_error) == (None, "disk full")
    steps, played = talk.engine.stats.frames, len(talk.sink.played)
    said = len(talk.of(TextPiece))
    talk.source.feed(0.75, 4)
    talk.wait(lambda: talk.sink.played[played:].count(pytest.approx(0.75)) == 4)
    assert talk.engine.stats.frames == steps + 4
    assert len(talk.of(TextPiece)) == said + 4
    assert talk.engine.stop(5.0)
    assert len(talk.of(RecordingStopped)) == 1
    assert not talk.of(Failed)
    sound, rate = soundfile.read(stopped.folder / "audio.wav")
    assert (len(sound), rate) == (round(stopped.seconds * SAMPLE_RATE), SAMPLE_RATE)
    assert sound[:, 0].max() == pytest.approx(0.25, abs=1e-3)
    with closing(Recording(stopped.folder)) as recording:
        assert recording.damaged_lines == 0
        assert {"lag", "text"} <= {record["type"] for record in recording.records}
        steps = recording.codes().step
    assert steps.tolist() == list(range(len(steps)))
    assert len(steps) > 2
