"""Are both sides of a recording where they were at the mouth and at the ear?

    PYTHONPATH=. python tests/bench/alignment.py [--runs 5]

A real engine on a private PulseAudio with the demo's codec and a model that repeats what it hears,
recorded. Mouth and ear are the two channels of one null sink, so that one capture of it has both on
one clock. The person chirps all the time; meanwhile the process is stopped for 0.8 s, the model
stands still for 2 s (so that frames are skipped and pauses cut), and microphone and speaker are
changed. For every piece of the recording in which there is sound, the place where it is in the
capture is looked for (highest normalised correlation). Both sides together are off by what nobody
can know: when the capture began, and how PulseAudio's clock runs. So the left side is taken as the
clock: it is told how far it is from where it was at first, and how far the right side is from it
at the same time, in each part of the talk.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from moshi_tui.audio.resample import Resampler
from moshi_tui.demo.checkpoint import CODEC, demo_file
from moshi_tui.recording.journal import read_journal
from tests.pulse import RATE, Pulse, running_pulse

ROOT = Path(__file__).parents[2]
OURS = 24_000
SECONDS = 46.0
BAR_MS = 10.0
PIECE = OURS // 4
STEP = OURS // 10
REACH = round(0.15 * OURS)
ALIKE = 0.7
LOUD = 0.003
STALL, FREEZE, MICROPHONE, SPEAKER = 8.0, 18.0, 30.0, 37.5
"""When, in seconds."""
PARTS = {
    "plain": (1.0, 8.0),
    "after a stall": (11.0, 18.0),
    "after skips": (24.0, 30.0),
    "after another microphone": (32.5, 37.5),
    "after another speaker": (40.0, 46.0),
}
"""Seconds of the chirps' file: some time after each."""

ASOUNDRC = """
pcm.!default pulse
ctl.!default pulse
pcm.mic_one { type pulse device rig_mic }
pcm.mic_two { type pulse device rig_mic2 }
pcm.spk_one { type pulse device rig_speaker }
pcm.spk_two { type pulse device rig_speaker2 }
"""


def build_rig(pulse: Pulse) -> None:
    """One null sink: its left channel is in front of both microphones, its right are both
    speakers."""
    (Path(pulse.env["HOME"]) / ".asoundrc").write_text(ASOUNDRC)
    both = ("channels=2", "channel_map=front-left,front-right")
    one = ("channels=1", "channel_map=mono", "remix=no")
    sink = ("load-module", "module-null-sink", "sink_name=rig", f"rate={RATE}", "norewinds=1")
    pulse.control(*sink, *both)
    for name in ("rig_speaker", "rig_speaker2"):
        speaker = ("module-remap-sink", f"sink_name={name}", "master=rig")
        pulse.control("load-module", *speaker, *one, "master_channel_map=front-right")
    for name in ("rig_mic", "rig_mic2"):
        microphone = ("module-remap-source", f"source_name={name}", "master=rig.monitor")
        pulse.control("load-module", *microphone, *one, "master_channel_map=front-left")


def write_chirps(path: Path, seed: int) -> None:
    """Chirps of 0.25 s up and down, each different, at intervals of 0.5 to 0.8 s."""
    random = np.random.default_rng(seed)
    sound = np.zeros((round(RATE * SECONDS), 2), np.float32)
    at = 0.3
    while at < SECONDS - 1:
        low, high = random.uniform(200, 500), random.uniform(1500, 4000)
        t = np.arange(round(0.25 * RATE)) / RATE
        sweep = np.linspace(low, high, len(t))[:: random.choice((-1, 1))]
        chirp = 0.5 * np.sin(2 * np.pi * np.cumsum(sweep) / RATE) * np.hanning(len(t))
        start = round(at * RATE)
        sound[start : start + len(chirp), 0] += chirp.astype(np.float32)
        at += random.uniform(0.5, 0.8)
    soundfile.write(path, sound, RATE)


