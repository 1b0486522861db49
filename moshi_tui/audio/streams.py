"""A microphone and a speaker: PortAudio streams, each with a ring.

Their callbacks run on PortAudio's real-time thread. They copy, count and return: no lock, no log,
nothing allocated beyond the few small objects that Python can't do without.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from moshi_tui.audio.devices import Device, Kind, alone, let_hang, load, open_streams
from moshi_tui.audio.playout import Playout
from moshi_tui.audio.ring import Ring
from moshi_tui.audio.stamps import Stamp, Stamps
from moshi_tui.errors import MoshiTuiError

log = logging.getLogger(__name__)

Latency = Literal["low", "high"]
"""What PortAudio calls so: how much the device keeps waiting, as it thinks best for either."""

BLOCK_SECONDS = 0.01
"""Length of a callback's block."""
RING_SECONDS = 4.0
STALL_SECONDS = 3.0
"""A device whose callback has not come for so long counts as failed."""
FROZEN_SECONDS = 0.25
"""A callback that comes so long after the one before has left the device with nothing to play."""
CLOSE_SECONDS = 0.45
TAIL_SECONDS = 0.02
"""Silence for a device to end with, beyond what it keeps waiting."""
RATES = (48_000, 44_100, 24_000, 16_000)
"""Tried in this order after the device's own."""

# PortAudio's errors that another rate or channel count may cure: unanticipated host error (macOS
# says this to rates that it first declared good), invalid sample rate, invalid channel count.
_WORTH_A_TRY = ((-9999,), (-9998,), (-9997,))


class Microphone:
    """Records one device into a ring, mono, at the device's rate. A `base.Source`.

    Several channels are averaged. The constructor opens the device; sound flows after `start`.
    Raises MoshiTuiError if it can't be opened.
    """

    finished = False

    def __init__(self, device: Device, *, ring_s: float = RING_SECONDS) -> None:
        self.device = device
        self.name = device.name
        self.overflows = 0
        """Times that the system said it lost input."""
        self._port = _Port("input", device, self._callback)
        self.rate = self._port.rate
        self._stamps = Stamps(self.rate, self._port.latency_s, recording=True)
        self.ring = Ring(round(self.rate * ring_s), overwrite=True)
        self._mono = np.zeros(self._port.block, np.float32)

    @property
    def latency_s(self) -> float:
        """See `base.Endpoint`."""
        return self._stamps.latency_s

    @property
    def stamp(self) -> Stamp | None:
        """See `base.Endpoint`."""
        return self._stamps.newest

    @property
    def failed(self) -> str | None:
        """One sentence if the device is gone, else None."""
        return self._port.failed

    def start(self) -> None:
        """Begin to record. Raises MoshiTuiError if the device refuses."""
        self._port.start()

    def close(self) -> None:
        """Stop for good, within 0.5 s even if the device is gone."""
        self._port.close()

    def _callback(self, data: Any, frames: int, times: Any, status: Any) -> None:
        self._port.beat = now = time.monotonic()
        latency_s = _between(times.inputBufferAdcTime, times.currentTime)
        if status and status.input_overflow:
            self.overflows += 1
        pcm = np.frombuffer(data, np.float32)
        if self._port.channels > 1:
            mono = self._mono[:frames]
            pcm = np.mean(pcm.reshape(frames, -1), axis=1, out=mono)
        self.ring.push(pcm)
        self._stamps.note(self.ring.pushed, frames, now, latency_s)


class Speaker:
    """Plays a ring on one device, at the device's rate. A `base.Sink`.

    Mono sound goes to all channels that had to be opened. The constructor opens the device; sound
    flows after `start`. Raises MoshiTuiError if it can't be opened.

    Args:
        hasty: nobody answers what it plays if False, so the device may keep more of it waiting,
            and stutters less on a busy machine.
    """

    def __init__(self, device: Device, *, ring_s: float = RING_SECONDS, hasty: bool = True) -> None:
        self.device = device
        self.name = device.name
        self.underflows = 0
        """Times that the system said our callback came too late."""
        self._port = _Port("output", device, self._callback, "low" if hasty else "high")
        self.rate = self._port.rate
        self._stamps = Stamps(self.rate, self._port.latency_s, recording=False)
        self.ring = Ring(round(self.rate * ring_s), overwrite=False)
        self._playout = Playout(self.ring, self.rate)
        self._mono = np.zeros(self._port.block, np.float32)
        self._done = load().CallbackStop
        self._tail = 0  # samples of silence after the last sound

    @property
    def underruns(self) -> int:
        """Times that the ring ran dry after playing had begun."""
        return self._playout.underruns

    @property
    def slack_s(self) -> float:
        """See `base.Sink`. The block that was taken last is still being played."""
        if self.ring.dry:
            return 0.0
        left_s = self._port.block / self.rate - (time.monotonic() - self._port.beat)
        return float(self.ring.fill / self.rate + max(0.0, left_s))

    @property
    def gap_s(self) -> float:
        """Seconds that it was dry then, in all."""
        return float(self._playout.gap / self.rate)

    @property
    def latency_s(self) -> float:
        """See `base.Endpoint`."""
        return self._stamps.latency_s

    @property
    def stamp(self) -> Stamp | None:
        """See `base.Endpoint`."""
        return self._stamps.newest

    @property
    def failed(self) -> str | None:
        """One sentence if the device is gone, else None."""
        return self._port.failed

    @property
    def _tail_s(self) -> float:
        return self.latency_s + TAIL_SECONDS

    def start(self) -> None:
        """Begin to play. Raises MoshiTuiError if the device refuses."""
        self._port.start()

    def close(self, drain: bool = False) -> None:
        """Stop for good, within 0.5 s even if the device is gone; `drain` plays the ring first."""
        if drain:
            self._playout.ending = True
            self._port.wait_until_over(self.ring.fill / self.rate + self._tail_s + 0.2)
        self._port.close()

    def _callback(self, data: Any, frames: int, times: Any, status: Any) -> None:
        now = time.monotonic()
        if now - self._port.beat > FROZEN_SECONDS:
            self._playout.stood_still(round((now - self._port.beat) * self.rate))
        self._port.beat = now
        latency_s = _between(times.currentTime, times.outputBufferDacTime)
        if status and status.output_underflow:
            self.underflows += 1
        pcm = np.frombuffer(data, np.float32)
        if self._port.channels > 1:
            mono = self._mono[:frames]
            self._playout.fill(mono)
            pcm.reshape(frames, -1)[:] = mono[:, None]
        else:
            self._playout.fill(pcm)
        self._stamps.note(self.ring.popped, frames, now, latency_s)
        if self._playout.ending and self._playout.idle:
            # What the device still holds is lost with some host APIs (ALSA on PulseAudio cuts the
            # last block): so that is silence by then.
            if self._tail >= self._tail_s * self.rate:
                raise self._done
            self._tail += frames


