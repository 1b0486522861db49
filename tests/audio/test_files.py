import errno
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moshi_tui.audio.files import AudioReader, WavWriter, read_audio
from moshi_tui.errors import MoshiTuiError


def tone(seconds, rate, hertz=440):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype("f4")


@pytest.mark.parametrize(
    ("name", "rate", "channels"),
    [("a.wav", 24_000, 1), ("a.wav", 44_100, 2), ("a.flac", 48_000, 6), ("a.ogg", 16_000, 1)],
)
def test_any_file_becomes_24_khz_mono(tmp_path, name, rate, channels):
    path = tmp_path / name
    soundfile.write(path, np.repeat(tone(1.2, rate)[:, None], channels, axis=1), rate)
    pcm = read_audio(path)
    assert pcm.dtype == np.float32
    assert len(pcm) == round(1.2 * 24_000)
    expected = tone(1.2, 24_000)
    assert np.abs(pcm - expected)[500:-500].max() < (0.05 if name == "a.ogg" else 1e-3)


def test_the_reader_yields_whole_frames(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(1.0, 48_000), 48_000, subtype="FLOAT")
    with AudioReader(path) as reader:
        assert (reader.rate, reader.channels, reader.seconds) == (48_000, 1, 1.0)
        frames = list(reader)
    assert {frame.shape for frame in frames} == {(1920,)}
    assert len(frames) == 13
    joined = np.concatenate(frames)
    assert np.array_equal(joined[:24_000], read_audio(path))
    assert not joined[24_000:].any()


def test_samples_that_are_no_numbers_become_silence(tmp_path):
    path = tmp_path / "a.wav"
    pcm = tone(0.5, 24_000)
    pcm[100:103] = np.nan, np.inf, -np.inf
    soundfile.write(path, pcm, 24_000, subtype="FLOAT")
    read = read_audio(path)
    assert read[99:104].tolist() == [pcm[99], 0, 0, 0, pcm[103]]


def broken(path, content):
    path.write_bytes(content)
    return path


def test_errors_name_the_file_and_what_to_do(tmp_path):
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0), 24_000)
    for path, title in (
        (tmp_path / "none.wav", "No such sound file"),
        (tmp_path, "Not a sound file"),
        (broken(tmp_path / "text.wav", b"not sound at all"), "Unreadable sound file"),
        (broken(tmp_path / "nothing.wav", b""), "Empty sound file"),
        (empty, "Empty sound file"),
    ):
        with pytest.raises(MoshiTuiError, match=path.name) as caught:
            read_audio(path)
        assert caught.value.title == title


def test_what_is_written_can_be_read(tmp_path):
    path = tmp_path / "a.wav"
    pcm = tone(1.5, 24_000)
    with WavWriter(path) as writer:
        for start in range(0, len(pcm), 1000):
            writer.write(pcm[start : start + 1000])
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.subtype) == (24_000, 1, "PCM_16")
    assert np.abs(read_audio(path) - pcm).max() < 1 / 32_767


def test_loud_samples_are_clipped_not_wrapped(tmp_path):
    path = tmp_path / "a.wav"
    with WavWriter(path) as writer:
        writer.write(np.array([2.0, -2.0, 1.0, -1.0], np.float32))
    read, _ = soundfile.read(path, dtype="int16")
    assert read.tolist() == [32_767, -32_767, 32_767, -32_767]


def test_an_unfinished_file_can_be_played(tmp_path):
    path = tmp_path / "a.wav"
    writer = WavWriter(path)
    for _ in range(30):
        writer.write(tone(0.1, 24_000))
    assert soundfile.info(path).frames == 72_000  # as the file stands on the disk now
    writer.close()
    writer.close()


def test_an_old_file_is_replaced(tmp_path):
    path = broken(tmp_path / "a.wav", b"x" * 1000)
    WavWriter(path).close()
    assert path.stat().st_size == 44


def test_a_missing_folder_is_reported(tmp_path):
    with pytest.raises(MoshiTuiError, match="No such file"):
        WavWriter(tmp_path / "none" / "a.wav")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_reported_when_it_begins():
    with pytest.raises(MoshiTuiError, match="No space left"):
        WavWriter(Path("/dev/full"))


def test_a_disk_that_fills_up_is_reported(tmp_path, monkeypatch):
    writer = WavWriter(tmp_path / "a.wav")
    monkeypatch.setattr(writer, "_file", FullDisk(writer._file))
    with pytest.raises(MoshiTuiError, match="No space left"):
        writer.write(tone(1.0, 24_000))
    with pytest.raises(MoshiTuiError, match="No space left"):
        writer.close()
    writer.close()


class FullDisk:
    """A file that takes no more."""

    def __init__(self, file):
        self.file = file

    @property
    def closed(self):
        return self.file.closed

    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self):
        self.write(b"")

    def close(self):
        self.file.close()


def test_a_file_that_is_no_sound_is_named_as_people_write_it(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("no sound")
    with pytest.raises(MoshiTuiError) as error:
        read_audio(path)
    assert error.value.message == f"{path}: Format not recognised."


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_told_with_the_name_that_was_asked_for():
    with pytest.raises(MoshiTuiError, match=r"out\.wav: No space left"):
        WavWriter(Path("/dev/full"), shown=Path("out.wav"))
