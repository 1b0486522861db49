"""Microphone and speaker changed, and lost, in a real talk on a PulseAudio of our own."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.pulse import running_pulse

pytestmark = pytest.mark.pulse
ROOT = Path(__file__).parents[2]
ASOUNDRC = """
pcm.!default pulse
ctl.!default pulse
pcm.mic_one { type pulse device virtmic }
pcm.mic_two { type pulse device virtmic2 }
pcm.spk_one { type pulse device spk_sink }
pcm.spk_two { type pulse device spk2_sink }
"""


class Client:
    """The other process."""

    def __init__(self, env, *words):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.session.talk_client", *words],
            env=env,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said = queue.Queue()
        self.heard = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self._said.put(json.loads(line))

    def ask(self, line):
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def wait_for(self, kind, seconds=30.0, **words):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                said = self._said.get(timeout=0.2)
            except queue.Empty:
                assert self._process.poll() is None, self._process.stderr.read()
                continue
            self.heard.append(said)
            if said["kind"] == kind and words.items() <= said.items():
                return said
        raise AssertionError(f"no {kind} {words}: {self.heard}")

    def stats(self):
        self.ask("stats")
        return self.wait_for("stats")

    def until(self, condition, seconds=20.0):
        """The first numbers of which it is true."""
        end = time.monotonic() + seconds
        while not condition(stats := self.stats()):
            assert time.monotonic() < end, stats
            time.sleep(0.1)
        return stats

    def end(self):
        self.ask("end")
        over = self.wait_for("over")
        assert self._process.wait(10) == 0
        assert self._process.stderr.read() == ""
        return over["seconds"]

    def close(self):
        self._process.kill()
        self._process.wait(5)
        self._reader.join(5)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            pipe.close()


@contextmanager
def two_pairs():
    with running_pulse() as pulse:
        Path(pulse.env["HOME"], ".asoundrc").write_text(ASOUNDRC)
        second_pair(pulse)
        yield pulse


@pytest.fixture(scope="module")
def shared_server():
    with two_pairs() as pulse:
        yield pulse


@pytest.fixture
def server(shared_server):
    """For tests that do no harm to it."""
    yield shared_server
    shared_server.hush()
    Path(shared_server.env["HOME"], ".asoundrc").write_text(ASOUNDRC)


@pytest.fixture
def doomed_server():
    """One that may be killed and frozen."""
    with two_pairs() as pulse:
        yield pulse


def second_pair(pulse):
    for name in ("mic2_sink", "spk2_sink"):
        pulse.control(
            *("load-module", "module-null-sink", f"sink_name={name}"),
            *("rate=48000", "channels=1", "norewinds=1"),
        )
    pulse.control(
        "load-module", "module-remap-source", "master=mic2_sink.monitor", "source_name=virtmic2"
    )


@pytest.fixture
def client(tmp_path):
    clients = []

    def start(server, *words):
        env = server.env | {
            "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"],
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "OPENBLAS_NUM_THREADS": "1",
        }
        clients.append(Client(env, *words))
        return clients[-1]

    yield start
    for each in clients:
        each.close()


@pytest.fixture
def tone(tmp_path):
    at = np.arange(40 * 24_000) / 24_000
    soundfile.write(tmp_path / "tone.wav", 0.3 * np.sin(2 * np.pi * 400 * at), 24_000)
    return tmp_path / "tone.wav"


def loud(stats):
    return stats["user"] is not None and stats["user"] > -20


def quiet(stats):
    return stats["user"] < -60


def spoken(path):
    """Seconds of sound, and the largest step from sample to sample."""
    pcm, rate = soundfile.read(path, dtype="float32")
    blocks = pcm[: len(pcm) // 480 * 480].reshape(-1, 480)
    seconds = np.count_nonzero(np.abs(blocks).max(axis=1) > 0.003) * 480 / rate
    return seconds, float(np.abs(np.diff(pcm)).max())


def longest_pause(path):
    """Seconds without sound, between sounds."""
    pcm, rate = soundfile.read(path, dtype="float32")
    loud = np.flatnonzero(np.abs(pcm) > 0.003)
    return np.diff(loud).max() / rate


def test_both_sides_are_switched_while_the_talk_goes_on(server, client, tone, tmp_path):
    talk = client(server, "mic_one", "spk_one")
    info = talk.wait_for("Ready", 60)["info"]
    assert (info["microphone"], info["speaker"]) == ("mic_one", "spk_one")
    talk.until(lambda stats: stats["moshi"] > -50)
    server.play(tone, "mic2_sink")
    first, second = tmp_path / "first.wav", tmp_path / "second.wav"
    assert quiet(talk.stats())

    talk.ask("input mic_two")
    changed = talk.wait_for("DeviceChanged")
    assert (changed["side"], changed["name"]) == ("input", "mic_two")
    talk.until(loud, 5)
    before = talk.stats()
    with server.record(first), server.record(second, "spk2_sink.monitor"):
        time.sleep(0.5)
        talk.ask("output spk_two")
        changed = talk.wait_for("DeviceChanged", side="output")
        assert changed["name"] == "spk_two"
        time.sleep(2)
    after = talk.stats()
    server.hush()
    assert after["frames"] - before["frames"] > 18  # of 31: nothing stood still for long
    assert after["underruns"] >= before["underruns"]
    assert (after["microphone"], after["speaker"]) == ("mic_two", "spk_two")
    assert after["lost"] == ["", ""]
    at_first, step = spoken(first)
    at_second, other_step = spoken(second)
    assert at_first < 1.7
    assert at_second > 1.2
    assert max(step, other_step) < 0.3
    assert talk.end() < 2


def test_a_device_that_cannot_be_opened_leaves_the_old_one(server, client):
    talk = client(server, "mic_one", "spk_one")
    talk.wait_for("Ready", 60)
    talk.ask("output nothing_like_it")
    notice = talk.wait_for("Notice")
    assert "nothing_like_it" in notice["message"]
    stats = talk.until(lambda stats: stats["moshi"] > -50)
    assert stats["speaker"] == "spk_one"
    assert not [said for said in talk.heard if said["kind"].startswith("Device")]
    talk.end()


def test_a_device_plugged_in_later_is_listed_and_taken(server, client, tone, tmp_path):
    talk = client(server, "mic_one", "spk_one")
    talk.wait_for("Ready", 60)
    rc = Path(server.env["HOME"], ".asoundrc")
    rc.write_text(f"{ASOUNDRC}\npcm.mic_new {{ type pulse device virtmic2 }}\n")
    talk.ask("devices")
    assert "mic_new" in talk.wait_for("devices")["names"]
    server.play(tone, "mic2_sink")
    heard = tmp_path / "heard.wav"
    with server.record(heard):
        talk.until(lambda stats: stats["moshi"] > -50)
        talk.ask("input mic_new")
        assert talk.wait_for("DeviceChanged")["name"] == "mic_new"
        talk.until(loud)
        time.sleep(1.5)
    assert spoken(heard)[1] < 0.3
    assert longest_pause(heard) < 1.5  # the speaker has to be closed for it
    stats = talk.until(lambda stats: stats["moshi"] > -50)
    server.hush()
    assert stats["speaker"] == "spk_one"
    assert [said["kind"] for said in talk.heard if said["kind"].startswith("Device")] == [
        "DeviceChanged"
    ]
    talk.end()


def test_without_its_sound_server_the_talk_goes_on_and_heals(doomed_server, client, tone, tmp_path):
    talk = client(doomed_server, "mic_one", "spk_one")
    talk.wait_for("Ready", 60)
    talk.until(lambda stats: stats["moshi"] > -50)
    doomed_server.daemon.kill()
    sides = {talk.wait_for("DeviceLost", 15)["side"] for _ in range(2)}
    assert sides == {"input", "output"}
    before = talk.stats()
    assert all(before["lost"])
    assert "is gone" in before["health"]
    time.sleep(2)
    after = talk.stats()
    assert after["frames"] - before["frames"] > 15
    assert before["microphone"] == "mic_one"
    again = restarted(doomed_server)
    try:
        healed = [talk.wait_for("DeviceChanged", 30) for _ in range(2)]
        assert {each["name"] for each in healed} == {"mic_one", "spk_one"}
        doomed_server.play(tone)
        stats = talk.until(loud)
        assert stats["lost"] == ["", ""]
        talk.until(lambda stats: stats["moshi"] > -50)
        doomed_server.hush()
        talk.end()
    finally:
        again.kill()
        again.wait(5)


def restarted(server):
    """The same server once more."""
    for left in Path(server.env["PULSE_RUNTIME_PATH"]).glob("*"):
        left.unlink()
    again = subprocess.Popen(server.daemon.args, env=server.env, stderr=subprocess.DEVNULL)
    for _ in range(200):
        listed = subprocess.run(
            ["pactl", "list", "short", "sources"], env=server.env, capture_output=True, text=True
        )
        if "virtmic" in listed.stdout:
            break
        time.sleep(0.05)
    second_pair(server)
    return again


def test_a_device_frozen_for_seconds_does_not_stop_the_talk(doomed_server, client):
    talk = client(doomed_server, "mic_one", "spk_one")
    talk.wait_for("Ready", 60)
    talk.until(lambda stats: stats["moshi"] > -50)
    os.kill(doomed_server.daemon.pid, 19)
    try:
        for _ in range(2):
            assert "3 seconds" in talk.wait_for("DeviceLost", 15)["why"]
        frames = talk.stats()["frames"]
        time.sleep(1.5)
        assert talk.stats()["frames"] > frames + 8
    finally:
        os.kill(doomed_server.daemon.pid, 18)
    for _ in range(2):
        talk.wait_for("DeviceChanged", 40)
    talk.until(lambda stats: stats["moshi"] > -50)
    talk.end()