def _between(earlier: float, later: float) -> float:
    """Seconds between two of PortAudio's times; NaN if one is 0, as some host APIs leave them."""
    return later - earlier if earlier and later else math.nan


class _Port:
    """One PortAudio stream in one direction: opened by trial, closed in bounded time."""

    def __init__(
        self,
        kind: Kind,
        device: Device,
        callback: Callable[..., None],
        latency: Latency = "low",
    ) -> None:
        self.beat = 0.0
        """When the callback came last; written by it."""
        self._name = device.name
        self._over = threading.Event()
        self._started = False
        self._closing = False
        self._failure: str | None = None
        self._looked_at = 0.0
        self._patient_until = 0.0
        self._stream = _open(kind, device, callback, self._over.set, latency)
        self.rate = round(self._stream.samplerate)
        self.channels = int(self._stream.channels)
        self.block = int(self._stream.blocksize)
        self.latency_s = float(self._stream.latency)

    @property
    def failed(self) -> str | None:
        if not self._started or self._closing:
            return self._failure
        if self._over.is_set():
            return "It stopped by itself; was it unplugged?"
        now = time.monotonic()
        if now - self._looked_at > STALL_SECONDS / 2:
            # It is we who have stood still (the process was stopped): give the device its time.
            self._patient_until = now + STALL_SECONDS
        self._looked_at = now
        if now - self.beat > STALL_SECONDS and now > self._patient_until:
            return f"It has not moved any sound for {STALL_SECONDS:.0f} seconds."
        return None

    def start(self) -> None:
        self.beat = time.monotonic()
        self._looked_at = self.beat
        self._started = True
        try:
            with alone() as portaudio:
                try:
                    self._stream.start()
                except portaudio.PortAudioError as error:
                    raise _refused(self._name, error) from error
        except MoshiTuiError:
            self._started = False
            raise

    def wait_until_over(self, seconds: float) -> None:
        """Until the callback has ended the stream. Returns early if it was not running."""
        if self._started and not self._closing and self.failed is None:
            self._closing = True
            self._over.wait(seconds)

    def close(self) -> None:
        # PortAudio waits without limit for a sound server that hangs, so a thread does that.
        self._failure = self.failed
        self._closing = True
        stream, self._stream = self._stream, None
        if stream is None:
            return
        closer = threading.Thread(target=_close, args=(stream,), name="audio-close", daemon=True)
        closer.start()
        closer.join(CLOSE_SECONDS)
        if closer.is_alive():
            let_hang()


def _close(stream: Any) -> None:
    stream.abort()  # this is what hangs if something does, so it holds nobody else up
    while not _closed(stream):
        continue


def _closed(stream: Any) -> bool:
    """Close it when it is our turn."""
    try:
        with alone():
            stream.close()
            open_streams.discard(stream)
    except MoshiTuiError as error:
        log.warning("not closed yet: %s", error)
        return False
    return True


def _open(
    kind: Kind,
    device: Device,
    callback: Callable[..., None],
    over: Callable[[], None],
    latency: Latency,
) -> Any:
    """The first combination of rate and channels that the device takes, as a stream.

    Asking PortAudio (`check_input_settings`) is no use: macOS then refuses what it said it takes.
    """
    with alone() as portaudio:
        stream = _try_to_open(portaudio, kind, device, callback, over, latency)
        open_streams.add(stream)
        return stream


def _try_to_open(
    portaudio: Any,
    kind: Kind,
    device: Device,
    callback: Callable[..., None],
    over: Callable[[], None],
    latency: Latency,
) -> Any:
    make = portaudio.RawInputStream if kind == "input" else portaudio.RawOutputStream
    most = device.channels(kind)
    refusal: Exception | None = None
    for rate in dict.fromkeys((device.rate, *RATES)):
        for channels in sorted({1, min(2, most), most}):
            try:
                return make(
                    device=device.index,
                    samplerate=rate,
                    channels=channels,
                    dtype="float32",
                    blocksize=round(rate * BLOCK_SECONDS),
                    latency=latency,
                    callback=callback,
                    finished_callback=over,
                )
            except portaudio.PortAudioError as error:
                refusal = error
                if error.args[1:2] not in _WORTH_A_TRY:
                    raise _refused(device.name, error) from error
    assert refusal is not None
    raise _refused(device.name, refusal) from refusal


def _refused(name: str, error: Exception) -> MoshiTuiError:
    return MoshiTuiError(
        "Sound device refused",
        f"{name}: {error.args[0] if error.args else error}.",
        "Another program may be holding it. Close that, plug the device in again, or choose "
        "another one with --input-device or --output-device.",
    )
