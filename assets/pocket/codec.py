"""A Mimi without transformers in PyTorch: whole sounds at once, the same numbers as moshi_tui's.

Sound is [B, T, channels]. Every convolution folds some samples into the channels, so that it is one
dense matrix product over rows of memory: with 24 channels that is what a GPU does fastest.
The modules' names make a state dict's names those of the published checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import shapes
import torch
import torch.nn.functional as F  # noqa: N812 (as everybody calls it)
from quantiser import Quantised, SplitQuantiser
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

_KERNEL, _RESIDUAL_KERNEL, _LAST_KERNEL = 7, 3, 3
_LOUD = 10.0
"""Speech has an amplitude of about 1 over this; it is scaled up at first, and down at last."""
_ROW_SAMPLES = 1 << 24
"""Samples that `encode` and `decode` work on at once (whole rows, one at least)."""


class _Branch(nn.Module):
    """A level of names."""

    def __init__(self, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


class _Leaf(nn.Module):
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)


class Conv(nn.Module):
    """A causal convolution, perhaps of ELU of its input.

    Args:
        stride: inputs are a multiple of it (and of what is folded) long.
        replicate: before the sound there was its first row over and over, not silence; no bias.
        gain: of the first weights.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        activate: bool = False,
        replicate: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        weight = torch.randn(outputs, inputs, kernel) * gain * (inputs * kernel) ** -0.5
        bias = None if replicate else torch.zeros(outputs)
        self.conv = _Branch(conv=_Leaf(weight, bias))
        self._past = kernel - stride
        self._stride = stride
        self._activate = activate
        self._replicate = replicate
        self._fold = 10 if inputs == 1 else max(1, 192 // max(inputs, 24))

    def forward(self, x: Tensor) -> Tensor:
        """[B, T * stride, inputs] -> [B, T, outputs]."""
        leaf, fold = self.conv.conv, self._fold
        if self._activate:
            x = F.elu(x)
        batch, length, _ = x.shape
        windows = self._windows(x, length // (fold * self._stride))
        bias = None if leaf.bias is None else leaf.bias.repeat(fold)
        out = F.linear(windows, _folded(leaf.weight, self._stride, fold), bias)
        return out.reshape(batch, length // self._stride, -1)

    def _windows(self, x: Tensor, count: int) -> Tensor:
        """`x` [B, T * stride, inputs] -> [B, count, window * inputs], which overlap."""
        batch, length, channels = x.shape
        if self._past > length // count:  # each window reaches further back than the one before
            padded = F.pad(x, (0, 0, self._past, 0))
            return torch.cat([padded[:, at : at + length] for at in range(self._past + 1)], dim=2)
        blocks = x.reshape(batch, count, -1)
        if not self._past:
            return blocks
        tails = blocks[:, :-1, -self._past * channels :]
        if self._replicate:
            head = x[:, :1].expand(-1, self._past, -1).reshape(batch, 1, -1)
            return torch.cat((torch.cat((head, tails), dim=1), blocks), dim=2)
        return torch.cat((F.pad(tails, (0, 0, 1, 0)), blocks), dim=2)


class ConvTranspose(nn.Module):
    """A transposed convolution of ELU of its input, with a kernel of twice its stride."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        weight = torch.randn(inputs, outputs, 2 * stride) * (2 * inputs) ** -0.5
        self.convtr = _Branch(convtr=_Leaf(weight, torch.zeros(outputs)))
        self._stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, inputs] -> [B, T * stride, outputs]."""
        leaf, outputs = self.convtr.convtr, self.convtr.convtr.weight.shape[1]
        flat = leaf.weight.permute(2, 1, 0).flatten(0, 1)
        now, later = F.linear(F.elu(x), flat).chunk(2, dim=2)
        out = now + F.pad(later[:, :-1], (0, 0, 1, 0))
        out = out.reshape(len(x), -1, outputs)
        return out + leaf.bias.to(out.dtype)


class Residual(nn.Module):
    """x + a narrow convolution and a 1x1 one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = Conv(width, width // 2, _RESIDUAL_KERNEL, activate=True)
        widen = Conv(width // 2, width, 1, activate=True, gain=0.5)
        self.block = nn.ModuleDict({"1": narrow, "3": widen})

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width] -> [B, T, width]."""
        return x + self.block["3"](self.block["1"](x))


class Upsample(nn.Module):
    """The transposed convolution of each channel by itself; no bias."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        weight = 0.1 * torch.randn(channels, 1, 2 * stride)
        weight[:, :, :stride] += 1
        self.convtr = _Branch(convtr=_Branch(convtr=_Leaf(weight, None)))

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, channels] -> [B, T * stride, channels]."""
        now, later = self.convtr.convtr.convtr.weight[:, 0].T.to(x.dtype).chunk(2)
        before = F.pad(x[:, :-1], (0, 0, 1, 0))
        out = x[:, :, None] * now + before[:, :, None] * later
        return out.flatten(1, 2)


class Encoder(nn.Module):
    """Sound [B, T * 960, 1] -> [B, T, dim] at 25 Hz."""

    def __init__(self) -> None:
        super().__init__()
        width = shapes.FILTERS
        self.model = nn.ModuleDict({"0": Conv(1, width, _KERNEL, gain=_LOUD)})
        for i, ratio in enumerate(shapes.RATIOS):
            self.model[f"{3 * i + 1}"] = Residual(width)
            down = Conv(width, 2 * width, 2 * ratio, stride=ratio, activate=True)
            self.model[f"{3 * i + 3}"] = down
            width *= 2
        last = Conv(width, shapes.CODEC_DIM, _LAST_KERNEL, activate=True)
        self.model[f"{3 * len(shapes.RATIOS) + 2}"] = last

    def forward(self, x: Tensor) -> Tensor:
        """One layer after another."""
        for layer in self.model.values():
            x = layer(x)
        return x


class Decoder(nn.Module):
    """[B, T, dim] at 25 Hz -> sound [B, T * 960, 1]."""

    def __init__(self) -> None:
        super().__init__()
        width = shapes.FILTERS << len(shapes.RATIOS)
        self.model = nn.ModuleDict({"0": Conv(shapes.CODEC_DIM, width, _KERNEL)})
        for i, ratio in enumerate(reversed(shapes.RATIOS)):
            self.model[f"{3 * i + 2}"] = ConvTranspose(width, width // 2, ratio)
            width //= 2
            self.model[f"{3 * i + 3}"] = Residual(width)
        last = Conv(width, 1, _LAST_KERNEL, activate=True, gain=1 / _LOUD)
        self.model[f"{3 * len(shapes.RATIOS) + 2}"] = last

    def forward(self, x: Tensor) -> Tensor:
        """One layer after another."""
        for layer in self.model.values():
            x = layer(x)
        return x


class Mimi(nn.Module):
    """The codec. `embed`, `quantizer` and `sound` are for training; `encode`, `decode` for use."""

    def __init__(self) -> None:
        super().__init__()
        dim, stride = shapes.CODEC_DIM, shapes.STRIDE
        self.encoder = Encoder()
        self.decoder = Decoder()
        down = Conv(dim, dim, 2 * stride, stride=stride, replicate=True)
        self.downsample = _Branch(conv=down)
        self.upsample = Upsample(dim, stride)
        self.quantizer = SplitQuantiser(shapes.CODEBOOKS, dim, shapes.CARD, shapes.CODEBOOK_DIM)

    def embed(self, pcm: Tensor) -> Tensor:
        """`pcm` [B, T * 1920] -> latents [B, T, dim]."""
        return self.downsample.conv(self.encoder(pcm[:, :, None]))

    def sound(self, latent: Tensor) -> Tensor:
        """`latent` [B, T, dim] -> [B, T * 1920]."""
        return self.decoder(self.upsample(latent))[:, :, 0]

    def forward(self, pcm: Tensor) -> tuple[Tensor, Quantised]:
        """`pcm` [B, T * 1920] -> the sound that comes back, and what was quantised."""
        quantised = self.quantizer(self.embed(pcm).float())
        return self.sound(quantised.latent), quantised

    @torch.no_grad()
    def encode(self, pcm: Tensor) -> Tensor:
        """`pcm` [B, T * 1920] float32 -> codes [B, 8, T] int64."""
        rows = max(1, _ROW_SAMPLES // pcm.shape[1])
        parts = [self.quantizer.encode(self.embed(part)) for part in pcm.split(rows)]
        return torch.cat(parts)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """`codes` [B, n, T] of the first n codebooks -> sound [B, T * 1920]."""
        rows = max(1, _ROW_SAMPLES // (codes.shape[2] * shapes.FRAME))
        parts = [self.sound(self.quantizer.decode(part)) for part in codes.split(rows)]
        return torch.cat(parts)


def export(state: Mapping[str, Tensor], path: Path) -> None:
    """Write a Mimi's state dict in the published format as float16; codebooks with usage 1."""
    out = {name: tensor.detach().float().cpu() for name, tensor in state.items()}
    for name in [name for name in out if name.endswith(".cluster_usage")]:
        sums = name.replace("cluster_usage", "embedding_sum")
        out[sums] = out[sums] / out[name].clamp(min=1e-5)[:, None]
        out[name] = torch.ones_like(out[name])
    save_file({name: tensor.half().contiguous() for name, tensor in out.items()}, path)


def load_exported(path: Path, device: torch.device | str = "cpu") -> Mimi:
    """The codec in the safetensors file `path`, in float32, ready for `encode` and `decode`."""
    mimi = Mimi()
    mimi.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    return mimi.to(device).eval().requires_grad_(False)


def _folded(weight: Tensor, stride: int, fold: int) -> Tensor:
    """`weight` [O, C, K] as [fold * O, window * C]: from a window to `fold` outputs at once."""
    taps, kernel = weight.transpose(1, 2), weight.shape[2]
    spare = (fold - 1) * stride
    shifted = [F.pad(taps, (0, 0, at, spare - at)) for at in range(0, spare + 1, stride)]
    return torch.stack(shifted).reshape(fold * len(weight), (kernel + spare) * weight.shape[1])
