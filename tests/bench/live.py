"""Real time on a private PulseAudio: prints the figures of the README's performance section.

    PYTHONPATH=. python tests/bench/live.py delay [--clicks 50]
    PYTHONPATH=. python tests/bench/live.py callbacks [--seconds 60]
    PYTHONPATH=. python tests/bench/live.py steady [--minutes 10]

Run it on a quiet machine.

`delay`: from the person's mouth to the person's ear, over a bare PortAudio passthrough (one duplex
stream at 24 kHz, blocks of 240 samples, its callback plays what it hears). Mouth and ear are the
two channels of one null sink, so that one recording has both on one clock. The app is the real
engine with the demo's real codec, and the user's codes for Moshi's.

That codec has random weights: a click does not come out as a click, and its hum never quite
settles. So three times are found for each click. Where it is in the left channel: where that
becomes loud. When the same place of the same frame is heard: the decoded sound around it, noted
in the process, is looked for in the right channel (highest normalised correlation of their
differences); this is the delay of the program, whatever the codec. When the codec's answer to
the click begins: where the decoded sound differs from what it would have been without that
click; codec and click are played through once more offline, from the state of that moment, with
and without it. A codec hears a frame as a whole and can begin to answer up to 80 ms before the
click's place in it, so that this third time is the codec's and not the program's.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from moshi_tui.audio.files import read_audio
from moshi_tui.audio.resample import Resampler
from moshi_tui.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from tests.bench.live_child import CLICK_LEVEL, CLICK_SECONDS, onsets
from tests.pulse import RATE, Pulse, running_pulse

ROOT = Path(__file__).parents[2]
BAR_DELAY_MS = 80 + 60
BAR_CALLBACK_MS = 1.0
LONGEST_DELAY_SECONDS = 1.0
"""Later than this no answer is looked for."""
ALIKE = 0.6
"""Correlation below which the sound was not found (frames stretched or cut just there)."""
GAP_SECONDS = 4.0
"""Between two rounds of the recorded voice, as in a talk."""
SIZE = (40, 120)
"""Rows and columns of the terminal."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("delay", help="mouth to ear")
    command.add_argument("--clicks", type=int, default=50)
    command.set_defaults(measure=delay)
    command = commands.add_parser("callbacks", help="duration of the callbacks")
    command.add_argument("--seconds", type=float, default=60)
    command.set_defaults(measure=callbacks)
    command = commands.add_parser("steady", help="underruns and lag of a long talk")
    command.add_argument("--minutes", type=float, default=10)
    command.add_argument("--seconds", type=float, help="instead of --minutes")
    command.set_defaults(measure=steady)
    options = parser.parse_args()
    try:
        with running_pulse() as pulse, tempfile.TemporaryDirectory() as folder:
            options.measure(Bench(pulse, Path(folder)), options)
    except pytest.skip.Exception as reason:
        sys.exit(str(reason))


