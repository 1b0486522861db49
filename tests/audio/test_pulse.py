"""The real PortAudio on a PulseAudio of our own."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.pulse import running_pulse

pytestmark = pytest.mark.pulse
ROOT = Path(__file__).parents[2]


def client(pulse, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.audio.pulse_client", *map(str, words)],
        env=pulse.env,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, line=""):
    """Its stdout, once it has ended well and has written nothing on fd 2."""
    with process:
        try:
            out, err = process.communicate(line, timeout=30)
        finally:
            process.kill()
    assert err == ""
    assert process.returncode == 0, out
    return out


def loud_part(pcm):
    """What lies between the first and the last sample above -26 dBFS."""
    loud = np.flatnonzero(np.abs(pcm) > 0.05)
    assert len(loud), "only silence"
    return pcm[loud[0] : loud[-1] + 1]


def pitch(pcm, rate):
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return np.argmax(spectrum) * rate / len(pcm)


def test_portaudio_lists_pulse(pulse):
    assert {"pulse", "default"} <= set(finish(client(pulse, "names")).split())


def test_the_microphone_hears_what_is_played_to_it(pulse, tmp_path):
    tone = tmp_path / "tone.wav"
    at = np.arange(36_000) / 24_000
    soundfile.write(tone, 0.5 * np.sin(2 * np.pi * 1000 * at), 24_000)
    process = client(pulse, "hear", tmp_path / "heard.npz")
    assert process.stdout.readline() == "ready\n"
    player = pulse.play(tone)
    assert player.wait(20) == 0
    time.sleep(0.3)  # on its way
    finish(process, "enough\n")
    with np.load(tmp_path / "heard.npz") as heard:
        pcm, rate = loud_part(heard["pcm"]), int(heard["rate"])
    assert 1.3 < len(pcm) / rate < 2.0
    assert pitch(pcm, rate) == pytest.approx(1000, abs=5)
    assert 0.4 < np.abs(pcm).max() < 0.6


def test_the_speaker_is_heard(pulse, tmp_path):
    path = tmp_path / "heard.wav"
    with pulse.record(path):
        said = finish(client(pulse, "say", 700, 1.5))
    assert said == "0 None\n"
    pcm, rate = soundfile.read(path, dtype="float32")
    pcm = loud_part(pcm)
    assert 1.4 < len(pcm) / rate < 2.0
    assert pitch(pcm, rate) == pytest.approx(700, abs=5)
    assert 0.4 < np.abs(pcm).max() < 0.6


def test_nothing_is_written_on_the_terminal_when_they_complain(pulse, tmp_path):
    log = tmp_path / "native.log"
    out = finish(client(pulse, "refuse", log))
    assert out.count("refused:") == 2
    assert "underflow" in out
    assert "Expression" in log.read_text()  # PortAudio's own messages end here


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_sound_server_that_dies_or_hangs_holds_nothing_up(how):
    with running_pulse() as pulse:
        process = client(pulse, "stop")
        assert process.stdout.readline() == "ready\n"
        pulse.daemon.send_signal(how)
        lines = finish(process).splitlines()
    assert len(lines) == 2
    for line in lines:
        word, seconds, reason = line.split(maxsplit=2)
        assert word == "closed"
        assert float(seconds) < 2.0  # 0.45 on a machine that is not busy
        assert reason != "None"
