"""Playout: what a speaker's callback does with its ring.

Shared by the real speaker and the one without a sound card, so that both count and sound alike.
"""

from __future__ import annotations

import numpy as np

from moshi_tui.audio.ring import Pcm, Ring

FADE_SECONDS = 0.005


class Playout:
    """Fills blocks from a ring; where the ring is dry it plays silence, without clicks.

    When the ring runs dry the last sample decays to zero in a straight line, and when sound comes
    back it is faded in, both over 5 ms; a flush is bridged in the same way. `fill` is called on
    the PortAudio thread: it takes no lock and allocates nothing but array views.

    Args:
        ring: `overwrite=False`; this object is its consumer.
        rate: samples a second.
    """

    def __init__(self, ring: Ring, rate: int) -> None:
        self.ring = ring
        self.underruns = 0
        """Dry spells after playing had begun, but for those that a flush or `ending` brought."""
        self.gap = 0
        """Samples of silence that these spells lasted, in all."""
        self.ending = False
        """Set by the owner once nothing more will be pushed."""
        self._length = max(1, round(FADE_SECONDS * rate))
        self._rise = np.arange(self._length, dtype=np.float32) / np.float32(self._length)
        self._fall = 1 - self._rise
        self._scratch = np.zeros(self._length, np.float32)
        self._risen = 0  # samples of the fade-in already played
        self._fallen = self._length  # samples of the decay already played
        self._last = 0.0  # the sample that decays
        self._playing = False
        self._interrupted = False
        self._flushed = 0

    @property
    def idle(self) -> bool:
        """The ring was dry at the last fill and the decay is over: only silence is playing."""
        return not self._playing and self._fallen == self._length

    def stood_still(self, samples: int) -> None:
        """`fill` was not called for so long, although there was something to play. Called on the
        PortAudio thread."""
        if self._playing and not self.ending:
            self.underruns += 1
            self.gap += samples
            self._risen = 0  # the device had nothing: what comes now comes out of silence

    def fill(self, out: Pcm) -> None:
        """Fill all of `out` [n] float32. Called on the PortAudio thread."""
        got = self.ring.pop_into(out)
        if self.ring.flushed != self._flushed:
            self._flushed = self.ring.flushed
            self._interrupted = False
            self._stop()
        if got:
            self._sound(out[:got])
        if got < len(out):
            if self._playing:
                self._stop()
                self._interrupted = not self.ending
                self.underruns += self._interrupted
            self.gap += (len(out) - got) * self._interrupted
            out[got:] = 0.0
            self._decay(out[got:])

    def _sound(self, out: Pcm) -> None:
        self._playing = True
        self._interrupted = False
        rising = min(len(out), self._length - self._risen)
        if rising:
            out[:rising] *= self._rise[self._risen : self._risen + rising]
            self._risen += rising
        self._decay(out)
        self._last = float(out[-1])

    def _stop(self) -> None:
        if self._playing:
            self._playing = False
            self._risen = 0
            self._fallen = 0

    def _decay(self, out: Pcm) -> None:
        falling = min(len(out), self._length - self._fallen)
        if falling:
            fall = self._fall[self._fallen : self._fallen + falling]
            out[:falling] += np.multiply(fall, self._last, out=self._scratch[:falling])
            self._fallen += falling