class Bench:
    """A PulseAudio, a folder, and children that end with us."""

    def __init__(self, pulse: Pulse, folder: Path) -> None:
        self.pulse = pulse
        self.folder = folder
        homes = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CACHE", "STATE")}
        self.env = pulse.env | homes | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}

    @contextmanager
    def child(self, *words: str, **streams: Any) -> Iterator[subprocess.Popen[str]]:
        """A process of live_child.py; killed at the end if it is still there."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.live_child", *words],
            **{"env": self.env, "cwd": ROOT, "text": True, **streams},
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)

    @contextmanager
    def ready_child(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """The same, talking by pipes, once it is ready."""
        with self.child(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            if line != "ready\n":
                sys.exit(f"{words[0]} did not get ready")
            yield process

    @contextmanager
    def speaking(self, path: Path, sink: str = "mic_sink") -> Iterator[subprocess.Popen[bytes]]:
        """A person who says a sound file, to its end or as long as the `with` lasts."""
        player = self.pulse.play(path, sink)
        try:
            yield player
        finally:
            player.kill()
            player.wait(5)


def finish(process: subprocess.Popen[str]) -> str:
    """Ask a child to end; its last words."""
    out, _ = process.communicate("enough\n", timeout=120)
    if process.returncode:
        sys.exit(f"the child ended with status {process.returncode}")
    return out


def summary(name: str, ms: Any, note: str = "") -> None:
    """A line with the spread of some times."""
    values = np.asarray(ms, float)
    values = values[np.isfinite(values)]
    if not len(values):
        print(f"{name:44} nothing measured {note}")
        return
    middle, late = np.percentile(values, [50, 95])
    spread = f"min {values.min():6.1f}  95 % {late:6.1f}  max {values.max():6.1f}"
    print(f"{name:44} median {middle:6.1f} ms  {spread}  n {len(values)} {note}", flush=True)


# Delay.


def delay(bench: Bench, options: argparse.Namespace) -> None:
    """Mouth to ear, bare and through the app."""
    make_rig(bench.pulse)
    clicks = bench.folder / "clicks.wav"
    write_clicks(clicks, options.clicks)
    with bench.ready_child("passthrough") as process:
        sound = heard_both(bench, clicks)
        finish(process)
    bare = passed(sound)
    summary("bare passthrough", bare)
    taps = bench.folder / "taps.npz"
    with bench.ready_child("echo", str(taps)) as process:
        time.sleep(4)  # the start is over
        sound = heard_both(bench, clicks)
        stats = json.loads(finish(process))
    program, answer, own, told, likeness = answered(sound, taps)
    summary("app: same place of the same frame", program, f"(found at r >= {likeness:.2f})")
    summary("app: the codec's answer to the click begins", answer)
    summary("the codec's own delay, offline", own)
    # The engine counts from the end of a frame at the microphone, this from its beginning.
    summary("the engine's own figure less that, + 80 ms", told + 1000 * FRAME_SECONDS - program)
    print(f"stats: lag {stats['lag_ms']:.1f} ms, in {stats['input_latency_ms']:.1f}, "
          f"out {stats['output_latency_ms']:.1f}, margin {stats['playout_ms']:.1f}, "
          f"underruns {stats['underruns']}")  # fmt: skip
    over = np.nanmedian(program) - np.median(bare)
    print(f"app over passthrough: {over:.1f} ms; bar {BAR_DELAY_MS} ms (80 of them the frame)")


def make_rig(pulse: Pulse) -> None:
    """One null sink: left is in front of the microphone, right is the speaker."""
    both = ("channel_map=front-left,front-right", "channels=2")
    one = ("channels=1", "channel_map=mono", "remix=no")
    load = ("load-module", "module-null-sink", "sink_name=rig", f"rate={RATE}", "norewinds=1")
    pulse.control(*load, *both)
    sink = ("load-module", "module-remap-sink", "sink_name=rig_speaker", "master=rig")
    pulse.control(*sink, *one, "master_channel_map=front-right")
    source = ("load-module", "module-remap-source", "source_name=rig_mic", "master=rig.monitor")
    pulse.control(*source, *one, "master_channel_map=front-left")
    pulse.control("set-default-sink", "rig_speaker")
    pulse.control("set-default-source", "rig_mic")


def write_clicks(path: Path, count: int) -> None:
    """Bursts of noise, 0.6 to 1 s apart, on the left channel."""
    random = np.random.default_rng(1)
    starts = 1.0 + np.cumsum(random.uniform(0.6, 1.0, count))
    sound = np.zeros((round(RATE * (starts[-1] + 2)), 2), np.float32)
    for start in np.round(starts * RATE).astype(int):
        burst = random.uniform(0.5, 0.9, round(RATE * CLICK_SECONDS))
        sound[start : start + len(burst), 0] = burst * random.choice((-1, 1), len(burst))
    soundfile.write(path, sound, RATE)


def heard_both(bench: Bench, clicks: Path) -> Any:
    """Play the clicks; [n, 2] as mouth and ear had it."""
    path = bench.folder / "rig.wav"
    with bench.pulse.record(path, "rig.monitor", 2), bench.speaking(clicks, "rig") as player:
        if player.wait(600):
            sys.exit("paplay failed")
    return soundfile.read(path, dtype="float32")[0]


def passed(sound: Any) -> Any:
    """Delay in ms of each click that came through."""
    left, right = (onsets(channel, CLICK_LEVEL, RATE // 5) for channel in sound.T)
    delays = [right[right >= at][:1] - at for at in left]
    return np.array([later[0] * 1000 / RATE for later in delays if len(later)])


def answered(sound: Any, taps: Path) -> tuple[Any, Any, Any, Any, float]:
    """For each click its delays in ms, the codec's part and what the engine said (see the module);
    and the lowest correlation among them."""
    left = onsets(sound[:, 0], CLICK_LEVEL, RATE // 5)
    with np.load(taps) as saved:
        said, own, pcm, lags = saved["said"], saved["own"], saved["pcm"], saved["lags"]
        if len(saved["heard"]) != len(left):
            sys.exit(f"{len(left)} clicks were made, {len(saved['heard'])} were heard")
        if not saved["same"]:
            print("the offline codec made other codes than that of the talk")
        if saved["shed"]:
            print(f"{saved['shed']} frames were shed")
    resampler = Resampler(SAMPLE_RATE, RATE)
    fine = np.concatenate((resampler.process(pcm), resampler.flush()))
    found = [place(sound[:, 1], fine, at, 2 * int(to)) for at, to in zip(left, said, strict=True)]
    program = np.array([ms if alike >= ALIKE else np.nan for ms, alike in found])
    own_ms = own * 1000 / SAMPLE_RATE
    likeness = min((alike for _, alike in found if alike >= ALIKE), default=np.nan)
    # The first frames may have come before the engine's figures were noted.
    frames = said // FRAME_SAMPLES - (len(pcm) // FRAME_SAMPLES - len(lags))
    told = np.where(said >= 0, 1000 * lags[np.clip(frames, 0, len(lags) - 1)], np.nan)
    return program, program + own_ms, own_ms, told, likeness


def place(ear: Any, said: Any, at: int, to: int) -> tuple[float, float]:
    """How many ms after `at` sample `to` of `said` is in `ear`, and how alike the two are there."""
    before, after = 2 * FRAME_SAMPLES, 4 * FRAME_SAMPLES  # one frame, two frames
    if to < before or to + after > len(said):
        return np.nan, 0.0
    part = np.diff(said[to - before : to + after])
    room = np.diff(ear[max(0, at - before) : at + after + round(RATE * LONGEST_DELAY_SECONDS)])
    if at < before or len(room) <= len(part):
        return np.nan, 0.0
    size = 1 << (len(room) + len(part)).bit_length()
    product = np.fft.irfft(np.fft.rfft(room, size) * np.conj(np.fft.rfft(part, size)), size)
    energy = np.cumsum(np.concatenate(([0.0], np.square(room, dtype=np.float64))))
    count = len(room) - len(part) + 1
    power = np.maximum(energy[len(part) :] - energy[:count], 1e-9)
    likeness = product[:count] / np.sqrt(power * np.sum(np.square(part, dtype=np.float64)))
    best = int(np.argmax(likeness))
    return best * 1000 / RATE, float(likeness[best])


# Callbacks.


def callbacks(bench: Bench, options: argparse.Namespace) -> None:
    """How long the callbacks take while the screen draws and the demo's model runs."""
    times = bench.folder / "times.npz"
    voice = bench.folder / "voice.wav"
    write_voice(voice, options.seconds + 60)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    drain = Drain(ours)
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    try:
        with bench.child("screen", str(times), **streams) as process:
            with bench.speaking(voice):
                time.sleep(10 + options.seconds)  # it loads first
            drain.stop_counting()
            os.write(ours, b"q")
            status = process.wait(30)
    finally:
        os.close(theirs)
        drain.join()
        os.close(ours)
    if status or not times.exists():
        sys.exit(f"the program ended with status {status}:\n{drain.text[-2000:]}")
    print(f"the screen wrote {drain.count} bytes in {drain.writes} pieces")
    with np.load(times) as saved:
        for name in ("microphone", "speaker"):
            report_callbacks(name, *saved[name])