def talk(folder: Path, seed: int) -> tuple[Path, Path]:
    """One recorded talk: the recording's folder, and the capture."""
    chirps, capture = folder / "chirps.wav", folder / "rig.wav"
    write_chirps(chirps, seed)
    codec = str(demo_file(CODEC))
    with running_pulse() as pulse:
        build_rig(pulse)
        words = ("tests.recording.echo_child", str(folder / "talks"), codec, "mic_one", "spk_one")
        child = subprocess.Popen(
            [sys.executable, "-m", *words],
            env=pulse.env | {"PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            with pulse.record(capture, "rig.monitor", 2):
                began = time.monotonic()
                player = pulse.play(chirps, "rig")
                wait_until(began + STALL)
                child.send_signal(signal.SIGSTOP)
                time.sleep(0.8)
                child.send_signal(signal.SIGCONT)
                wait_until(began + FREEZE)
                ask(child, "freeze 2")
                wait_until(began + MICROPHONE)
                ask(child, "input mic_two")
                assert child.stdout.readline() == "changed input\n"
                wait_until(began + SPEAKER)
                ask(child, "output spk_two")
                assert child.stdout.readline() == "changed output\n"
                assert player.wait(60) == 0
            child.communicate("end\n", timeout=30)
        finally:
            child.kill()
    (recording,) = (folder / "talks").iterdir()
    return recording, capture


def wait_until(moment: float) -> None:
    """By the monotonic clock."""
    time.sleep(max(0.0, moment - time.monotonic()))


def ask(child: subprocess.Popen[str], command: str) -> None:
    """A line for the process that talks."""
    assert child.stdin is not None
    child.stdin.write(f"{command}\n")
    child.stdin.flush()


def read_at_ours(path: Path) -> np.ndarray:
    """[n, 2] at 24 kHz."""
    pcm, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate == OURS:
        return pcm
    sides = []
    for side in pcm.T:
        resampler = Resampler(rate, OURS)
        tail = np.zeros(round(resampler.delay_s * rate), np.float32)
        whole = resampler.process(np.concatenate((side, tail)))
        sides.append(whole[round(resampler.delay_s * OURS) :])
    return np.stack(sides, axis=1)


def lags(side: np.ndarray, truth: np.ndarray, guess: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each piece of `side` is in `truth`, relative to its own place: places and lags in
    samples, of the pieces that are loud and were found. `guess`: about what the lag is."""
    places, found = [], []
    for start in range(0, len(side) - PIECE, STEP):
        piece = side[start : start + PIECE]
        first = start + guess - REACH
        if np.sqrt(np.mean(piece**2)) < LOUD or first < 0:
            continue
        around = truth[first : first + PIECE + 2 * REACH]
        if len(around) < PIECE + 2 * REACH:
            continue
        lag, alike = best(piece, around)
        if alike >= ALIKE:
            places.append(start)
            found.append(first + lag - start)
    return np.array(places), np.array(found)


def best(piece: np.ndarray, around: np.ndarray) -> tuple[int, float]:
    """Offset of the stretch of `around` that is most like `piece`, and how much it is."""
    size = 1 << (len(around) + len(piece) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(piece, size)), size)
    product = product[: len(around) - len(piece) + 1]
    power = np.cumsum(np.concatenate(([0.0], around.astype(np.float64) ** 2)))
    energy = power[len(piece) :] - power[: -len(piece)]
    alike = product / np.sqrt(np.maximum(energy, 1e-9) * max(float(np.sum(piece**2)), 1e-9))
    lag = int(np.argmax(alike))
    return lag, float(alike[lag])


def first_guess(side: np.ndarray, truth: np.ndarray) -> int:
    """The lag of the whole, by the envelopes."""
    hop = OURS // 200
    envelopes = []
    for pcm in (side, truth):
        count = len(pcm) // hop
        envelopes.append(np.abs(pcm[: count * hop]).reshape(count, hop).mean(axis=1))
    a, b = (envelope - envelope.mean() for envelope in envelopes)
    size = 1 << (len(a) + len(b)).bit_length()
    product = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)
    lag = int(np.argmax(product))
    return (lag if lag < size // 2 else lag - size) * hop


def measure(recording: Path, capture: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Milliseconds in each part: that the left side is off against the first part, and the right
    side against the left side's median (positive: too early in the file)."""
    sound, truth = (read_at_ours(path) for path in (recording / "audio.wav", capture))
    guess = first_guess(sound[:, 0], truth[:, 0])
    left = lags(sound[:, 0], truth[:, 0], guess)
    right = lags(sound[:, 1], truth[:, 1], guess)
    onset = int(np.flatnonzero(np.abs(truth[:, 0]) > LOUD)[0]) - round(0.3 * OURS)
    parts = {}
    origin: float | None = None
    for name, (first, last) in PARTS.items():
        sides = []
        for places, lag in (left, right):
            at = (places + lag - onset) / OURS
            sides.append(lag[(at >= first) & (at < last)].astype(float))
        clock = float(np.median(sides[0]))
        origin = clock if origin is None else origin
        parts[name] = tuple(
            (side - zero) * 1000 / OURS for side, zero in zip(sides, (origin, clock), strict=True)
        )
    return parts


def main() -> int:
    """Run, measure, print; status 1 if the right side of a part is off by more than the bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    middles = []
    for run in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            recording, capture = talk(Path(folder), run)
            parts = measure(recording, capture)
            records = list(read_journal(recording / "events.jsonl"))
        skips = sum(record["ms"] for record in records if record["type"] == "skip")
        print(f"run {run + 1}: {skips / 1000:.1f} s skipped")
        for name, (left, right) in parts.items():
            middle = float(np.median(right)) if len(right) else float("inf")
            middles.append(abs(middle))
            near = np.mean(np.abs(right) <= BAR_MS) if len(right) else 0.0
            print(
                f"  {name:<25}left {np.median(left):+5.1f} ms of {len(left):2}   "
                f"right {middle:+5.1f} ms, {near:4.0%} of {len(right):2} pieces within 10",
                flush=True,
            )
    within = sum(middle <= BAR_MS for middle in middles)
    print(
        f"right against left: median {np.median(middles):.1f} ms, worst {max(middles):.1f} ms, "
        f"{within} of {len(middles)} parts within {BAR_MS:.0f} ms"
    )
    return int(within < len(middles))


if __name__ == "__main__":
    raise SystemExit(main())
