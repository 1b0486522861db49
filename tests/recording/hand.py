"""A recorder that is fed by hand, and by itself: python -m tests.recording.hand FOLDER records
until it is killed, and says on stdout up to which second it has told the recorder."""

import sys
import threading
import time
from pathlib import Path

import numpy as np

from moshi_tui.recording.codes import CodedStep
from moshi_tui.recording.files import Contents
from moshi_tui.recording.recorder import Recorder, Wishes

BLOCK = 1920
N_USER, N_MOSHI = 8, 8


class Told:
    """What a recorder has told."""

    def __init__(self):
        self.started = []
        self.stopped = []
        self.gaps = []
        self.threads = set()
        self.closing = []
        self.frame = 0
        self._over = threading.Event()

    def begin(self, base, *, raw=False, before=(), lag=None, **options):
        lag = lag or {"lag_ms": 100.0}
        wishes = Wishes(
            header=lambda: {"seed": 7},
            describe=lambda event, at: [{"at": at, "frame": self.frame, **event}],
            numbers=lambda: {"frame": self.frame, "type": "lag", **lag},
            frame=lambda: self.frame,
            started=self.started.append,
            stopped=self._stop,
            gaps=self.gaps.append,
            close=lambda: self.closing,
        )
        return Recorder(base, Contents(N_USER, N_MOSHI, raw, before), wishes, **options)

    def wait(self, seconds=10):
        assert self._over.wait(seconds)
        (outcome,) = self.stopped
        return outcome

    def _stop(self, *outcome):
        self.threads.add(threading.current_thread().name)
        self.stopped.append(outcome)
        self._over.set()


def text(words):
    return {"type": "text", "token": 1, "text": words, "begins": True}


def rows(number, *, epoch=0, seed=7):
    """One step as the row of codes.npy; nothing is said in the first two."""
    user, moshi = np.full(N_USER, number % 2048), np.full(N_MOSHI, (number + 5) % 2048)
    step = CodedStep(epoch, number, seed, number, 1, user, None if number < 2 else moshi)
    return step.row(N_MOSHI)[None]


def main(base):
    recorder = Told().begin(base, raw=True)
    block, raw = np.full(BLOCK, 0.5, np.float32), np.full(BLOCK, 0.75, np.float32)
    fed = 0
    while True:
        at = recorder.origin + fed * 0.08
        time.sleep(max(0.0, at + 0.08 - time.monotonic()))
        recorder.heard(at, block, raw)
        recorder.played(at + 0.2, block)
        recorder.note(text(f" word {fed}"))
        recorder.coded(rows(fed))
        fed += 1
        print(fed * 0.08, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
