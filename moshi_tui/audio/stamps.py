"""When the samples of a ring are at the air: PortAudio's time stamps, made fit for use.

PortAudio tells each callback its own time and the time at which the block's first sample was at the
microphone or will be at the speaker. Its clock need not be ours (ALSA: the wall clock), so only
differences are used. They are noisy: under PulseAudio a microphone's swing by 20 ms, leap by 40 ms
for single blocks and stick at 0, while the blocks themselves come within 1 ms of their time. And
they err to one side: blocks seem older than they are, by 5 ms as a rule, by 28 at worst, hardly
ever younger (a speaker's are right within 1 ms). So of a microphone the latest of the recent
moments is believed: that is right within 7 ms (nine talks, clicks heard by another ear).
"""

from __future__ import annotations

Stamp = tuple[int, float]
"""A position in a ring, and the moment (seconds, session clock) at which the sample that is, or
will be, there was or will be at the air."""

MOST_SECONDS = 1.0
"""More between a callback and the air is not believed."""
SMOOTHING = 16
"""Blocks (0.16 s) after which 63 % of a change is followed."""
JUMP_SECONDS = 0.1
"""A change above this is followed at once: the device has stood still, or lost sound."""

_LATER = 0.005
"""Of a microphone's moment that is later than believed, so much counts: a callback may be late."""
_EARLIER = 0.3e-3
"""An earlier one is followed by so much in a second, as its clock may drift against ours."""
_FAR = 0.04
_FAR_SECONDS = 2.0
"""Unless all have been this much earlier for so long."""


class Stamps:
    """The newest stamp of one stream. One thread, the callback's, writes; any may read.

    Args:
        rate: samples a second.
        stated_s: the latency that the system states; used where it tells no plausible times.
        recording: a microphone; otherwise a speaker.
    """

    def __init__(self, rate: int, stated_s: float, *, recording: bool) -> None:
        self.newest: Stamp | None = None
        """None before the first callback."""
        self.latency_s = stated_s
        """Between the callback and the moment when its block's first sample was or will be at the
        air: measured and smoothed once there was a callback, as stated before."""
        self._rate = rate
        self._stated_s = stated_s
        self._recording = recording
        self._frames = 0  # moved by all callbacks
        self._origin = 0.0  # when sample 0 would have been at the air, had nothing ever stood still
        self._far_s = 0.0  # for how long a microphone's moments have been much earlier

    def note(self, position: int, frames: int, now: float, latency_s: float) -> None:
        """Called at the end of each callback, on the PortAudio thread.

        Args:
            position: where the ring stands after the block: the sample that comes next.
            frames: length of the block.
            now: the session's clock as the callback began.
            latency_s: what PortAudio tells, as in `latency_s` above; any float, NaN if it does not.
        """
        # A block can't have come before its last sample was spoken, nor have been played before it
        # was asked for.
        least_s = frames / self._rate if self._recording else 0.0
        if not 0.0 <= latency_s <= MOST_SECONDS:  # NaN as well
            latency_s = self._stated_s
        latency_s = max(latency_s, least_s)
        first_at = now - latency_s if self._recording else now + latency_s
        origin = first_at - self._frames / self._rate
        if self.newest is None or abs(origin - self._origin) > JUMP_SECONDS:
            self._origin = origin
            self.latency_s = latency_s
        else:
            # The sound's own time is steadier than the callbacks', so it is what is smoothed.
            self._follow(origin, frames / self._rate)
            if self._recording:
                latency_s = now - self._origin - self._frames / self._rate
            self.latency_s += (latency_s - self.latency_s) / SMOOTHING
        self._frames += frames
        self.newest = (position, self._origin + self._frames / self._rate)

    def _follow(self, origin: float, block_s: float) -> None:
        """Let the origin go where this block's seems to be."""
        change = origin - self._origin
        if not self._recording:
            self._origin += change / SMOOTHING
        elif change >= 0:
            self._origin += min(change, _LATER) / SMOOTHING
        else:
            self._origin += max(change, -_EARLIER * block_s)
        self._far_s = self._far_s + block_s if self._recording and change < -_FAR else 0.0
        if self._far_s > _FAR_SECONDS:
            self._origin = origin
