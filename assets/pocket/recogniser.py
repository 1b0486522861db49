"""A small recogniser of Moshi's voice: log-mel, convolutions, bidirectional GRU, CTC on letters.

It measures whether what Moshi says can be understood; no part of Moshi itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from eval_words import distance, normal
from torch import Tensor, nn

RATE = 16_000
HOP = 160
"""Samples from one row of features to the next (10 ms)."""
WINDOW = 400
FFT = 512
BANDS = 80
LETTERS = "abcdefghijklmnopqrstuvwxyz' "
BLANK = 0
"""The class that says nothing; letter i of `LETTERS` is class i + 1."""
WIDTH = 192
LAYERS = 3
FLOOR = 1e-8
"""Of a band's power, relative to a full-scale sine's."""


def classes(text: str) -> list[int]:
    """What the recogniser should say for `text`."""
    return [LETTERS.index(letter) + 1 for letter in " ".join(normal(text))]


def resample(sound: Tensor, rate: int, new_rate: int) -> Tensor:
    """[…, n] at `rate` -> […, n * new_rate / rate], by cutting or filling up the spectrum."""
    size = sound.shape[-1]
    new_size = size * new_rate // rate
    spectrum = torch.fft.rfft(sound)
    return torch.fft.irfft(spectrum[..., : new_size // 2 + 1], n=new_size) * (new_size / size)


class Features(nn.Module):
    """Sound [batch, n] at 16 kHz -> log-mel [batch, n // HOP + 1, BANDS].

    Not changed by the sound's level, but for the floor.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("bank", _mel_bank(), persistent=False)

    def forward(self, sound: Tensor) -> Tensor:
        """As the class says."""
        loud = sound.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-5)
        spectrum = torch.stft(
            sound / loud * 0.1, FFT, HOP, WINDOW, self.window, return_complex=True
        )
        power = spectrum.abs().square() / (WINDOW / 4) ** 2
        return torch.log10(power.transpose(1, 2) @ self.bank + FLOOR)


def _mel_bank() -> Tensor:
    """Triangles, evenly spaced in mel from 60 Hz to 7.6 kHz, [FFT / 2 + 1, BANDS]."""
    low, high = (2595 * torch.log10(torch.tensor(1 + f / 700)) for f in (60.0, 7600.0))
    edges = 700 * (10 ** (torch.linspace(float(low), float(high), BANDS + 2) / 2595) - 1)
    frequencies = torch.linspace(0, RATE / 2, FFT // 2 + 1)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp_min(0)


class Recogniser(nn.Module):
    """Log-mel -> log-probabilities of `BLANK` and the letters, one row for 20 ms."""

    def __init__(self) -> None:
        super().__init__()
        self.features = Features()
        self.first = nn.Conv1d(BANDS, WIDTH, 5, padding=2)
        self.second = nn.Conv1d(WIDTH, WIDTH, 5, stride=2, padding=2)
        self.norm = nn.LayerNorm(WIDTH)
        self.gru = nn.GRU(WIDTH, WIDTH, LAYERS, batch_first=True, bidirectional=True, dropout=0.1)
        self.out = nn.Linear(2 * WIDTH, len(LETTERS) + 1)

    def forward(self, mel: Tensor) -> Tensor:
        """[batch, rows, BANDS] -> [batch, (rows + 1) // 2, classes]."""
        x = torch.nn.functional.gelu(self.first((mel + 6).transpose(1, 2)))
        x = torch.nn.functional.gelu(self.second(x)).transpose(1, 2)
        x, _ = self.gru(self.norm(x))
        return self.out(x).log_softmax(-1)


def letters(scores: Tensor) -> str:
    """The likeliest classes of [rows, classes], repeats and blanks removed."""
    said = torch.unique_consecutive(scores.argmax(-1)).tolist()
    return "".join(LETTERS[number - 1] for number in said if number != BLANK)


class Listener:
    """A trained recogniser that gives words.

    Args:
        path: what `save` wrote.
        words: beside those of the training, what may be said.
    """

    def __init__(self, path: Path, words: Collection[str] = ()) -> None:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        self.model = Recogniser().eval()
        self.model.load_state_dict({name: x.float() for name, x in stored["state"].items()})
        self._known = sorted({*stored["words"], *words})
        self._snapped: dict[str, str] = {}

    @torch.no_grad()
    def words(self, sound: Tensor) -> list[str]:
        """The words in [n] float at 16 kHz."""
        if len(sound) < WINDOW:
            return []
        scores = self.model(self.model.features(sound[None]))[0]
        return [self._snap(word) for word in letters(scores).split()]

    def _snap(self, word: str) -> str:
        if word not in self._snapped:
            self._snapped[word] = snap(word, self._known)
        return self._snapped[word]


def save(model: Recogniser, words: Collection[str], path: Path) -> None:
    """Write the weights, float16, and the words that occurred in the training."""
    state = {name: x.half().cpu() for name, x in model.state_dict().items()}
    torch.save({"state": state, "words": sorted(words)}, path)


def snap(word: str, known: Sequence[str]) -> str:
    """The nearest of the `known` words, if it is within a third of the word's length."""
    if word in known:
        return word
    most = len(word) // 3
    near = [other for other in known if abs(len(other) - len(word)) <= most]
    distances = [(distance(word, other), other) for other in near]
    best = min(distances, default=(most + 1, word))
    return best[1] if best[0] <= most else word
