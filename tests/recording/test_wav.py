import wave

import numpy as np
import pytest
import soundfile

from moshi_tui.recording.wav import HEADER_BYTES, WavFile, wav_header


def ramp(count, first=0):
    return np.stack(
        [np.arange(first, first + count), -np.arange(first, first + count)], axis=1
    ).astype(np.int16)


def test_it_is_valid_after_every_write(tmp_path):
    path = tmp_path / "a.wav"
    file = WavFile(path, 24_000, 2)
    for first in range(0, 5000, 1000):
        assert soundfile.info(path).frames == first
        file.write(first, ramp(1000, first))
    with wave.open(str(path)) as reader:
        assert (reader.getnchannels(), reader.getframerate(), reader.getnframes()) == (
            2,
            24_000,
            5000,
        )
    file.close()
    data, rate = soundfile.read(path, dtype="int16")
    assert rate == 24_000
    assert (data == ramp(5000)).all()


def test_the_end_can_be_written_again_and_cut_off(tmp_path):
    file = WavFile(tmp_path / "a.wav", 24_000, 2)
    file.write(0, ramp(1000))
    file.write(500, ramp(1000, 7000))
    file.trim(1200)
    file.trim(9999)
    file.close()
    data, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert (data == np.concatenate((ramp(500), ramp(700, 7000)))).all()
    assert (tmp_path / "a.wav").stat().st_size == HEADER_BYTES + 4 * 1200


def test_an_existing_file_is_left_alone(tmp_path):
    (tmp_path / "a.wav").write_text("mine")
    with pytest.raises(FileExistsError):
        WavFile(tmp_path / "a.wav", 24_000, 2)
    assert (tmp_path / "a.wav").read_text() == "mine"


def test_beyond_4_gb_it_is_still_readable(tmp_path):
    path = tmp_path / "long.wav"
    file = WavFile(path, 24_000, 2)
    last = 2**30 + 5  # sparse: nothing but the end takes room on the disk
    file.write(last, ramp(100, 300))
    file.close()
    info = soundfile.info(path)
    assert (info.frames, info.format, info.channels) == (last + 100, "RF64", 2)
    data, _ = soundfile.read(path, start=last, dtype="int16")
    assert (data == ramp(100, 300)).all()


def test_headers_have_one_size():
    assert len(wav_header(0, 24_000, 2)) == len(wav_header(2**40, 24_000, 2)) == HEADER_BYTES


def test_a_deleted_file_is_noticed(tmp_path):
    file = WavFile(tmp_path / "a.wav", 24_000, 2)
    assert not file.gone
    (tmp_path / "a.wav").unlink()
    assert file.gone
    file.close()
