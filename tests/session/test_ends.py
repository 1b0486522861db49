import numpy as np
import pytest
import soundfile

from moshi_tui.audio.virtual import FileMicrophone, NullSpeaker
from moshi_tui.config import AudioOptions, CheckpointOptions, Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session import ends

DEMO = CheckpointOptions(demo=True)


@pytest.fixture(autouse=True)
def _no_devices(monkeypatch):
    def pick(kind, wanted):
        raise MoshiTuiError(f"No {kind}", f"{wanted}")

    monkeypatch.setattr(ends, "pick", pick)


@pytest.fixture
def sound(tmp_path):
    soundfile.write(tmp_path / "in.wav", np.zeros(2400), 24_000)
    return tmp_path / "in.wav"


def test_the_demo_does_without_devices():
    ends.check_ends(Settings(DEMO))
    source, sink = ends.live_ends(Settings(DEMO))
    assert "recorded voice" in source.name
    assert "none" in sink.name
    source.close()
    sink.close(drain=False)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(DEMO, audio=AudioOptions(input_device="usb")),
        Settings(DEMO, audio=AudioOptions(output_device="usb")),
    ],
)
def test_a_missing_device_is_told_before_and_after_loading(settings):
    for function in (ends.check_ends, ends.live_ends):
        with pytest.raises(MoshiTuiError, match=r"No (in|out)put"):
            function(settings)


def test_files_stand_in(sound, tmp_path):
    audio = AudioOptions(input_file=sound, output_file=tmp_path / "out.wav")
    ends.check_ends(Settings(audio=audio))
    source, sink = ends.live_ends(Settings(audio=audio))
    assert isinstance(source._microphone, FileMicrophone)
    assert isinstance(sink._speaker, NullSpeaker)
    source.close()
    sink.close(drain=False)


def test_the_microphone_is_closed_if_the_speaker_refuses(sound, monkeypatch):
    closed = []
    monkeypatch.setattr(FileMicrophone, "close", lambda self: closed.append(self))
    with pytest.raises(MoshiTuiError, match="No output"):
        ends.live_ends(Settings(audio=AudioOptions(input_file=sound)))
    assert len(closed) == 1