def report_callbacks(name: str, began: Any, took: Any) -> None:
    ms = 1000 * took
    middle, rare, rarest = np.percentile(ms, [50, 99, 99.9])
    verdict = "under" if rarest < BAR_CALLBACK_MS else "NOT under"
    print(f"{name:11} callbacks {len(ms)}: median {middle:.3f} ms, p99 {rare:.3f}, "
          f"p99.9 {rarest:.3f}, max {ms.max():.3f}; {verdict} {BAR_CALLBACK_MS} ms")  # fmt: skip
    # Waiting for Python's lock comes before the clock is read, so it shows only here.
    between = 1000 * np.diff(began)
    rarest = np.percentile(between, 99.9)
    print(f"{'':11} from one to the next: median {np.median(between):.2f} ms, "
          f"p99.9 {rarest:.2f}, max {between.max():.2f}")  # fmt: skip


class Drain:
    """Reads what a terminal program writes, so that it does not stop."""

    def __init__(self, terminal: int) -> None:
        self.count = 0
        self.writes = 0
        self.text = ""
        self._counting = True
        self._terminal = terminal
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop_counting(self) -> None:
        """What comes from now on belongs to the end."""
        self._counting = False

    def join(self) -> None:
        """Until the other side is closed."""
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 1 << 16)
            except OSError:  # EIO: nobody has the other side open any more
                return
            self.text = (self.text + data.decode(errors="replace"))[-20_000:]
            self.count += len(data) * self._counting
            self.writes += self._counting


