"""What tests/bench/live.py measures, each in a process of its own, since PortAudio looks at the
environment when it is loaded: python -m tests.bench.live_child passthrough|echo|screen|talk …

Each says "ready" on stdout, and ends at a line on stdin (`screen`: when the screen is left).
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import copy
import json
import sys
import threading
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from moshi_tui import cli
from moshi_tui.audio.devices import load, pick
from moshi_tui.audio.streams import Microphone, Speaker
from moshi_tui.codec.pocket import Pocket
from moshi_tui.config import CheckpointOptions, Settings
from moshi_tui.demo.checkpoint import CODEC, demo_file
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE
from moshi_tui.session import engine as engine_module
from moshi_tui.session.ends import live_ends
from moshi_tui.session.engine import Engine
from moshi_tui.session.events import Failed, Ready
from moshi_tui.session.loading import Parts
from tests.session.stand_ins import EchoGenerator, NumberText

CLICK_LEVEL = 0.1
"""What is louder is a click."""
CLICK_APART = SAMPLE_RATE // 5
CLICK_SECONDS = 0.01
CHANGE = 0.003
"""A change of the codec's output above this counts as the beginning of its answer."""
CALLBACKS = 200_000
"""Room for the times of so many: half an hour."""


def say(word):
    print(word, flush=True)


def passthrough():
    """One duplex stream at 24 kHz whose callback plays the block that it hears."""

    def callback(heard, played, frames, times, status):
        played[:] = heard[:]

    stream = load().RawStream(
        device=(pick("input", None).index, pick("output", None).index),
        samplerate=SAMPLE_RATE,
        channels=1,
        dtype="float32",
        blocksize=240,
        latency="low",
        callback=callback,
    )
    with stream:
        say("ready")
        sys.stdin.readline()


# The whole app with an echo for a model.


class Tap:
    """A codec that notes what goes through it."""

    def __init__(self, codec):
        self._codec = codec
        self.name, self.n_q, self.cardinality = codec.name, codec.n_q, codec.cardinality
        self.pcm = []
        self.codes = []

    def encode(self, pcm):
        codes = self._codec.encode(pcm)
        self._note(pcm, codes)
        return codes

    def decode(self, codes):
        pcm = self._codec.decode(codes)
        self._note(pcm, codes)
        return pcm

    def reset(self):
        self._codec.reset()

    def _note(self, pcm, codes):
        self.pcm.append(np.array(pcm))
        self.codes.append(np.array(codes))


def echo(path):
    """The engine with real ends and the demo's real codec; Moshi says the user's codes."""
    mimi = demo_file(CODEC)
    encoder, decoder = Tap(Pocket.open(mimi, 8)), Tap(Pocket.open(mimi, 8))
    parts = Parts(
        files=SimpleNamespace(label="echo"),
        generator=EchoGenerator(),
        text=NumberText(),
        encoder=encoder,
        decoder=decoder,
        device="CPU",
    )
    engine_module.load_parts = lambda settings, tell, stopping: parts
    engine = start(Settings())
    lags = noted(engine)
    sys.stdin.readline()
    stats = engine.stats
    assert engine.stop(5.0)
    say(json.dumps(as_numbers(stats)))
    np.savez(path, **taken(mimi, encoder, decoder), lags=lags)


def noted(engine):
    """The lag of every frame from now on, as the engine has it, in seconds."""
    lags = []
    add = engine._shared.lag.add

    def note(seconds):
        lags.append(seconds)
        add(seconds)

    engine._shared.lag.add = note
    return lags


