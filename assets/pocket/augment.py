"""What the user's microphone makes of clean speech: level, room, tone, echo, noise, clipping."""

from __future__ import annotations

import math

import shapes
import torch
from scipy.fft import next_fast_len
from torch import Tensor

_CLEAN_DB = -23.0
"""Level of active speech in the dialogues."""
_TAIL = round(0.6 * shapes.RATE)
"""Samples of the longest room and of the latest echo."""


def augment(user: Tensor, moshi: Tensor, rng: torch.Generator) -> Tensor:
    """`user`, `moshi` [B, N] float at 24 kHz -> what is heard [B, N], whole 16-bit steps.

    `rng` is on the tensors' device; the same one gives the same sound.
    """
    draw = _Draw(rng, len(user), user.device)
    sound = user * _gain(_level(draw) - _CLEAN_DB)
    sound = _in_room(sound, draw)
    sound = sound + _echo(moshi, draw)
    sound = sound + _noise(user.shape[1], draw)
    sound = _clipped(sound, draw)
    return (sound.clamp(-1, 32767 / 32768) * 32768).round() / 32768


class _Draw:
    """Random numbers of each row, [B, 1]."""

    def __init__(self, rng: torch.Generator, rows: int, device: torch.device) -> None:
        self.rng, self.rows, self.device = rng, rows, device

    def uniform(self, low: float, high: float) -> Tensor:
        return low + (high - low) * self.noise(1, normal=False)

    def some(self, share: float) -> Tensor:
        """True in about a `share` of the rows."""
        return self.noise(1, normal=False) < share

    def noise(self, length: int, *, normal: bool = True) -> Tensor:
        """[B, length]."""
        make = torch.randn if normal else torch.rand
        return make(self.rows, length, generator=self.rng, device=self.device)


def _gain(decibels: Tensor) -> Tensor:
    return 10 ** (decibels / 20)


def _level(draw: _Draw) -> Tensor:
    """dBFS [B, 1]: mostly -30 to -18."""
    return torch.where(draw.some(0.8), draw.uniform(-30, -18), draw.uniform(-38, -12))


def _in_room(sound: Tensor, draw: _Draw) -> Tensor:
    """Reverberation in 40 % of the rows, tilt or telephone band in 30 %."""
    room, toned = draw.some(0.4), draw.some(0.3)
    size = _fft_size(sound.shape[1])
    spectrum = torch.fft.rfft(sound, size)
    spectrum *= torch.where(room, torch.fft.rfft(_room(draw), size), 1.0)
    spectrum *= torch.where(toned, _tone(_frequencies(size, draw), draw), 1.0)
    out = torch.fft.irfft(spectrum, size)[:, : sound.shape[1]]
    return torch.where(room | toned, out, sound)


def _room(draw: _Draw) -> Tensor:
    """Impulse responses [B, tail]: the direct sound, then noise that dies away."""
    time = torch.arange(_TAIL, device=draw.device) / shapes.RATE
    decay = 10 ** (-3 * time / draw.uniform(0.1, 0.6))
    tail = draw.noise(_TAIL) * decay * (time > draw.uniform(0.001, 0.01))
    energy = tail.square().sum(1, keepdim=True).sqrt()
    tail = tail / energy * _gain(-draw.uniform(3, 15))
    tail[:, 0] = 1.0
    return tail


def _tone(hertz: Tensor, draw: _Draw) -> Tensor:
    """Amplitudes [B, bins]: up to 4 dB an octave about 1 kHz, or 300 to 3,400 Hz."""
    octaves = (hertz.clamp(min=60, max=10_000) / 1000).log2()
    tilt = _gain(draw.uniform(-4, 4) * octaves).clamp(max=4)
    band = _band(hertz, 300, 3400)
    return torch.where(draw.some(0.3), band, tilt)


def _band(hertz: Tensor, low: float, high: float) -> Tensor:
    """Amplitudes of a gentle band-pass."""
    return 1 / ((1 + (low / hertz) ** 4) * (1 + (hertz / high) ** 8)).sqrt()


def _echo(moshi: Tensor, draw: _Draw) -> Tensor:
    """Moshi from the loudspeaker, 60 to 300 ms late, in 20 % of the rows."""
    size = _fft_size(moshi.shape[1])
    hertz = _frequencies(size, draw)
    late = torch.polar(
        torch.ones_like(hertz), -2 * math.pi * _whole(draw.uniform(0.06, 0.3), hertz)
    )
    gain = torch.where(draw.some(0.2), _gain(draw.uniform(-45, -20)), 0.0)
    spectrum = torch.fft.rfft(moshi, size) * late * _band(hertz, 250, 5000)
    return torch.fft.irfft(spectrum, size)[:, : moshi.shape[1]] * gain


def _whole(seconds: Tensor, hertz: Tensor) -> Tensor:
    """Turns [B, bins] (0 to 1) of a delay, exact however many there are."""
    turns = (seconds * shapes.RATE).round().double() / shapes.RATE * hertz.double()
    return turns.frac().float()


def _noise(length: int, draw: _Draw) -> Tensor:
    """White, pink or brown noise or hum, -75 to -40 dBFS; none in 15 % of the rows."""
    size = next_fast_len(length, real=True)
    spectrum = torch.fft.rfft(draw.noise(size))
    hertz = _frequencies(size, draw)
    spectrum *= hertz.clamp(min=20) ** -draw.uniform(0, 3).floor().div(2)
    coloured = _normalised(torch.fft.irfft(spectrum, size)[:, :length])
    sound = torch.where(draw.some(0.2), _normalised(_hum(length, draw)), coloured)
    return sound * torch.where(draw.some(0.85), _gain(draw.uniform(-75, -40)), 0.0)


def _hum(length: int, draw: _Draw) -> Tensor:
    """Mains of 50 or 60 Hz with harmonics, and a little hiss."""
    mains = torch.where(draw.some(0.5), 50.0, 60.0)
    turns = torch.arange(length, device=draw.device).double() / shapes.RATE * mains.double()
    out = 0.03 * draw.noise(length)
    for harmonic in range(1, 9):
        angle = (turns * harmonic).frac().float() * (2 * math.pi)
        out += (angle + draw.uniform(0, 2 * math.pi)).sin() * draw.uniform(0, 1) / harmonic
    return out


def _clipped(sound: Tensor, draw: _Draw) -> Tensor:
    """Soft clipping in 5 % of the rows."""
    limit = sound.abs().amax(1, keepdim=True).clamp(min=1e-4) * draw.uniform(0.2, 0.6)
    return torch.where(draw.some(0.05), limit * (sound / limit).tanh(), sound)


def _normalised(sound: Tensor) -> Tensor:
    """[B, N] with rms 1."""
    return sound / sound.square().mean(1, keepdim=True).sqrt()


def _frequencies(size: int, draw: _Draw) -> Tensor:
    """Hz of the bins [1, size / 2 + 1]; the first stands for 1 Hz."""
    hertz = torch.fft.rfftfreq(size, 1 / shapes.RATE, device=draw.device)
    return hertz.clamp(min=1.0)[None]


def _fft_size(length: int) -> int:
    """Room for a sound and its tail."""
    return next_fast_len(length + _TAIL, real=True)