# Steady.


def steady(bench: Bench, options: argparse.Namespace) -> None:
    """A long talk with the demo's model: underruns, lag, skips, a line for each minute."""
    seconds = options.seconds or 60 * options.minutes
    voice = bench.folder / "voice.wav"
    write_voice(voice, seconds + 60)
    with bench.ready_child("talk") as process, bench.speaking(voice):
        assert process.stdout is not None
        rows = []
        for line in process.stdout:
            rows.append(json.loads(line))
            if len(rows) % 60 == 0 or rows[-1]["at"] >= seconds:
                report_minute(rows)
            if rows[-1]["at"] >= seconds:
                break
        finish(process)
    report_talk(rows)


def report_minute(rows: list[dict[str, Any]]) -> None:
    start = (len(rows) - 1) // 60 * 60
    minute = rows[start:]
    lags = [row["lag_ms"] for row in minute if row["lag_ms"] is not None]
    margins = [row["playout_ms"] for row in minute]
    last = minute[-1]
    before = rows[start - 1] if start else rows[0]
    # What the first second brought is not counted, so the first row is where counting starts.
    gained = {name: last[name] - before[name] for name in COUNTED}
    spread = f"{np.median(lags):5.0f} ({min(lags):.0f} to {max(lags):.0f})" if lags else "none"
    made_up = {name: round(ms - before["skips"][name]) for name, ms in last["skips"].items()}
    made_up = {name: ms for name, ms in made_up.items() if ms}
    backlog = max(row["backlog_frames"] for row in minute)
    print(f"minute {start // 60 + 1:2}: lag {spread} ms, margin {np.median(margins):.0f} ms, "
          f"step {last['step_ms']:.0f} ms, backlog at most {backlog:.1f} frames; "
          f"{', '.join(f'{name} {value:g}' for name, value in gained.items())}; "
          f"skips {made_up or 'none'}", flush=True)  # fmt: skip


COUNTED = (
    "underruns",
    "input_overflows",
    "output_underflows",
    "dropped_input_ms",
    "dropped_output_ms",
)


def report_talk(rows: list[dict[str, Any]]) -> None:
    lags = np.array([row["lag_ms"] for row in rows[1:] if row["lag_ms"] is not None])
    underruns = rows[-1]["underruns"] - rows[0]["underruns"]
    slope = np.polyfit(np.arange(len(lags)) / 60, lags, 1)[0] if len(lags) > 2 else np.nan
    print(f"in all {rows[-1]['at']:.0f} s: {rows[0]['underruns']} underruns in the first second, "
          f"{underruns} after it (bar: 0); lag median {np.median(lags):.0f} ms, "
          f"slope {slope:+.2f} ms a minute")  # fmt: skip


def write_voice(path: Path, seconds: float) -> None:
    """A recorded voice, again and again, so long."""
    with as_file(files("moshi_tui.bench") / "speech.ogg") as ogg:
        speech = read_audio(ogg)
    gap = np.zeros(round(GAP_SECONDS * SAMPLE_RATE), np.float32)
    once = np.concatenate((speech, gap))
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, "PCM_16") as out:
        for _ in range(int(seconds * SAMPLE_RATE / len(once)) + 1):
            out.write(once)


if __name__ == "__main__":
    main()
