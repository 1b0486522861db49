"""A recorder that is fed by hand, and by itself: python -m tests.recording.hand FOLDER records
until it is killed, and says on stdout up to which second it has told the recorder."""

import sys
import threading
import time
from pathlib import Path

import numpy as np

from moshi_tui.recording.recorder import Recorder, Wishes

BLOCK = 1920


class Told:
    """What a recorder has told."""

    def __init__(self):
        self.started = []
        self.stopped = []
        self.gaps = []
        self.threads = set()
        self.closing = []
        self._over = threading.Event()

    def begin(self, base, **options):
        wishes = Wishes(
            header=lambda: {"seed": 7},
            describe=lambda event, at: [{"at": at, "frame": 0, **event}],
            numbers=lambda: {"type": "lag", "frame": 0, "lag_ms": 100.0},
            started=self.started.append,
            stopped=self._stop,
            gaps=self.gaps.append,
            close=lambda: self.closing,
        )
        return Recorder(base, wishes, **options)

    def wait(self):
        assert self._over.wait(10)
        (outcome,) = self.stopped
        return outcome

    def _stop(self, *outcome):
        self.threads.add(threading.current_thread().name)
        self.stopped.append(outcome)
        self._over.set()


def text(words):
    return {"type": "text", "token": 1, "text": words, "begins": True}


def main(base):
    recorder = Told().begin(base)
    block = np.full(BLOCK, 0.5, np.float32)
    fed = 0
    while True:
        at = recorder.origin + fed * 0.08
        time.sleep(max(0.0, at + 0.08 - time.monotonic()))
        recorder.heard(at, block)
        recorder.played(at + 0.2, block)
        recorder.note(text(f" word {fed}"))
        fed += 1
        print(fed * 0.08, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
