"""Uses the real PortAudio in a process of its own: python pulse_client.py hear|say|refuse|stop …

PortAudio looks at the environment when it is loaded; see tests/pulse.py.
"""

import sys
import time

import numpy as np

from moshi_tui.audio import streams
from moshi_tui.audio.devices import list_devices, load, pick
from moshi_tui.audio.quiet import redirect_c_stderr
from moshi_tui.audio.streams import Microphone, Speaker
from moshi_tui.errors import MoshiTuiError


def report(*words):
    print(*words, flush=True)


def names():
    report(*(device.name for device in list_devices()))


def hear(path):
    """Record until a line comes on stdin, then write rate and samples."""
    mic = Microphone(pick("input", None))
    mic.start()
    while mic.ring.pushed == 0:
        time.sleep(0.01)
    report("ready")
    sys.stdin.readline()
    pcm = np.zeros(mic.ring.fill, np.float32)
    mic.ring.pop_into(pcm)
    mic.close()
    np.savez(path, rate=mic.rate, pcm=pcm)


def say(hertz, seconds):
    """Play a tone to its end."""
    speaker = Speaker(pick("output", None))
    at = np.arange(round(float(seconds) * speaker.rate)) / speaker.rate
    speaker.ring.push((0.5 * np.sin(2 * np.pi * float(hertz) * at)).astype(np.float32))
    speaker.start()
    speaker.close(drain=True)
    report(speaker.underruns, speaker.failed)


def refuse(log):
    """Make PortAudio and ALSA complain."""
    portaudio = load()
    redirect_c_stderr(log)
    device = pick("output", None)
    for options in ({"samplerate": 1e6, "channels": 1}, {"samplerate": 48_000, "channels": 999}):
        try:
            portaudio.RawOutputStream(device=device.index, dtype="float32", **options)
        except portaudio.PortAudioError as error:
            report("refused:", error)
    stream = portaudio.RawOutputStream(
        channels=1, samplerate=48_000, blocksize=480, latency="low", callback=slow
    )
    stream.start()
    time.sleep(1)
    stream.close()


def slow(data, frames, moment, status):
    data[:] = bytes(len(data))
    if status.output_underflow:
        report("underflow")
    time.sleep(0.12)


def stop():
    """Open both, say so, then tell once they have failed and how long closing took."""
    streams.STALL_SECONDS = 1.0  # a third (the real one: test_streams)
    endpoints = [Microphone(pick("input", None)), Speaker(pick("output", None))]
    for endpoint in endpoints:
        endpoint.start()
    while endpoints[0].ring.pushed == 0:
        time.sleep(0.01)
    report("ready")
    while not all([endpoint.failed for endpoint in endpoints]):  # noqa: C419 - asks each
        time.sleep(0.05)
    for endpoint in endpoints:
        begin = time.monotonic()
        endpoint.close()
        report(f"closed {time.monotonic() - begin:.3f} {endpoint.failed}")


if __name__ == "__main__":
    try:
        globals()[sys.argv[1]](*sys.argv[2:])
    except MoshiTuiError as error:
        report(error)
        sys.exit(1)
