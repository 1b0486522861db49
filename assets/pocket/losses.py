"""What tells a sound from what should come out of the codec: differentiable, one number a row."""

from __future__ import annotations

import math

import shapes
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

_MELS = {256: 40, 512: 56, 1024: 64, 2048: 80}
"""Window in samples -> bands."""
_FLOOR = 1e-3
"""-60 dBFS: below it all is silence; at -80 the many pauses ruled all gradients."""
_LINEAR = 2.0
"""Weight of the mel loss's linear part."""

_STOI_WINDOW, _STOI_HOP, _STOI_FFT = 614, 307, 1024
"""25.6 ms, 12.8 ms as in Taal et al. 2011, at 24 kHz."""
_STOI_BANDS, _STOI_LOWEST = 15, 150.0
_STOI_FRAMES = 30
_STOI_RANGE = 1e-4
"""Frames 40 dB under the loudest are silence."""
_STOI_CLIP = 1 + 10 ** (15 / 20)


class SpectralLoss(nn.Module):
    """Multi-scale mel L1, and multi-resolution STFT log magnitude L1."""

    def __init__(self) -> None:
        super().__init__()
        for window, bands in _MELS.items():
            self.register_buffer(f"window{window}", torch.hann_window(window))
            self.register_buffer(f"bank{window}", mel_bank(bands, window))

    def forward(self, sound: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """`sound`, `target` [B, N] -> mel loss [B], magnitude loss [B]."""
        mel, magnitude = torch.zeros_like(sound[:, 0]), torch.zeros_like(sound[:, 0])
        for size in _MELS:
            window, bank = getattr(self, f"window{size}"), getattr(self, f"bank{size}")
            x, y = _magnitude(sound, window), _magnitude(target, window)
            mel = mel + _apart(x.transpose(1, 2) @ bank, y.transpose(1, 2) @ bank, _LINEAR)
            magnitude = magnitude + _apart(x, y, 0.0)
        return mel / len(_MELS), magnitude / len(_MELS)


class StoiLoss(nn.Module):
    """1 - STOI (Taal et al. 2011), straight from a 24 kHz STFT; silent frames taken out."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(_STOI_WINDOW))
        self.register_buffer("bands", third_octaves(shapes.RATE, _STOI_FFT))

    def forward(self, sound: Tensor, target: Tensor) -> Tensor:
        """`sound`, `target` [B, N] -> [B]; 0 for rows with less than 384 ms of speech."""
        x, y = self._envelopes(target), self._envelopes(sound)
        power = x.square().sum(1)
        active = power > _STOI_RANGE * power.amax(1, keepdim=True) + 1e-9
        order = active.int().argsort(dim=1, descending=True, stable=True)[:, None].expand_as(x)
        x = x.gather(2, order).unfold(2, _STOI_FRAMES, 1)
        y = y.gather(2, order).unfold(2, _STOI_FRAMES, 1)
        likeness = _likeness(x, y).mean(1)
        segments = active.sum(1, keepdim=True) - _STOI_FRAMES + 1
        counts = torch.arange(likeness.shape[1], device=x.device) < segments
        return ((1 - likeness) * counts).sum(1) / counts.sum(1).clamp(min=1)

    def _envelopes(self, sound: Tensor) -> Tensor:
        """[B, N] -> [B, 15, frames]."""
        stft = torch.stft(
            sound,
            _STOI_FFT,
            _STOI_HOP,
            _STOI_WINDOW,
            self.window,
            center=False,
            return_complex=True,
        )
        return (self.bands @ torch.view_as_real(stft).square().sum(-1) + 1e-8).sqrt()


def mel_bank(bands: int, window: int) -> Tensor:
    """[bins, bands]: triangles from 0 Hz to 12 kHz, evenly spaced in mel, of equal sums."""
    top = 2595 * math.log10(1 + shapes.RATE / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, bands + 2) / 2595) - 1)
    bins = torch.linspace(0, shapes.RATE / 2, window // 2 + 1)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rise = (bins[:, None] - low) / (middle - low)
    fall = (high - bins[:, None]) / (high - middle)
    bank = torch.minimum(rise, fall).clamp(min=0)
    nearest = (bins[:, None] - middle).abs().argmin(0)  # a band narrower than a bin gets one
    bank[nearest, torch.arange(bands)] = bank[nearest, torch.arange(bands)].clamp(min=1e-3)
    return bank / bank.sum(0)


def third_octaves(rate: int, fft: int) -> Tensor:
    """[15, bins] of 0 and 1: the bins of each one-third octave band from 150 Hz."""
    bins = torch.linspace(0, rate / 2, fft // 2 + 1)
    centres = _STOI_LOWEST * 2 ** (torch.arange(_STOI_BANDS) / 3)
    low = (bins[:, None] - centres * 2 ** (-1 / 6)).abs().argmin(0)
    high = (bins[:, None] - centres * 2 ** (1 / 6)).abs().argmin(0)
    number = torch.arange(len(bins))
    return ((number >= low[:, None]) & (number < high[:, None])).float()


def weighted(loss: Tensor, weights: Tensor) -> Tensor:
    """The mean of `loss` [B], row by row weighted."""
    return (loss * weights).sum() / weights.sum()


def _magnitude(sound: Tensor, window: Tensor) -> Tensor:
    """[B, N] -> [B, bins, frames]: white noise of rms 1 gives about 1."""
    size = len(window)
    stft = torch.stft(sound, size, size // 4, window=window, return_complex=True)
    power = torch.view_as_real(stft).square().sum(-1)
    return (power / window.square().sum() + 1e-10).sqrt()


def _apart(x: Tensor, y: Tensor, linear: float) -> Tensor:
    """L1 between logarithms of magnitudes [B, …], and `linear` times that between them -> [B]."""
    apart = F.l1_loss((x + _FLOOR).log(), (y + _FLOOR).log(), reduction="none")
    if linear:
        apart = apart + linear * F.l1_loss(x, y, reduction="none")
    return apart.mean((1, 2))


def _likeness(x: Tensor, y: Tensor) -> Tensor:
    """Correlation of segments [B, bands, segments, frames], y scaled to x and clipped."""
    scale = x.square().sum(-1, keepdim=True) / (y.square().sum(-1, keepdim=True) + 1e-8)
    y = torch.minimum(y * (scale + 1e-12).sqrt(), x * _STOI_CLIP)
    x, y = x - x.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
    norms = (x.square().sum(-1) + 1e-8) * (y.square().sum(-1) + 1e-8)
    return (x * y).sum(-1) / norms.sqrt()
