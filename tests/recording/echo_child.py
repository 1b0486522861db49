"""A talk with somebody who repeats what they hear, recorded: python -m tests.recording.echo_child
FOLDER [CODEC]. Says "ready" on stdout. A line on stdin is a command: `input NAME`, `output NAME`
(another device), `freeze SECONDS` (the model's next step takes so long), or anything else: end.

In a process of its own, since PortAudio looks at the environment when it is loaded.

Args:
    CODEC: a Mimi file, "-" for one that gives back what it gets.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from moshi_tui.audio.devices import list_devices
from moshi_tui.codec.pocket import Pocket
from moshi_tui.config import AudioOptions, RecordingOptions, Settings
from moshi_tui.session import engine as engine_module
from moshi_tui.session.ends import live_ends
from moshi_tui.session.engine import Engine
from moshi_tui.session.events import DeviceChanged, Failed, Notice, RecordingStarted
from tests.session.stand_ins import EchoGenerator, parts


class FreezingGenerator(EchoGenerator):
    """Takes its time when it is asked to."""

    freeze_s = 0.0

    def step(self, codes):
        freeze_s, self.freeze_s = self.freeze_s, 0.0
        time.sleep(freeze_s)
        return super().step(codes)


def make_parts(codec, generator):
    made = replace(parts(), generator=generator)
    if codec == "-":
        return made
    generator.config.card = 2048
    return replace(made, encoder=Pocket.open(codec, 8), decoder=Pocket.open(codec, 8))


def main(folder, codec="-", source=None, sink=None):
    begun = threading.Event()

    def listen(event):
        match event:
            case RecordingStarted():
                begun.set()
            case DeviceChanged():
                print(f"changed {event.side}", flush=True)
            case Notice():
                print(f"notice {event.title} {event.message}", file=sys.stderr, flush=True)
            case Failed():
                print(event.error, file=sys.stderr, flush=True)
                os._exit(1)

    generator = FreezingGenerator()
    engine_module.load_parts = lambda settings, tell, stopping: make_parts(codec, generator)
    settings = Settings(
        recording=RecordingOptions(record=True, record_folder=Path(folder)),
        audio=AudioOptions(input_device=source, output_device=sink),
    )
    engine = Engine(settings, listen, partial(live_ends, settings))
    engine.start()
    assert begun.wait(60)
    print("ready", flush=True)
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "freeze":
            generator.freeze_s = float(rest[0])
        elif word in ("input", "output"):
            (device,) = (each for each in list_devices() if each.name == rest[0])
            engine.use_device(word, device)
        else:
            break
    assert engine.stop(5.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
