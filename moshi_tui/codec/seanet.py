"""SEANet: the convolutional encoder and decoder of Mimi (from EnCodec, arXiv 2210.13438)."""

from __future__ import annotations

from moshi_tui.codec.layers import Conv, ConvTranspose, Layer, Rows
from moshi_tui.codec.layout import MimiShape, Tensors


class Residual:
    """x + a narrow convolution and a 1x1 one; the skip is the identity."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        self._narrow = _conv(tensors, f"{name}.block.1.conv.conv", activate=True)
        self._widen = _conv(tensors, f"{name}.block.3.conv.conv", activate=True)

    def step(self, x: Rows) -> Rows:
        """`x` [T, C] -> [T, C]."""
        y = self._widen.step(self._narrow.step(x))
        y += x
        return y

    def reset(self) -> None:
        """Forget the stream."""
        self._narrow.reset()
        self._widen.reset()


def encoder(tensors: Tensors, shape: MimiShape) -> list[Layer]:
    """Sound [T * 1920, 1] -> [T * stride, dim]."""
    stack: list[Layer] = [_conv(tensors, "encoder.model.0.conv.conv")]
    for i, ratio in enumerate(shape.ratios):
        stack.append(Residual(tensors, f"encoder.model.{3 * i + 1}"))
        name = f"encoder.model.{3 * i + 3}.conv.conv"
        stack.append(_conv(tensors, name, stride=ratio, activate=True))
    last = f"encoder.model.{3 * len(shape.ratios) + 2}.conv.conv"
    return [*stack, _conv(tensors, last, activate=True)]


def decoder(tensors: Tensors, shape: MimiShape) -> list[Layer]:
    """[T * stride, dim] -> sound [T * 1920, 1]."""
    stack: list[Layer] = [_conv(tensors, "decoder.model.0.conv.conv")]
    for i in range(len(shape.ratios)):
        name = f"decoder.model.{3 * i + 2}.convtr.convtr"
        stack.append(ConvTranspose(tensors[f"{name}.weight"], tensors[f"{name}.bias"]))
        stack.append(Residual(tensors, f"decoder.model.{3 * i + 3}"))
    last = f"decoder.model.{3 * len(shape.ratios) + 2}.conv.conv"
    return [*stack, _conv(tensors, last, activate=True)]


def _conv(tensors: Tensors, name: str, *, stride: int = 1, activate: bool = False) -> Conv:
    weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    return Conv(weight, bias, stride=stride, activate=activate)
