"""A talk with somebody who repeats what they hear, recorded: python -m tests.recording.echo_child
FOLDER. Says "ready" on stdout, and ends at a line on stdin.

In a process of its own, since PortAudio looks at the environment when it is loaded.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import threading
from functools import partial
from pathlib import Path

from moshi_tui.config import RecordingOptions, Settings
from moshi_tui.session import engine as engine_module
from moshi_tui.session.ends import live_ends
from moshi_tui.session.engine import Engine
from moshi_tui.session.events import Failed, RecordingStarted
from tests.session.stand_ins import parts


def main(folder):
    begun = threading.Event()

    def listen(event):
        if isinstance(event, RecordingStarted):
            begun.set()
        if isinstance(event, Failed):
            print(event.error, file=sys.stderr, flush=True)
            os._exit(1)

    engine_module.load_parts = lambda settings, tell, stopping: parts()
    settings = Settings(recording=RecordingOptions(record=True, record_folder=folder))
    engine = Engine(settings, listen, partial(live_ends, settings))
    engine.start()
    assert begun.wait(60)
    print("ready", flush=True)
    sys.stdin.readline()
    assert engine.stop(5.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
