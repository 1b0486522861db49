"""Turns as sound: Moshi, always the same voice, and users whose voices differ in pitch and pace."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

import flite
import numpy as np
from phrases_grammar import split_sentences

RATE = flite.RATE
LEVEL_DBFS = -23.0
"""Of the parts in which a phone sounds (RMS)."""
MOSHI_VOICE = "slt"
USER_VOICES = ("rms", "awb", "kal16")
PITCHES = {"rms": (34, 54), "awb": (34, 54), "kal16": (36, 48)}
PITCH_UNIT = 40
"""A user's pitch is one of these whole numbers over `PITCH_UNIT`: 0.85 to 1.35, 0.9 to 1.2."""
PACE = (0.85, 1.2)
PAUSE_S = 0.24
"""A user's longest pause within a turn; Moshi's between sentences are `MOSHI_PAUSE_S`."""
MOSHI_PAUSE_S = 0.3
CACHED = 3_000


@dataclass(frozen=True)
class Speech:
    """A turn: samples int16 [n] at 16 kHz; words and phones in seconds from its begin."""

    samples: np.ndarray
    words: list[flite.Timed]
    phones: list[flite.Timed]

    @property
    def start(self) -> float:
        """Seconds until its first phone."""
        return self.phones[0][1]

    @property
    def end(self) -> float:
        """Seconds until the end of its last phone."""
        return self.phones[-1][2]

    @property
    def length(self) -> float:
        """Seconds in all."""
        return len(self.samples) / RATE


def join(parts: list[Speech], pause: float) -> Speech:
    """One after the other, `pause` seconds between the phones of one and of the next."""
    samples: list[np.ndarray] = []
    words: list[flite.Timed] = []
    phones: list[flite.Timed] = []
    at = 0
    for index, part in enumerate(parts):
        if index:
            before = parts[index - 1]
            gap = round((pause - part.start - (before.length - before.end)) * RATE)
            samples.append(np.zeros(max(0, gap), np.int16))
            at += len(samples[-1])
        shift = at / RATE
        words += [(word, start + shift, end + shift) for word, start, end in part.words]
        phones += [(phone, start + shift, end + shift) for phone, start, end in part.phones]
        samples.append(part.samples)
        at += len(part.samples)
    return Speech(np.concatenate(samples), words, phones)


def cut(speech: Speech, seconds: float, fade_s: float = 0.03) -> Speech:
    """What has sounded after `seconds`, faded out; a word counts that has sounded for 80 ms."""
    samples = speech.samples[: round(seconds * RATE)].copy()
    n = min(len(samples), round(fade_s * RATE))
    samples[len(samples) - n :] = samples[len(samples) - n :] * np.linspace(1, 0, n)
    return Speech(
        samples,
        [(w, a, min(b, seconds)) for w, a, b in speech.words if a <= seconds - 0.08],
        [(p, a, min(b, seconds)) for p, a, b in speech.phones if a < seconds],
    )


def moshi(text: str) -> Speech:
    """Moshi's voice, the same at each call."""
    return join([_moshi_sentence(sentence) for sentence in split_sentences(text)], MOSHI_PAUSE_S)


@lru_cache(CACHED)
def _moshi_sentence(sentence: str) -> Speech:
    return _levelled(_spoken(sentence, MOSHI_VOICE, 1.0))


@dataclass(frozen=True)
class User:
    """A voice: pitch (a factor) by resampling, pace (1.2: takes longer) by flite's durations."""

    voice: str
    pitch: int
    pace: float

    def say(self, text: str) -> Speech:
        """A turn; no pause in it is longer than `PAUSE_S`."""
        parts = [self._sentence(sentence) for sentence in split_sentences(text)]
        return join(parts, PAUSE_S)

    def _sentence(self, sentence: str) -> Speech:
        factor = self.pitch / PITCH_UNIT
        speech = _spoken(sentence, self.voice, self.pace * factor)
        if self.pitch != PITCH_UNIT:
            speech = _resampled(speech, self.pitch)
        return _levelled(_shorter_pauses(speech))


def draw_user(rng: random.Random) -> User:
    """Any voice, pitch and pace."""
    voice = rng.choice(USER_VOICES)
    return User(voice, rng.randint(*PITCHES[voice]), rng.uniform(*PACE))


def _spoken(sentence: str, voice: str, stretch: float) -> Speech:
    said = flite.say(sentence, voice, stretch)
    return Speech(said.samples, said.words, said.phones)


def _resampled(speech: Speech, pitch: int) -> Speech:
    """Higher by pitch / PITCH_UNIT, and shorter: through the Fourier transform."""
    blocks = -(-len(speech.samples) // pitch)
    length = blocks * PITCH_UNIT
    spectrum = np.fft.rfft(speech.samples.astype(np.float32), blocks * pitch)
    kept = min(len(spectrum), length // 2 + 1)
    sound = np.fft.irfft(spectrum[:kept], length) * (PITCH_UNIT / pitch)
    factor = PITCH_UNIT / pitch
    return Speech(
        np.clip(np.round(sound), -32768, 32767).astype(np.int16),
        [(word, start * factor, end * factor) for word, start, end in speech.words],
        [(phone, start * factor, end * factor) for phone, start, end in speech.phones],
    )


def _shorter_pauses(speech: Speech) -> Speech:
    """With the middle of each pause between phones taken out, so that `PAUSE_S` stays."""
    pieces = []
    begin = 0.0
    words: list[flite.Timed] = []
    phones: list[flite.Timed] = []
    shift = 0.0
    cuts: list[tuple[float, float]] = []
    for phone, start, end in speech.phones:
        silent = start - phones[-1][2] - shift if phones else 0.0
        if silent > PAUSE_S:
            middle = start - silent / 2
            half = (silent - PAUSE_S) / 2
            pieces.append(speech.samples[round(begin * RATE) : round((middle - half) * RATE)])
            begin = middle + half
            shift += 2 * half
            cuts.append((begin, shift))
        phones.append((phone, start - shift, end - shift))
    if not cuts:
        return speech
    for word, start, end in speech.words:
        gone = max((total for at, total in cuts if start >= at), default=0.0)
        words.append((word, start - gone, end - gone))
    pieces.append(speech.samples[round(begin * RATE) :])
    return Speech(np.concatenate(pieces), words, phones)


def _levelled(speech: Speech) -> Speech:
    """At `LEVEL_DBFS` where phones sound."""
    sounding = np.zeros(len(speech.samples), bool)
    for _, start, end in speech.phones:
        sounding[round(start * RATE) : round(end * RATE)] = True
    sound = speech.samples.astype(np.float32) / 32768
    rms = np.sqrt(np.mean(np.square(sound[sounding])))
    sound = np.clip(sound * (10 ** (LEVEL_DBFS / 20) / rms), -0.99, 0.99)
    return Speech(np.round(sound * 32768).astype(np.int16), speech.words, speech.phones)
