"""Stands in for the module `sounddevice`."""

import types

import numpy as np


class PortAudioError(Exception):
    pass


class CallbackStop(Exception):
    pass


def flags(**which):
    return types.SimpleNamespace(**{"input_overflow": False, "output_underflow": False, **which})


def times(*, now=5000.0, adc=0.0, dac=0.0):
    """What a callback is told of time, in seconds of PortAudio's clock."""
    return types.SimpleNamespace(currentTime=now, inputBufferAdcTime=adc, outputBufferDacTime=dac)


class FakePortAudio:
    """Two microphones, two speakers; `accepts(rate, channels)` decides who may open."""

    PortAudioError = PortAudioError
    CallbackStop = CallbackStop

    def __init__(self):
        self.accepts = lambda rate, channels: True
        self.refusal = ("Invalid sample rate", -9997)
        self.tried = []
        self.streams = []
        self.defaults = {"input": 0, "output": 1}
        self.devices = [
            device("Built-in Microphone", inputs=1),
            device("Built-in Output", outputs=2),
            device("USB Audio", inputs=2, outputs=2, rate=44_100.0),
            device("USB Audio Pro", inputs=18, outputs=8, rate=96_000.0),
        ]
        self.plugged_in = []
        """What is found at the next initialisation."""
        self.inits = 0

    def _terminate(self):
        assert not [stream for stream in self.streams if "close" not in stream.calls]

    def _initialize(self):
        self.inits += 1
        self.devices += self.plugged_in
        self.plugged_in = []

    def query_hostapis(self):
        return ({"name": "Core Audio"},)

    def query_devices(self, device=None, kind=None):
        if kind is None:
            return self.devices
        if self.defaults[kind] < 0:
            raise PortAudioError("Error querying device -1")
        return {"index": self.defaults[kind]}

    def RawInputStream(self, **options):
        return self.open(options)

    def RawOutputStream(self, **options):
        return self.open(options)

    def open(self, options):
        self.tried.append((options["samplerate"], options["channels"]))
        if not self.accepts(*self.tried[-1]):
            raise PortAudioError(*self.refusal)
        self.streams.append(FakeStream(options))
        return self.streams[-1]


class FakeStream:
    def __init__(self, options):
        self.options = options
        self.samplerate = float(options["samplerate"])
        self.channels = options["channels"]
        self.blocksize = options["blocksize"]
        self.latency = 0.02
        self.calls = []
        self.start_error = None
        self.hang = None

    def start(self):
        if self.start_error:
            raise self.start_error
        self.calls.append("start")

    def abort(self):
        if self.hang:
            self.hang.wait(20)
        self.calls.append("abort")

    def close(self):
        self.calls.append("close")

    def hear(self, block, status=None, *, ago=0.02, moment=None):
        """PortAudio delivers `block` [frames, channels], whose first sample came `ago` seconds
        before, or at the `moment` given as `times`."""
        data = np.ascontiguousarray(block, np.float32).tobytes()
        moment = moment or times(adc=5000.0 - ago)
        self.options["callback"](data, len(block), moment, status)

    def ask(self, status=None, *, ahead=0.02, moment=None):
        """PortAudio asks for a block, to be heard in `ahead` seconds, or at the `moment` given as
        `times`; returns [frames, channels]."""
        data = bytearray(b"\xff" * (4 * self.blocksize * self.channels))
        moment = moment or times(dac=5000.0 + ahead)
        try:
            self.options["callback"](data, self.blocksize, moment, status)
        except CallbackStop:
            self.options["finished_callback"]()
        return np.frombuffer(data, np.float32).reshape(self.blocksize, self.channels)


def device(name, *, inputs=0, outputs=0, rate=48_000.0):
    return {
        "name": name,
        "hostapi": 0,
        "default_samplerate": rate,
        "max_input_channels": inputs,
        "max_output_channels": outputs,
    }
