"""The ring: sound between a real-time callback and a thread, without a lock.

One producer and one consumer share a buffer and counters that only ever grow. Each counter is
written by one side only, so nobody waits for anybody. What happens when the ring is full is chosen
when it is made:

- `overwrite=False`, for playback: `push` takes what fits and says how much; the rest is dropped
  and counted.
- `overwrite=True`, for a microphone: `push` always takes everything and the oldest is lost. The
  consumer finds out that it was lapped, skips forward and counts what it missed. The producer
  announces the samples that it is about to overwrite before it touches them, and the consumer
  looks at that announcement again after its copy: a torn copy is thrown away, never returned.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.float32]

_GUARD = 8
"""A lapped consumer also gives up 1/8 of the ring, else the producer would lap it again at once."""


class Ring:
    """A bounded single-producer, single-consumer queue of float32 samples.

    Args:
        capacity: samples it holds.
        overwrite: what happens when it is full; see the module.

    `push` and `flush` belong to the producer's thread, `pop_into` and `discard` to the consumer's;
    everything else may be read from any thread. Neither side allocates more than array views.
    """

    def __init__(self, capacity: int, *, overwrite: bool) -> None:
        if capacity < 1:
            raise ValueError(f"a ring of {capacity} samples")
        self.capacity = capacity
        self.overwrite = overwrite
        self._buffer = np.zeros(capacity, np.float32)
        self._pushed = 0  # producer: written up to here
        self._claimed = 0  # producer: being overwritten up to here, never behind _pushed
        self._refused = 0  # producer: did not fit
        self._flush_to = 0  # producer: wants the consumer to skip to here
        self._popped = 0  # consumer: taken, skipped or lost up to here
        self._lost = 0  # consumer: overwritten before it was taken
        self._flushed = 0  # consumer: skipped because of flush()
        self._skip_end = 0  # consumer: samples before this one may have been skipped
        self._dry = True  # consumer: the last pop wanted more than there was

    # The producer's side.

    def push(self, pcm: Pcm) -> int:
        """Append `pcm` [n] float32; returns how many samples were accepted. Producer only."""
        if self.overwrite:
            return self._push_all(pcm)
        free = self.capacity - (self._pushed - self._popped)
        taken = min(len(pcm), free)
        self._write(self._pushed, pcm[:taken])
        self._pushed += taken
        self._refused += len(pcm) - taken
        return taken

    def flush(self) -> None:
        """Skip everything pushed so far: the consumer does at its next pop. Producer only.

        Until then the samples still take up room.
        """
        self._flush_to = self._pushed

    def _push_all(self, pcm: Pcm) -> int:
        end = self._pushed + len(pcm)
        self._claimed = end
        newest = pcm[-self.capacity :]
        self._write(end - len(newest), newest)
        self._pushed = end
        return len(pcm)

    # The consumer's side.

    def pop_into(self, out: Pcm) -> int:
        """Move the oldest samples into `out[:returned]`. Consumer only.

        Returns how many there were: at most `len(out)`, 0 if the ring is empty. The rest of `out`
        keeps what it had (or, after a collision with the producer, samples without meaning).
        """
        if self._flush_to > self._popped:
            self._flushed += self._skip(self._flush_to)
        taken = self._pop_lapped(out) if self.overwrite else self._pop_plain(out)
        self._dry = taken < len(out)
        return taken

    def discard(self) -> int:
        """Skip everything pushed so far, now; returns how many samples. Consumer only."""
        return self._skip(self._pushed)

    def _pop_plain(self, out: Pcm) -> int:
        taken = min(len(out), self._pushed - self._popped)
        self._read(self._popped, out[:taken])
        self._popped += taken
        return taken

    def _pop_lapped(self, out: Pcm) -> int:
        while True:
            pushed = self._pushed
            oldest = self._claimed - self.capacity
            if self._popped < oldest:
                self._lost += self._skip(min(oldest + self.capacity // _GUARD, pushed))
            start = self._popped
            taken = min(len(out), pushed - start)
            if taken == 0:
                return 0
            self._read(start, out[:taken])
            if self._claimed - self.capacity <= start:
                self._popped = start + taken
                return taken

    def _skip(self, to: int) -> int:
        skipped = to - self._popped
        self._popped = self._skip_end = to
        return skipped

    # Anybody.

    @property
    def fill(self) -> int:
        """Samples that wait to be popped."""
        waiting = self._pushed - max(self._popped, self._flush_to)
        return max(0, min(waiting, self.capacity))

    @property
    def pushed(self) -> int:
        """Samples given to an `overwrite` ring, or accepted by the other kind, since the start."""
        return self._pushed

    @property
    def dry(self) -> bool:
        """The consumer has wanted more than there was, and nothing was pushed since."""
        return self._dry and self.fill == 0

    @property
    def popped(self) -> int:
        """Position of the consumer: samples that it took, skipped or lost since the start."""
        return self._popped

    def ahead(self, position: int) -> int:
        """Samples that will be played from `position` on before the next one that is pushed."""
        return max(0, self._pushed - max(position, self._flush_to))

    @property
    def dropped(self) -> int:
        """Samples lost because the ring was full (not those that were flushed or discarded)."""
        return self._refused + self._lost

    @property
    def flushed(self) -> int:
        """Samples skipped because of `flush`."""
        return self._flushed

    def latest(self, count: int) -> Pcm:
        """A copy [count] of the newest samples pushed, for a meter; zeros before the first.

        From any thread: the producer is not held up, so a few samples may be older than they seem.
        """
        return self._copy(self._pushed, count, since=0)

    def played(self, count: int) -> Pcm:
        """A copy [count] of the newest samples popped, for a meter of what is heard.

        Zeros stand for what was skipped, and for everything while the ring is dry. From any
        thread; as in `latest`, the copy may be torn.
        """
        if self._dry:
            return np.zeros(count, np.float32)
        return self._copy(self._popped, count, since=self._skip_end)

    def _copy(self, end: int, count: int, *, since: int) -> Pcm:
        copy = np.zeros(count, np.float32)
        there = max(0, min(count, end - since, self.capacity))
        self._read(end - there, copy[count - there :])
        return copy

    def _write(self, at: int, pcm: Pcm) -> None:
        start = at % self.capacity
        head = min(len(pcm), self.capacity - start)
        self._buffer[start : start + head] = pcm[:head]
        if head < len(pcm):
            self._buffer[: len(pcm) - head] = pcm[head:]

    def _read(self, at: int, out: Pcm) -> None:
        start = at % self.capacity
        head = min(len(out), self.capacity - start)
        out[:head] = self._buffer[start : start + head]
        if head < len(out):
            out[head:] = self._buffer[: len(out) - head]
