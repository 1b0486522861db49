"""The live ends: frames from a microphone, sound to a speaker, and when either is at the air."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from moshi_tui.audio.base import Sink as SpeakerLike
from moshi_tui.audio.base import Source as MicrophoneLike
from moshi_tui.audio.levels import Level, measure
from moshi_tui.audio.resample import Resampler
from moshi_tui.audio.ring import Pcm
from moshi_tui.demo.user import DemoUser
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from moshi_tui.session.endpoints import Frame

LEVEL_SECONDS = 0.1
"""How much of the newest sound a meter looks at."""

WAIT_SECONDS = 0.15
"""How long `read` waits for a frame before it lets its caller look around."""

FADE_SECONDS = 0.005
"""Fade-in of the first frame after a gap: a step would be a click to the codec."""

_RISE = np.linspace(0.0, 1.0, round(FADE_SECONDS * SAMPLE_RATE), endpoint=False, dtype=np.float32)


class LiveSource:
    """Frames from a microphone's ring, at 24 kHz.

    Args:
        microphone: its ring is consumed here.
        user: who speaks into it, if that is known and no person.
        clock: the session's, in seconds; the same that stamps the microphone's sound.
    """

    live = True
    ended = False

    def __init__(
        self,
        microphone: MicrophoneLike,
        *,
        user: DemoUser | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = microphone.name
        self.device = microphone.device
        self.rate = microphone.rate if microphone.device is not None else None
        self._microphone = microphone
        self._user = user
        self._clock = clock
        rate = microphone.rate
        self._resampler = Resampler(rate, SAMPLE_RATE)
        self._block = np.zeros(max(1, rate // 100), np.float32)
        self._pcm = np.zeros(0, np.float32)  # at 24 kHz, not handed out yet
        self._spliced = False  # what is in _pcm does not follow what was handed out
        self._skip = 0  # samples of the ring that are to be left out first
        self._lost_s = 0.0  # before _pcm
        self._cut_s = 0.0  # lost here and not in the ring, of the whole talk

    @property
    def silent_from_here(self) -> bool:
        """A file that stands for the microphone has been heard to its end."""
        return self._microphone.finished and self._microphone.ring.fill == 0

    @property
    def patient(self) -> bool:
        """See `FrameSource`."""
        return self._user is not None

    def meet(self, moshi: Callable[[], Level], tell: Callable[[str], None]) -> None:
        """The user hears Moshi; a person does without us."""
        if self._user is not None:
            self._user.meet(lambda: moshi().rms_db, tell)

    def start(self) -> None:
        """Open the microphone."""
        self._microphone.start()

    def read(self, stop: threading.Event, most: int = 1) -> list[Frame]:
        """The next frame or frames; sleeps as long as the missing samples take to arrive."""
        deadline = self._clock() + WAIT_SECONDS
        while not (frames := self._collect(most)):
            if self._microphone.failed:
                raise MoshiTuiError(
                    "The microphone has failed",
                    f"{self.name}: {self._microphone.failed}",
                    "Check the device, then start again; --input-device names another one.",
                )
            missing = (FRAME_SAMPLES - len(self._pcm)) / SAMPLE_RATE - self._in_ring_s()
            if stop.wait(max(0.002, missing)) or self._clock() > deadline:
                return []
        return frames

    def _collect(self, most: int) -> list[Frame]:
        """The frames that can be had now, at most so many."""
        frames: list[Frame] = []
        while len(frames) < most:
            while len(self._pcm) < FRAME_SAMPLES:
                if not self._pop():
                    return frames
            frames.append(self._take())
        return frames

    def _pop(self) -> bool:
        """Move a block from the ring; was there anything?"""
        ring = self._microphone.ring
        before = ring.dropped
        got = ring.pop_into(self._block)
        if ring.dropped != before:
            begun_s = len(self._pcm) / SAMPLE_RATE
            self._cut_s += begun_s
            self._lost_s += begun_s + (ring.dropped - before) / self._microphone.rate
            self._splice(ring.popped - got)
        if got:
            block = self._block[min(got, self._skip) : got].copy()
            self._skip -= min(got, self._skip)
            self._pcm = np.concatenate((self._pcm, self._resampler.process(block)))
        return got > 0

    def _take(self) -> Frame:
        pcm, self._pcm = self._pcm[:FRAME_SAMPLES], self._pcm[FRAME_SAMPLES:]
        if self._spliced:
            pcm[: len(_RISE)] *= _RISE
        lost = round(self._lost_s / FRAME_SECONDS)
        self._spliced, self._lost_s = False, 0.0
        return Frame(pcm, self._captured_at(), lost)

    def _captured_at(self) -> float:
        """When the sample before those in `_pcm` was at the microphone."""
        ring, rate = self._microphone.ring, self._microphone.rate
        behind_s = len(self._pcm) / SAMPLE_RATE + self._resampler.delay_s
        stamp = self._microphone.stamp
        if stamp is None:
            return self._clock() - behind_s - ring.fill / rate - self._microphone.latency_s
        position, at = stamp
        return at + (ring.popped - position) / rate - behind_s

    def _splice(self, position: int) -> None:
        """What comes next, from `position` of the ring on, does not follow what came before."""
        self._pcm = self._pcm[:0]
        self._resampler.reset()  # else the old sound would ring on into the new
        self._spliced = True
        # Sound comes in blocks of 10 ms. Frames shall end, and have come through the resampler,
        # just as one arrives; else each would wait for the next block, 8 ms at 48 kHz.
        held = round(self._resampler.delay_s * self._microphone.rate)
        self._skip = -(position + held) % len(self._block)

    def _in_ring_s(self) -> float:
        return self._microphone.ring.fill / self._microphone.rate

    def discard(self) -> None:
        """Forget what waits to be read."""
        ring = self._microphone.ring
        ring.discard()
        self._splice(ring.popped)
        self._lost_s = 0.0

    def lose(self) -> None:
        """Leave out what waits to be read; it counts as lost."""
        ring = self._microphone.ring
        left_out_s = len(self._pcm) / SAMPLE_RATE + ring.discard() / self._microphone.rate
        self._cut_s += left_out_s
        self._lost_s += left_out_s
        self._splice(ring.popped)

    def waiting_s(self) -> float:
        """Seconds of sound that wait to be read."""
        return self._in_ring_s() + len(self._pcm) / SAMPLE_RATE

    def dropped_s(self) -> float:
        """Seconds of sound lost because nobody read them in time."""
        return self._microphone.ring.dropped / self._microphone.rate + self._cut_s

    def overflows(self) -> int:
        """Times that the system said it lost input before we saw it."""
        return self._microphone.overflows

    def latency_s(self) -> float:
        """The device's and the resampler's."""
        return self._microphone.latency_s + self._resampler.delay_s

    def level(self) -> Level:
        """Loudness of the newest moment in the ring."""
        rate = self._microphone.rate
        return measure(self._microphone.ring.latest(round(rate * LEVEL_SECONDS)))

    def close(self) -> None:
        """Close the microphone."""
        self._microphone.close()


class LiveSink:
    """Sound to a speaker's ring, at its own rate.

    Args:
        speaker: its ring is filled here.
        clock: the session's, in seconds; the same that stamps the speaker's sound.
    """

    def __init__(
        self, speaker: SpeakerLike, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = speaker.name
        self.device = speaker.device
        self.rate = speaker.rate if speaker.device is not None else None
        self._speaker = speaker
        self._clock = clock
        self._resampler = Resampler(SAMPLE_RATE, speaker.rate)
        self._flowing = False  # something was pushed since the resampler began

    def start(self) -> None:
        """Open the speaker."""
        self._speaker.start()

    def write(self, pcm: Pcm) -> float:
        """Queue `pcm`; returns in how many seconds its first sample will be heard."""
        if self._speaker.failed:
            raise MoshiTuiError(
                "The speaker has failed",
                f"{self.name}: {self._speaker.failed}",
                "Check the device, then start again; --output-device names another one.",
            )
        ahead_s = self._ahead_s()
        if self._flowing and self._speaker.ring.dry:
            self._resampler.reset()  # else the end of the sound before the gap would come after it
            self._flowing = False
        sound = self._resampler.process(pcm)
        self._flowing = self._flowing or len(sound) > 0
        self._speaker.ring.push(sound)
        return ahead_s

    def _ahead_s(self) -> float:
        """From now until the air, for the next sample that is written."""
        speaker = self._speaker
        waiting_s = self.waiting_s()
        stamp = speaker.stamp
        if stamp is None:
            return waiting_s + speaker.latency_s + self._resampler.delay_s
        position, at = stamp
        ahead_s = at + speaker.ring.ahead(position) / speaker.rate - self._clock()
        # Of a callback that is late we know only that what waits will be played first.
        return max(waiting_s, ahead_s) + self._resampler.delay_s

    def flush(self) -> None:
        """Forget what has not been played yet."""
        self._speaker.ring.flush()
        self._resampler.reset()

    def waiting_s(self) -> float:
        """Seconds of sound in the ring."""
        return self._speaker.ring.fill / self._speaker.rate

    def underruns(self) -> int:
        """Times that there was nothing to play."""
        return self._speaker.underruns

    def slack_s(self) -> float:
        """Seconds until the ring runs dry if nothing is written; 0 while it is."""
        return self._speaker.slack_s

    def gap_s(self) -> float:
        """Seconds that these times lasted, in all."""
        return self._speaker.gap_s

    def underflows(self) -> int:
        """Times that the system said we came too late for it."""
        return self._speaker.underflows

    def latency_s(self) -> float:
        """The device's and the resampler's."""
        return self._speaker.latency_s + self._resampler.delay_s

    def dropped_s(self) -> float:
        """Seconds of sound that did not fit."""
        return self._speaker.ring.dropped / self._speaker.rate

    def level(self) -> Level:
        """Loudness of what was played last."""
        rate = self._speaker.rate
        return measure(self._speaker.ring.played(round(rate * LEVEL_SECONDS)))

    def close(self, *, drain: bool) -> None:
        """Close the speaker."""
        self._speaker.close(drain=drain)
