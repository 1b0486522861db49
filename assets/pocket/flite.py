"""Speech from flite's shared libraries, with the times of its words and phones.

No process per sentence: ctypes on libflite. `FLITE_LIB` names a folder that holds the libraries
(Debian's package libflite1, unpacked); without it the system's are taken.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_float, c_int, c_short, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

RATE = 16_000
VOICES = ("slt", "rms", "awb", "kal16")
KEEP_S = 0.03
"""Of the silence that flite puts before and after, this much stays."""
FADE = 48
"""Samples (3 ms) over which an utterance fades in and out."""
SILENCE = "pau"

Timed = tuple[str, float, float]
"""A word or phone, and the seconds at which it starts and ends."""


@dataclass(frozen=True)
class Utterance:
    """What was said: samples int16 [n] at 16 kHz; words as written; phones without silence."""

    samples: np.ndarray
    words: list[Timed]
    phones: list[Timed]


class FliteError(RuntimeError):
    """flite is not there, or did not do what was asked."""


class _Wave(ctypes.Structure):
    _fields_ = [
        ("type", c_char_p),
        ("sample_rate", c_int),
        ("num_samples", c_int),
        ("num_channels", c_int),
        ("samples", POINTER(c_short)),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("features", c_void_p)]


_SIGNATURES = {
    "flite_synth_text": (c_void_p, (c_char_p, c_void_p)),
    "utt_wave": (POINTER(_Wave), (c_void_p,)),
    "utt_relation": (c_void_p, (c_void_p, c_char_p)),
    "relation_head": (c_void_p, (c_void_p,)),
    "item_next": (c_void_p, (c_void_p,)),
    "item_daughter": (c_void_p, (c_void_p,)),
    "item_as": (c_void_p, (c_void_p, c_char_p)),
    "item_feat_string": (c_char_p, (c_void_p, c_char_p)),
    "item_feat_float": (c_float, (c_void_p, c_char_p)),
    "delete_utterance": (None, (c_void_p,)),
    "feat_set_float": (None, (c_void_p, c_char_p, c_float)),
}


def _load(name: str) -> ctypes.CDLL:
    folder = os.environ.get("FLITE_LIB", "")
    path = str(Path(folder) / f"{name}.so.1") if folder else f"{name}.so.1"
    try:
        return ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        hint = "FLITE_LIB's folder must hold it" if folder else "install Debian's package flite"
        raise FliteError(f"cannot load {path} ({error}): {hint}") from error


@cache
def _flite() -> ctypes.CDLL:
    lib = _load("libflite")
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    _load("libflite_usenglish")
    _load("libflite_cmulex")
    lib.flite_init()
    return lib


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@cache
def _voice(name: str) -> ctypes._Pointer[_Voice]:
    if name not in VOICES:
        raise FliteError(f"no voice {name!r}: there are {', '.join(VOICES)}")
    _flite()
    register = getattr(_load(f"libflite_cmu_us_{name}"), f"register_cmu_us_{name}")
    register.restype, register.argtypes = POINTER(_Voice), (c_char_p,)
    return register(None)


def say(text: str, voice: str, stretch: float = 1.0) -> Utterance:
    """Speak `text` (ASCII, words apart by blanks); `stretch` 2 makes it last twice as long.

    The noise of breath comes from C's `rand`: with its seed set, a text sounds the same each time.
    """
    lib, chosen = _flite(), _voice(voice)
    lib.feat_set_float(chosen.contents.features, b"duration_stretch", stretch)
    _libc().srand(1)
    utterance = lib.flite_synth_text(text.encode("ascii"), chosen)
    if not utterance:
        raise FliteError(f"flite could not say {text!r}")
    try:
        return _trim(
            _samples(lib, utterance), _words(lib, utterance, text), _phones(lib, utterance)
        )
    finally:
        lib.delete_utterance(utterance)


def _samples(lib: ctypes.CDLL, utterance: int) -> np.ndarray:
    wave = lib.utt_wave(utterance).contents
    if wave.sample_rate != RATE or wave.num_channels != 1:
        raise FliteError(f"flite spoke at {wave.sample_rate} Hz, {wave.num_channels} channels")
    return np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).copy()


def _each(lib: ctypes.CDLL, item: int | None) -> Iterator[int]:
    while item:
        yield item
        item = lib.item_next(item)


def _relation(lib: ctypes.CDLL, utterance: int, name: bytes) -> Iterator[int]:
    return _each(lib, lib.relation_head(lib.utt_relation(utterance, name)))


def _phones(lib: ctypes.CDLL, utterance: int) -> list[Timed]:
    phones, start = [], 0.0
    for item in _relation(lib, utterance, b"Segment"):
        end = lib.item_feat_float(item, b"end")
        phones.append((lib.item_feat_string(item, b"name").decode(), start, end))
        start = end
    return phones


def _words(lib: ctypes.CDLL, utterance: int, text: str) -> list[Timed]:
    """A written word is one item of relation Token; its daughters are what flite says for it."""
    written = text.split()
    starts = {}
    start = 0.0
    for item in _relation(lib, utterance, b"Segment"):
        end = lib.item_feat_float(item, b"end")
        starts[_identity(lib, item)] = start, end
        start = end
    words = []
    tokens = list(_relation(lib, utterance, b"Token"))
    if len(tokens) != len(written):
        raise FliteError(f"flite sees {len(tokens)} words in {text!r}, not {len(written)}")
    for word, token in zip(written, tokens, strict=True):
        times = [
            starts[_identity(lib, segment)]
            for said in _each(lib, lib.item_daughter(token))
            for syllable in _each(lib, lib.item_daughter(lib.item_as(said, b"SylStructure")))
            for segment in _each(lib, lib.item_daughter(syllable))
        ]
        if not times:
            raise FliteError(f"flite does not say {word!r} in {text!r}")
        words.append((word, times[0][0], times[-1][1]))
    return words


def _identity(lib: ctypes.CDLL, segment: int) -> int:
    return lib.item_as(segment, b"Segment")


def _trim(samples: np.ndarray, words: list[Timed], phones: list[Timed]) -> Utterance:
    """Without the silence around, but for `KEEP_S`."""
    sounding = [phone for phone in phones if phone[0] != SILENCE]
    begin = max(0, round((sounding[0][1] - KEEP_S) * RATE))
    end = min(len(samples), round((sounding[-1][2] + KEEP_S) * RATE))
    kept = samples[begin:end]
    fade = np.linspace(0, 1, FADE)
    kept[:FADE] = kept[:FADE] * fade
    kept[-FADE:] = kept[-FADE:] * fade[::-1]
    shift = begin / RATE
    return Utterance(
        kept,
        [(name, start - shift, end - shift) for name, start, end in words],
        [(name, start - shift, end - shift) for name, start, end in sounding],
    )
