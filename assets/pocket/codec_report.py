"""How well the codec does: means of its losses, and STOI on held-out speech."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import shapes
import torch
from codec import Mimi
from speech_data import MOSHI, USER, Shards
from stoi import stoi
from torch import Tensor, nn

_CROPS = 30
_BOOKS = (1, 4, 8)


class Meter:
    """Means of what the steps since the last line said."""

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._steps, self._start = 0, time.monotonic()

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Of one step; does not wait for the GPU."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0) + value
            self._counts[name] = self._counts.get(name, 0) + 1
        self._steps += 1

    def line(self) -> str:
        """The means, steps a second and the most GPU memory; starts anew."""
        means = [f"{name} {float(s) / self._counts[name]:.3f}" for name, s in self._sums.items()]
        pace = self._steps / (time.monotonic() - self._start)
        memory = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
        self._restart()
        return f"{pace:.1f} steps/s, {memory:.0f} GiB, " + ", ".join(means)


@torch.no_grad()
def validate(
    state: Mapping[str, Tensor], phones: nn.Linear, shards: Shards, device: torch.device
) -> None:
    """Print STOI of Moshi's voice with 1, 4 and 8 codebooks, phones, and the codebooks' use."""
    shards.refresh()
    if not shards.ready:
        print("  held out: no shard yet", flush=True)
        return
    shards.restart(1)
    mimi = Mimi().to(device)
    mimi.load_state_dict(state)
    moshi = shards.crops(_CROPS, MOSHI, speech=True)
    codes = mimi.encode(moshi.pcm)
    figures = []
    for books in _BOOKS:
        pairs = zip(
            moshi.pcm.cpu().numpy(), mimi.decode(codes[:, :books]).cpu().numpy(), strict=True
        )
        values = [stoi(clean, heard, shapes.RATE) for clean, heard in pairs]
        figures.append(f"{books}: {np.mean(values):.4f}")
    right = [
        f"{_phones_right(mimi, phones, crops.pcm, crops.phones):.1%}"
        for crops in (moshi, shards.crops(_CROPS, USER, speech=True))
    ]
    use = " ".join(f"{_perplexity(codes[:, i]):.0f}" for i in range(codes.shape[1]))
    print(
        f"  held out: STOI by codebooks {', '.join(figures)}; "
        f"phones of Moshi and of the clean user {', '.join(right)}; perplexities {use} "
        f"(of {codes[:, 0].numel()} codes)",
        flush=True,
    )


def _phones_right(mimi: Mimi, phones: nn.Linear, pcm: Tensor, labels: Tensor) -> float:
    """Share of the 20 ms with a phone whose phone the semantic code tells."""
    first = mimi.quantizer.rvq_first.decode(mimi.encode(pcm)[:, :1])
    found = phones(first).view(*labels.shape, -1).argmax(2)
    return float((found == labels)[labels > 0].float().mean())


def _perplexity(codes: Tensor) -> float:
    share = torch.bincount(codes.flatten(), minlength=shapes.CARD).float() / codes.numel()
    return float(torch.special.entr(share).sum().exp())
