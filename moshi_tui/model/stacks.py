"""Matrices one above the other in one array, so that one operation does for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import mlx.core as mx
from mlx.nn.layers.base import Module

from moshi_tui.model.layers import Weight

Matrix = TypeVar("Matrix", bound=Weight)

_KEYS = ("weight", "scales", "biases")


@dataclass(frozen=True)
class Stack(Generic[Matrix]):
    """Some matrices of a sequence."""

    whole: Matrix
    members: list[int]
    """Which ones of the sequence."""
    starts: list[int]
    """The first row of each in `whole`."""


def stacks(parts: Sequence[Matrix], make: Callable[[int, int], Matrix]) -> list[Stack[Matrix]]:
    """`parts` in as few stacks as their storage allows: one, unless a file mixes several.

    The modules' own arrays become views of the stack's, so that nothing lies in memory twice, but
    for the moment at which an array of a stack is made.

    Args:
        make: from rows and columns an empty module.
    """
    alike: dict[tuple[object, ...], list[int]] = {}
    for number, part in enumerate(parts):
        arrays = [part[key] for key in _held(part)]
        storage = (part.bits, *((str(array.dtype), *array.shape[1:]) for array in arrays))
        alike.setdefault(storage, []).append(number)
    return [_stack(parts, members, make) for members in alike.values()]


def _held(part: Weight) -> list[str]:
    return [key for key in _KEYS if key in part]


def _stack(
    parts: Sequence[Matrix], members: list[int], make: Callable[[int, int], Matrix]
) -> Stack[Matrix]:
    chosen = [parts[number] for number in members]
    starts = [sum(part.shape[0] for part in chosen[:n]) for n in range(len(chosen))]
    arrays = {key: moved(chosen, key) for key in _held(chosen[0])}
    whole = make(sum(part.shape[0] for part in chosen), chosen[0].shape[1])
    if chosen[0].bits:
        whole.set_quantised(*(arrays[key] for key in _KEYS))
    else:
        whole.weight = arrays["weight"]
    return Stack(whole, members, starts)


def moved(parts: Sequence[Module], key: str) -> mx.array:
    """The arrays `key` of `parts` one above the other; those of the parts become views of it."""
    rows = [part[key].shape[0] for part in parts]
    whole: mx.array = mx.concatenate([part[key] for part in parts])
    if len(parts) == 1:
        # MLX gives back the array itself. That may be a view of a larger one, which it would keep.
        whole = whole + 0
    mx.eval(whole)
    start = 0
    for part, many in zip(parts, rows, strict=True):
        part[key] = whole[start : start + many]
        mx.eval(part[key])
        start += many
    return whole
