"""What a user's microphone hears that is not speech, made with NumPy: float32 [n] at 16 kHz."""

from __future__ import annotations

import numpy as np

RATE = 16_000
_NOTES = np.array([0, 2, 4, 5, 7, 9, 11, 12])
_HARMONICS = np.arange(1, 7)


def _time(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * RATE)) / RATE


def _resonances(signal: np.ndarray, peaks: list[tuple[float, float]]) -> np.ndarray:
    """Shaped by formants: (centre in Hz, width in Hz) each."""
    spectrum = np.fft.rfft(signal)
    hertz = np.fft.rfftfreq(len(signal), 1 / RATE)
    gain = sum(1 / (1 + ((hertz - centre) / width) ** 2) for centre, width in peaks)
    return np.fft.irfft(spectrum * gain, len(signal))


def _harmonic(hertz: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """A sum of the partials of a gliding tone."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    return np.sin(phase[:, None] * _HARMONICS) @ strength


def _edges(signal: np.ndarray, seconds: float = 0.03) -> np.ndarray:
    n = min(len(signal) // 2, round(seconds * RATE))
    fade = np.linspace(0, 1, n)
    signal[:n] *= fade
    signal[len(signal) - n :] *= fade[::-1]
    return signal


def cough(rng: np.random.Generator) -> np.ndarray:
    """One to three bursts of noise with the formants of an open mouth."""
    parts = []
    for _ in range(rng.integers(1, 4)):
        time = _time(rng.uniform(0.12, 0.3))
        burst = rng.standard_normal(len(time)) * np.exp(-time / rng.uniform(0.04, 0.1))
        rough = 1 + 0.5 * np.sign(np.sin(2 * np.pi * rng.uniform(70, 140) * time))
        peaks = [(rng.uniform(500, 900), 150.0), (rng.uniform(1200, 1900), 250.0), (2800.0, 500.0)]
        parts += [_resonances(burst * rough, peaks), np.zeros(round(rng.uniform(0.03, 0.2) * RATE))]
    return np.concatenate(parts[:-1])


def hum(rng: np.random.Generator) -> np.ndarray:
    """A voiced tone that glides from note to note, with vibrato and a closed mouth."""
    base = rng.uniform(95, 260)
    steps = rng.choice(_NOTES, rng.integers(2, 14))
    notes = np.concatenate(
        [np.full(round(rng.uniform(0.2, 0.55) * RATE), base * 2 ** (step / 12)) for step in steps]
    )
    glide = round(0.06 * RATE)
    sums = np.cumsum(np.concatenate((np.full(glide, notes[0]), notes)))
    hertz = (sums[glide:] - sums[:-glide]) / glide
    time = np.arange(len(hertz)) / RATE
    hertz = hertz * (1 + 0.012 * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * time))
    voice = _harmonic(hertz, 1 / _HARMONICS ** rng.uniform(1.5, 2.5))
    return _edges(voice + 0.01 * rng.standard_normal(len(voice)), 0.06)


def tone(rng: np.random.Generator) -> np.ndarray:
    """Beeps, as of a phone or an oven."""
    time = _time(rng.uniform(0.08, 0.6))
    beep = _edges(np.sin(2 * np.pi * rng.uniform(300, 2500) * time), 0.01)
    gap = np.zeros(round(rng.uniform(0.05, 0.4) * RATE))
    return np.concatenate([beep, gap] * int(rng.integers(1, 5)))[: -len(gap)]


def music(rng: np.random.Generator) -> np.ndarray:
    """A simple melody over chords."""
    base = rng.uniform(180, 330)
    beat = rng.uniform(0.22, 0.45)
    strength = 1 / _HARMONICS ** rng.uniform(1.0, 2.5)
    bars = []
    for _ in range(rng.integers(2, 5)):
        root = rng.choice((0, 5, 7, 9))
        time = _time(4 * beat)
        bar = np.zeros(len(time))
        for step in (0, 4 if root != 9 else 3, 7):
            hertz = base / 2 * 2 ** ((root + step) / 12)
            bar += 0.3 * np.sin(2 * np.pi * hertz * time) * np.exp(-time / 1.5)
        for index in range(4):
            start = round(index * beat * RATE)
            time = np.arange(len(bar) - start) / RATE
            hertz = np.full(len(time), base * 2 ** (rng.choice(_NOTES) / 12))
            bar[start:] += _harmonic(hertz, strength) * np.exp(-time / 0.3)
        bars.append(_edges(bar, 0.005))
    return _edges(np.concatenate(bars))


def knocks(rng: np.random.Generator) -> np.ndarray:
    """Knocks at a door or on a table."""
    time = _time(rng.uniform(0.12, 0.3))
    hertz = rng.uniform(120, 400)
    parts = []
    for _ in range(rng.integers(1, 6)):
        knock = np.sin(2 * np.pi * hertz * time) + 0.4 * rng.standard_normal(len(time))
        parts.append(knock * np.exp(-time / rng.uniform(0.01, 0.03)) * rng.uniform(0.6, 1))
    return np.concatenate(parts)


def keyboard(rng: np.random.Generator) -> np.ndarray:
    """Clicks of keys."""
    out = np.zeros(round(rng.uniform(0.5, 4) * RATE))
    length = round(0.03 * RATE)
    decay = np.exp(-np.arange(length) / RATE / 0.005)
    position = 0
    while position + length < len(out):
        click = rng.standard_normal(length) * decay * rng.uniform(0.3, 1)
        out[position : position + length] += click
        position += round(rng.uniform(0.08, 0.35) * RATE)
    return _resonances(out, [(2500.0, 1200.0), (5000.0, 1500.0)])


MAKERS = {
    "cough": (cough,),
    "hum": (hum,),
    "tone": (tone,),
    "music": (music,),
    "noise": (knocks, keyboard),
}
"""By the kind that a dialogue's turn names."""


def make(kind: str, rng: np.random.Generator) -> np.ndarray:
    """A sound of that kind, int16 [n], its loud parts between -33 and -19 dBFS."""
    makers = MAKERS[kind]
    sound = makers[rng.integers(len(makers))](rng)
    power = np.sort(np.square(sound))[len(sound) // 2 :].mean()
    sound = sound * 10 ** (rng.uniform(-33, -19) / 20) / np.sqrt(power)
    return np.round(np.clip(sound, -0.9, 0.9) * 32767).astype(np.int16)
