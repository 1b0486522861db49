"""The dialogues' shards on the GPU as they appear, and random crops of them."""

from __future__ import annotations

import functools
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapes
import torch
from torch import Tensor

MOSHI, USER = 0, 1
_POLL_S = 1.0
_HOPS_A_SECOND = shapes.SPEECH_RATE // shapes.PHONE_HOP
_VOICED = 0.3
"""Least share of a crop with speech that is no silence."""
_ANYTHING = 0.15
"""Share of the crops that are taken anywhere."""
_BLOCK, _TAPS = 320, 24
"""Samples at 16 kHz that one matrix product turns into 24 kHz; taps at either side."""


@dataclass
class Crops:
    """Equally long pieces of one channel."""

    pcm: Tensor
    """[B, N] float32 at 24 kHz."""
    other: Tensor
    """[B, N]: the other channel meanwhile."""
    phones: Tensor
    """[B, N / 480] int64."""


@dataclass
class _Arrived:
    """A shard that was copied to [start, start + samples) of the memory."""

    samples: int
    spoken: list[Tensor]
    """For each channel: hops where a crop with speech may start; on the CPU."""


class Shards:
    """All shards of a folder in one memory, copied by a thread; `refresh` takes in what is there.

    Args:
        folder: of `make_dialogues.py`.
        crop_s: seconds of a crop.
        max_hours: what fits into the memory; what comes later is left out.
        pick: which shards, by their names without ending; default: all.
    """

    def __init__(
        self,
        folder: Path,
        device: torch.device | str,
        *,
        crop_s: float = 2.0,
        max_hours: float = 20.0,
        pick: Callable[[str], bool] | None = None,
    ) -> None:
        self._device = torch.device(device)
        self._folder, self._pick = folder, pick
        self._hops = round(crop_s * _HOPS_A_SECOND)
        room = math.ceil(max_hours * 3600 * _HOPS_A_SECOND)
        self._pcm = torch.empty(2, room * shapes.PHONE_HOP, dtype=torch.int16, device=device)
        self._phones = torch.empty(2, room, dtype=torch.uint8, device=device)
        self._rng = torch.Generator(self._device).manual_seed(0)
        self._arrived: queue.Queue[_Arrived | Exception] = queue.Queue()
        self._filled = 0
        none = torch.zeros(0, dtype=torch.int32, device=device)
        self._spoken = [none, none]
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def hours(self) -> float:
        """Of dialogues that crops are taken from."""
        return self._filled / shapes.SPEECH_RATE / 3600

    @property
    def ready(self) -> bool:
        """Whether there is speech of both channels."""
        return all(len(spoken) for spoken in self._spoken)

    def refresh(self) -> None:
        """Take in what was copied since; at once."""
        while not self._arrived.empty():
            shard = self._arrived.get()
            if isinstance(shard, Exception):
                raise shard
            self._filled += shard.samples
            pairs = zip(self._spoken, shard.spoken, strict=True)
            self._spoken = [torch.cat((old, new.to(self._device))) for old, new in pairs]

    def wait(self, hours: float, *, limit_s: float = 600.0) -> None:
        """Until there is speech of both channels, and `hours` in all."""
        until = time.monotonic() + limit_s
        while self.hours < hours or not self.ready:
            if time.monotonic() > until:
                raise SystemExit(f"{self._folder}: {self.hours:.2f} h of speech, not {hours} yet")
            time.sleep(0.2)
            self.refresh()

    def crops(self, count: int, channel: int, *, speech: bool = False) -> Crops:
        """`count` random pieces; `speech`: only such with speech."""
        spoken = self._spoken[channel]
        picked = spoken[self._random(len(spoken), count)].long()
        if not speech:
            last = self._filled // shapes.PHONE_HOP - self._hops
            anywhere = self._random(last + 1, count)
            chance = torch.rand(count, generator=self._rng, device=self._device)
            picked = torch.where(chance < _ANYTHING, anywhere, picked)
        hops = picked[:, None] + torch.arange(self._hops, device=self._device)
        within = torch.arange(shapes.PHONE_HOP, device=self._device)
        samples = (hops[:, :, None] * shapes.PHONE_HOP + within).flatten(1)
        pcm = to_24k(self._pcm[channel][samples])
        other = to_24k(self._pcm[1 - channel][samples])
        return Crops(pcm, other, self._phones[channel][hops].long())

    def restart(self, seed: int) -> None:
        """From here on the crops depend on `seed` (and on what is there)."""
        self._rng.manual_seed(seed)

    def _random(self, below: int, count: int) -> Tensor:
        return torch.randint(below, (count,), generator=self._rng, device=self._device)

    def _watch(self) -> None:
        """The thread: copies shards as they appear."""
        done: set[str] = set()
        at = 0
        try:
            stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None
            while at < self._pcm.shape[1]:
                for path in sorted(self._folder.glob("*.json")):
                    picked = self._pick is None or self._pick(path.stem)
                    if picked and path.stem not in done:
                        done.add(path.stem)
                        with torch.cuda.stream(stream):
                            loaded = self._load(path, at)
                        if not loaded:
                            return
                        at += loaded
                time.sleep(_POLL_S)
        except (OSError, ValueError, RuntimeError) as error:
            self._arrived.put(error)

    def _load(self, path: Path, at: int) -> int:
        """Copy a shard to sample `at`; how many samples it has (0: no room)."""
        pcm = np.load(path.with_suffix(".npy"))
        phones = np.load(path.parent / f"{path.stem}.phones.npy")
        samples = pcm.shape[1]
        if pcm.shape != (2, phones.shape[1] * shapes.PHONE_HOP):
            raise ValueError(f"{path}: sound {pcm.shape} does not fit its phones {phones.shape}")
        if at + samples > self._pcm.shape[1]:
            return 0
        start = at // shapes.PHONE_HOP
        self._copy(pcm, self._pcm[:, at : at + samples])
        self._copy(phones, self._phones[:, start : start + phones.shape[1]])
        spoken = [torch.from_numpy(self._starts(row) + start) for row in phones]
        if self._device.type == "cuda":
            torch.cuda.current_stream().synchronize()
        self._arrived.put(_Arrived(samples, spoken))
        return samples

    def _copy(self, array: np.ndarray, to: Tensor) -> None:
        tensor = torch.from_numpy(array)
        to.copy_(tensor.pin_memory() if self._device.type == "cuda" else tensor, non_blocking=True)

    def _starts(self, phones: np.ndarray) -> np.ndarray:
        """Where a crop with speech may start, int32."""
        voiced = np.concatenate(([0], np.cumsum(phones > 0, dtype=np.int32)))
        inside = voiced[self._hops :] - voiced[: -self._hops]
        return np.flatnonzero(inside >= _VOICED * self._hops).astype(np.int32)


def to_24k(pcm: Tensor) -> Tensor:
    """int16 [B, N] at 16 kHz (N a multiple of 320) -> float32 [B, 1.5 N] at 24 kHz."""
    rows, length = pcm.shape
    if length % _BLOCK:
        raise ValueError(f"{length} samples are no multiple of {_BLOCK}")
    padded = torch.nn.functional.pad(pcm.float() / 32768, (_TAPS, _TAPS))
    windows = padded.unfold(1, _BLOCK + 2 * _TAPS, _BLOCK)
    return (windows @ _resampler(pcm.device)).reshape(rows, length * 3 // 2)


@functools.cache
def _resampler(device: torch.device) -> Tensor:
    """[window at 16 kHz, block at 24 kHz]: a windowed sinc for each sample."""
    time_out = torch.arange(_BLOCK * 3 // 2, dtype=torch.float64) * 2 / 3 + _TAPS
    distance = torch.arange(_BLOCK + 2 * _TAPS, dtype=torch.float64)[:, None] - time_out
    edge = (distance / _TAPS).clamp(-1, 1)
    window = (math.pi / 2 * edge).cos().square()
    cutoff = 0.97
    return (cutoff * torch.sinc(cutoff * distance) * window).float().to(device)
