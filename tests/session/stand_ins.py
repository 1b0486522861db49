"""A codec and a model that give back what they get; a microphone and a speaker under control."""

import threading
import time
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from moshi_tui.audio.levels import Level
from moshi_tui.frames import FRAME_SAMPLES
from moshi_tui.model.generate import Step
from moshi_tui.session.endpoints import Frame
from moshi_tui.session.loading import Parts

CARD = 100_000


class Memory:
    """What the pair of codecs shares: the sound behind every code."""

    def __init__(self):
        self.sounds = []
        self.encoded = []
        """Frames of each call."""
        self.decoded = []


class StoringCodec:
    """Encoding stores the frame under the next number, decoding finds it again."""

    name = "storing"
    n_q = 8
    cardinality = CARD

    def __init__(self, memory):
        self.memory = memory
        self.resets = 0

    def encode(self, pcm):
        frames = np.array(pcm).reshape(-1, FRAME_SAMPLES)
        first = len(self.memory.sounds)
        self.memory.sounds.extend(frames)
        self.memory.encoded.append(len(frames))
        numbers = np.arange(first, first + len(frames), dtype=np.uint32)
        return np.repeat(numbers[None], 8, axis=0)

    def decode(self, codes):
        assert codes.shape[0] == 8
        self.memory.decoded.append(codes.shape[1])
        return np.concatenate([self.memory.sounds[int(code)] for code in codes[0]])

    def reset(self):
        self.resets += 1


class EchoGenerator:
    """Says what it hears, `delay - 1` steps later, and the number of the step as its text."""

    def __init__(self, delay=1, step_seconds=0.0):
        self.config = SimpleNamespace(n_user=8, dep_q=8, max_delay=delay, context=100, card=CARD)
        self.model = SimpleNamespace(quantisation="f32")
        self.seed = 1
        self.resets = 0
        self.context_used = 0
        self._step_seconds = step_seconds
        self._late = deque()

    def step(self, codes):
        time.sleep(self._step_seconds)
        self.context_used += 1
        self._late.append(np.array(codes))
        ready = len(self._late) >= self.config.max_delay
        return Step(self.context_used, self._late.popleft() if ready else None)

    def reset(self):
        self.resets += 1
        self.context_used = 0
        self._late.clear()


class NumberText:
    """The token itself, as text."""

    def __init__(self):
        self.resets = 0

    def push(self, token):
        return f" {token}"

    def flush(self):
        return ""

    def reset(self):
        self.resets += 1


def parts(**generator):
    memory = Memory()
    return Parts(
        files=SimpleNamespace(label="echo", moshi=Path(__file__)),
        generator=EchoGenerator(**generator),
        text=NumberText(),
        encoder=StoringCodec(memory),
        decoder=StoringCodec(memory),
        device="CPU",
    )


class HandSource:
    """The test hands it the frames. `live`: whether they can wait."""

    name = "hand"
    device = None
    rate = None
    live = False
    ended = False
    silent_from_here = False
    patient = False

    def __init__(self):
        self.frames = deque()
        self.closed = 0
        self.discards = 0
        self.lost = 0
        self.error = None
        self.age_s = 0.0

    def start(self):
        pass

    def meet(self, moshi, tell):
        self.met = moshi, tell

    def feed(self, value, count=1):
        self.frames.extend(np.full(FRAME_SAMPLES, value, np.float32) for _ in range(count))

    def read(self, stop: threading.Event, most=1):
        if self.error:
            raise self.error
        if not self.frames:
            stop.wait(0.005)
            return []
        count = min(most, len(self.frames))
        at = time.monotonic() - self.age_s
        return [Frame(self.frames.popleft(), at) for _ in range(count)]

    def discard(self):
        self.discards += 1
        self.frames.clear()

    def lose(self):
        self.lost += len(self.frames)
        self.frames.clear()

    def waiting_s(self):
        return 0.08 * len(self.frames)

    def dropped_s(self):
        return 0.0

    def latency_s(self):
        return 0.012

    def overflows(self):
        return 0

    def level(self):
        return Level()

    def close(self):
        self.closed += 1


class EarSink:
    """Keeps what it is given."""

    name = "ear"
    device = None
    rate = None

    def __init__(self):
        self.played = []
        self.pcm = []
        self.gap = 0.0
        self.flushes = 0
        self.error = None
        self.closed = 0

    def start(self):
        pass

    def write(self, pcm):
        if self.error:
            raise self.error
        if not len(pcm):
            return 0.0
        self.played.append(float(pcm[len(pcm) // 2]))
        self.pcm.append(pcm)
        return 0.0

    def flush(self):
        self.flushes += 1
        self.played.append("flush")

    def waiting_s(self):
        return 0.0

    def underruns(self):
        return 0

    def slack_s(self):
        return self.waiting_s()

    def gap_s(self):
        return self.gap

    def underflows(self):
        return 0

    def latency_s(self):
        return 0.034

    def dropped_s(self):
        return 0.0

    def level(self):
        return Level()

    def close(self, *, drain):
        self.closed += 1
