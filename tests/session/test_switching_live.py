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
SINK = {"spk_one": "spk_sink", "spk_two": "spk2_sink"}


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


CLICK = 0.05
"""A step from sample to sample; the hum's own are 0.013, and cut short it steps by 0.1 to 0.3."""
TRIES = 3
"""A switch that clicks does so every time; a sound server that got no processor just then, once."""


def spoken(path):
    """Seconds of sound."""
    pcm, rate = soundfile.read(path, dtype="float32")
    blocks = pcm[: len(pcm) // 480 * 480].reshape(-1, 480)
    return np.count_nonzero(np.abs(blocks).max(axis=1) > 0.003) * 480 / rate


def pause(path):
    """Seconds of the longest pause, and the largest step from sample to sample where the sound
    before it ends and the sound after it begins."""
    pcm, rate = soundfile.read(path, dtype="float32")
    loud = np.flatnonzero(np.abs(pcm) > 0.003)
    ends = np.concatenate(([0], loud, [len(pcm)]))
    longest = np.diff(ends).argmax()
    near = round(0.02 * rate)
    steps = [
        np.abs(np.diff(pcm[max(0, at - near) : at + near])).max()
        for at in ends[longest : longest + 2]
        if 0 < at < len(pcm)
    ]
    return np.diff(ends).max() / rate, float(max(steps))


def test_a_cut_is_told_from_a_fade(tmp_path):
    hum = 0.3 * np.sin(2 * np.pi * 300 / 48_000 * np.arange(48_000))
    hum[20_040:30_040] = 0  # where the hum is at its highest
    soundfile.write(tmp_path / "cut.wav", hum, 48_000)
    assert pause(tmp_path / "cut.wav")[1] > CLICK
    hum[19_800:20_040] *= np.linspace(1, 0, 240)
    soundfile.write(tmp_path / "cut.wav", hum, 48_000)
    assert pause(tmp_path / "cut.wav")[1] > CLICK
    hum[30_040:30_280] *= np.linspace(0, 1, 240)
    soundfile.write(tmp_path / "faded.wav", hum, 48_000)
    seconds, step = pause(tmp_path / "faded.wav")
    assert seconds == pytest.approx(0.21, abs=0.01)
    assert step < CLICK


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
    sinks = ("spk_one", "spk_two")
    for attempt in range(TRIES):
        old, new = sinks[attempt % 2], sinks[1 - attempt % 2]
        monitors = [f"{SINK[name]}.monitor" for name in (old, new)]
        before = talk.stats()
        with server.record(first, monitors[0]), server.record(second, monitors[1]):
            time.sleep(0.5)
            talk.ask(f"output {new}")
            talk.wait_for("DeviceChanged", side="output", name=new)
            time.sleep(2)
        after = talk.stats()
        clicks = max(pause(first)[1], pause(second)[1])
        if clicks < CLICK:
            break
    server.hush()
    assert after["frames"] - before["frames"] > 18  # of 31: nothing stood still for long
    assert after["underruns"] >= before["underruns"]
    assert (after["microphone"], after["speaker"]) == ("mic_two", new)
    assert after["lost"] == ["", ""]
    assert spoken(first) < 1.7
    assert spoken(second) > 1.2
    assert clicks < CLICK
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
    heard = tmp_path / "heard.wav"
    server.play(tone, "mic2_sink")
    known = ASOUNDRC
    for attempt in range(TRIES):
        new = f"mic_new_{attempt}"
        known += f"pcm.{new} {{ type pulse device virtmic2 }}\n"
        rc.write_text(known)
        talk.ask("devices")
        assert new in talk.wait_for("devices")["names"]
        with server.record(heard):
            talk.until(lambda stats: stats["moshi"] > -50)
            talk.ask(f"input {new}")
            assert talk.wait_for("DeviceChanged")["name"] == new
            talk.until(loud)
            time.sleep(1.5)
        silent_s, clicks = pause(heard)
        assert silent_s < 1.5  # the speaker has to be closed for it
        if clicks < CLICK:
            break
    assert clicks < CLICK
    stats = talk.until(lambda stats: stats["moshi"] > -50)
    server.hush()
    assert stats["speaker"] == "spk_one"
    devices = [said["kind"] for said in talk.heard if said["kind"].startswith("Device")]
    assert devices == ["DeviceChanged"] * (attempt + 1)
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
