"""A talk with the demo's model on real devices, in a process of its own (PortAudio looks at the
environment when it is loaded): python -m tests.session.talk_client [INPUT [OUTPUT]]

Says one JSON object a line: events, and the numbers when asked. A line on stdin is a command:
`input NAME`, `output NAME`, `stats`, `devices`, or `end`.

Moshi hums all the time instead of talking: so that a gap is one of the speaker's, no pause.
"""

import json
import logging
import sys
import threading
import time
from dataclasses import asdict
from functools import partial

import numpy as np

from moshi_tui.audio.devices import Device, list_devices
from moshi_tui.codec.pocket import Pocket
from moshi_tui.config import AudioOptions, CheckpointOptions, SamplingOptions, Settings
from moshi_tui.frames import SAMPLE_RATE
from moshi_tui.session import loading
from moshi_tui.session.desk import Desk
from moshi_tui.session.ends import live_ends
from moshi_tui.session.engine import Engine
from moshi_tui.session.events import DeviceChanged, DeviceLost, Failed, Notice, Ready

lock = threading.Lock()


class Humming(Pocket):
    """Decodes as ever, and hums."""

    hummed = 0

    def decode(self, codes):
        at = self.hummed + np.arange(super().decode(codes).size)
        self.hummed += at.size
        return (0.3 * np.sin(2 * np.pi * 300 / SAMPLE_RATE * at)).astype(np.float32)


def say(kind, **words):
    with lock:
        print(json.dumps({"kind": kind, "at": time.time(), **words}), flush=True)


def listen(event):
    match event:
        case Ready() | DeviceChanged() | DeviceLost() | Notice():
            say(type(event).__name__, **asdict(event))
        case Failed():
            say("Failed", error=str(event.error))


def wanted(name):
    known = [device for device in list_devices() if device.name == name]
    return known[0] if known else Device(-1, name, "ALSA", 48_000, 1, 1, False, False)


def main(source=None, sink=None):
    logging.getLogger().addHandler(logging.NullHandler())  # else warnings go to stderr
    settings = Settings(
        CheckpointOptions(demo=True),
        SamplingOptions(seed=4),
        audio=AudioOptions(input_device=source, output_device=sink),
    )
    loading.load_codec = Humming.open
    engine = Engine(settings, listen, partial(live_ends, settings))
    engine.start()
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "stats":
            stats = engine.stats
            say(
                "stats",
                frames=stats.frames,
                user=stats.user.peak_db,
                moshi=stats.moshi.peak_db,
                underruns=stats.underruns,
                lag=stats.lag_ms,
                microphone=stats.microphone,
                speaker=stats.speaker,
                lost=[stats.microphone_lost, stats.speaker_lost],
                health=stats.health,
            )
        elif word == "devices":
            say("devices", names=[device.name for device in Desk().devices()])
        elif word == "end":
            break
        else:
            engine.use_device(word, wanted(rest[0]))
    began = time.monotonic()
    engine.stop(5.0)
    say("over", seconds=time.monotonic() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
