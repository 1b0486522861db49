"""Discriminators: small 2-D convolutions over complex spectrograms of several resolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

_WINDOWS = (2048, 1024, 512)
_WIDTH = 24
_SLOPE = 0.2
_COMPRESS = 0.35
"""Magnitudes are raised to 1 - 2 * this."""

Judgement = tuple[Tensor, list[Tensor]]
"""Scores [B, 1, frames, bins], and what the layers before saw."""


class StftDiscriminator(nn.Module):
    """Judges [B, N] by an STFT with hops of a quarter of `window`."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(window))
        self.layers = nn.ModuleList(
            [
                _conv(2, (3, 9), (1, 2)),
                _conv(_WIDTH, (3, 7), (1, 2)),
                _conv(_WIDTH, (3, 5), (1, 2), dilation=2),
                _conv(_WIDTH, (3, 3), (1, 1)),
            ]
        )
        self.score = weight_norm(nn.Conv2d(_WIDTH, 1, 3, padding=1))

    def forward(self, sound: Tensor) -> Judgement:
        """[B, N] -> scores and features."""
        x, seen = self._picture(sound), []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), _SLOPE)
            seen.append(x)
        return self.score(x), seen

    def _picture(self, sound: Tensor) -> Tensor:
        """[B, N] -> [B, 2, frames, bins], real and imaginary, magnitudes compressed."""
        size = len(self.window)
        with torch.autocast(sound.device.type, enabled=False):
            stft = torch.stft(sound, size, size // 4, window=self.window, return_complex=True)
            parts = torch.view_as_real(stft) / self.window.square().sum().sqrt()
            power = parts.square().sum(-1, keepdim=True) + 1e-8
            return (parts * power**-_COMPRESS).permute(0, 3, 2, 1)


class Discriminators(nn.Module):
    """One for each resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.all = nn.ModuleList([StftDiscriminator(window) for window in _WINDOWS])

    def forward(self, sound: Tensor) -> list[Judgement]:
        """[B, N] -> what each says."""
        return [one(sound) for one in self.all]


def discriminator_loss(real: list[Judgement], fake: list[Judgement]) -> Tensor:
    """Least squares: real is 1, fake is 0."""
    pairs = zip(real, fake, strict=True)
    losses = [
        (r.float() - 1).square().mean() + f.float().square().mean() for (r, _), (f, _) in pairs
    ]
    return torch.stack(losses).mean()


def generator_losses(real: list[Judgement], fake: list[Judgement]) -> tuple[Tensor, Tensor]:
    """How far from taken for real, and how far the features are from those of the real sound."""
    fooled = torch.stack([(score.float() - 1).square().mean() for score, _ in fake]).mean()
    apart = [
        F.l1_loss(f.float(), r.float()) / r.float().abs().mean()
        for (_, seen_real), (_, seen_fake) in zip(real, fake, strict=True)
        for r, f in zip(seen_real, seen_fake, strict=True)
    ]
    return fooled, torch.stack(apart).mean()


def _conv(
    inputs: int, kernel: tuple[int, int], stride: tuple[int, int], dilation: int = 1
) -> nn.Module:
    """A convolution to `_WIDTH` channels; `dilation` in time."""
    padding = (dilation * (kernel[0] // 2), kernel[1] // 2)
    return weight_norm(
        nn.Conv2d(inputs, _WIDTH, kernel, stride, padding=padding, dilation=(dilation, 1))
    )