def taken(mimi, encoder, decoder):
    """What the taps have seen, in samples of 24 kHz.

    heard: where each click was in what was encoded. said: where the sample of the same place in the
    same frame was in what was decoded, -1 if the frame was shed. own: by how many samples the
    codec's answer to each click begins later than that (it can be earlier, see `own_delays`).
    """
    pcm, codes = np.concatenate(encoder.pcm), np.concatenate(encoder.codes, axis=1)
    heard = onsets(pcm, CLICK_LEVEL, CLICK_APART)
    order = matches(codes, np.concatenate(decoder.codes, axis=1))
    said = [
        order[at // FRAME_SAMPLES] * FRAME_SAMPLES + at % FRAME_SAMPLES
        if at // FRAME_SAMPLES in order
        else -1
        for at in heard
    ]
    own, same = own_delays(mimi, pcm, codes, heard)
    sound = np.concatenate(decoder.pcm)
    shed = codes.shape[1] - len(order)
    return {"heard": heard, "said": said, "own": own, "pcm": sound, "shed": shed, "same": same}


def onsets(pcm, level, apart):
    """Where `pcm` becomes louder than `level` after a rest of `apart` samples."""
    loud = np.flatnonzero(np.abs(pcm) > level)
    return loud[np.diff(loud, prepend=-(10**9)) > apart]


def matches(encoded, decoded):
    """For each encoded frame that was decoded, its number there (frames may have been shed)."""
    order, at = {}, 0
    for number in range(decoded.shape[1]):
        later = np.flatnonzero((encoded[:, at:] == decoded[:, number, None]).all(axis=0))
        if len(later):
            at += int(later[0])
            order[at] = number
            at += 1
    return order


def own_delays(mimi, pcm, codes, clicks, frames=4):
    """The codec's own delay for each click, in samples: encode and decode, with it and without.

    The weights are random, so a click does not come out as one: what counts is where the output
    begins to differ from what it would have been without the click. A codec works on whole
    frames, so that can be earlier than the click's place in its frame, by up to 80 ms.

    Also returns whether the codes were those of the talk (else something else than the codec is
    between its ends).
    """
    encoder, decoder = Pocket.open(mimi, 8), Pocket.open(mimi, 8)
    own = np.full(len(clicks), np.nan)
    same = True
    blocks = pcm.reshape(-1, FRAME_SAMPLES)
    starts = {int(at) // FRAME_SAMPLES: i for i, at in enumerate(clicks)}
    for number, block in enumerate(blocks):
        if number in starts and number + frames <= len(blocks):
            i = starts[number]
            first = number * FRAME_SAMPLES
            whole = pcm[first : first + frames * FRAME_SAMPLES]
            without = whole.copy()
            at = int(clicks[i]) - first
            without[max(0, at - 48) : at + round((CLICK_SECONDS + 0.004) * SAMPLE_RATE)] = 0
            with_it, without_it = (through(encoder, decoder, sound) for sound in (whole, without))
            changed = np.flatnonzero(np.abs(with_it - without_it) > CHANGE)
            if len(changed):
                own[i] = changed[0] - at
        made = encoder.encode(block)
        decoder.decode(made)
        same &= bool((made[:, 0] == codes[:, number]).all())
    return own, same


def through(encoder, decoder, pcm):
    """`pcm` through copies of both."""
    encoder, decoder = copy.deepcopy(encoder), copy.deepcopy(decoder)
    blocks = pcm.reshape(-1, FRAME_SAMPLES)
    return np.concatenate([decoder.decode(encoder.encode(block)) for block in blocks])


def start(settings):
    """An engine that talks; says "ready". Ends the process if it fails."""
    ready = threading.Event()

    def listen(event):
        if isinstance(event, Ready):
            ready.set()
        if isinstance(event, Failed):
            print(event.error, file=sys.stderr, flush=True)
            os._exit(1)

    engine = Engine(settings, listen, partial(live_ends, settings))
    engine.start()
    assert ready.wait(120), "the engine does not get ready"
    say("ready")
    return engine


def as_numbers(stats):
    """A snapshot as JSON can take it, without the levels."""
    flat = asdict(stats)
    return {name: value for name, value in flat.items() if name not in ("user", "moshi")}


# The demo.


def talk():
    """The engine with the demo's model; once a second a line of JSON with its numbers."""
    engine = start(Settings(CheckpointOptions(demo=True)))
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), over.set()), daemon=True).start()
    while engine.stats.elapsed_s == 0 and not over.wait(0.01):
        pass
    began = time.monotonic()
    seconds = 0
    while not over.wait(max(0.0, began + seconds + 1 - time.monotonic())):
        seconds += 1
        say(json.dumps({"at": time.monotonic() - began, **as_numbers(engine.stats)}))
    assert engine.stop(5.0)


def screen(path):
    """The whole program with `--demo`; then the times of all callbacks go to `path`."""
    times = {"microphone": timed(Microphone), "speaker": timed(Speaker)}
    status = cli.main(["--demo"])
    save(Path(path), times)
    sys.exit(status)


def timed(kind):
    """Let a class note when each of its callbacks began and how long it took: [2, n] and n."""
    times = np.zeros((2, CALLBACKS))
    count = [0]
    callback = kind._callback
    clock = time.perf_counter

    def wrapped(self, *args):
        began = clock()
        try:
            callback(self, *args)
        finally:
            at = count[0]
            if at < CALLBACKS:
                times[0, at] = began
                times[1, at] = clock() - began
                count[0] = at + 1

    kind._callback = wrapped
    return times, count


def save(path, times):
    np.savez(path, **{name: table[:, : count[0]] for name, (table, count) in times.items()})


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
