"""Makes moshi_tui/bench/speech.ogg: a person's side of a short talk, spoken by flite's voice "slt".

Needs flite (apt: flite). Run from the repository's root: python assets/make_bench_speech.py
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from moshi_tui.audio.files import read_audio
from moshi_tui.frames import SAMPLE_RATE

TARGET = Path("moshi_tui/bench/speech.ogg")
SPEECH_DBFS = -20.0
"""Loudness of each sentence (RMS)."""
START_S = 1.0

# What is said, and the seconds of silence after it.
SENTENCES = (
    ("Hello there! How are you today?", 2.4),
    ("I just came back from a long walk in the hills.", 2.2),
    ("It rained a little, but the view was wonderful.", 2.6),
    ("Do you have a favourite place to go?", 2.8),
    ("That sounds lovely. I would like to see it one day.", 2.2),
    ("Well, it was nice talking to you. Good bye!", 2.0),
)


def speak(text: str) -> np.ndarray:
    """One sentence as float32 [n] at 24 kHz, at the right loudness, without silence around it."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "sentence.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(wav)], check=True)
        pcm = read_audio(wav)
    loud = np.flatnonzero(np.abs(pcm) > 0.005)
    pcm = pcm[max(0, loud[0] - 480) : loud[-1] + 2400]
    rms = np.sqrt(np.mean(np.square(pcm)))
    return pcm * np.float32(10 ** (SPEECH_DBFS / 20) / rms)


def main() -> None:
    """Speak all sentences into the file."""
    parts = [np.zeros(round(START_S * SAMPLE_RATE), np.float32)]
    for text, pause_s in SENTENCES:
        parts += [speak(text), np.zeros(round(pause_s * SAMPLE_RATE), np.float32)]
    pcm = np.concatenate(parts)
    soundfile.write(TARGET, pcm, SAMPLE_RATE, format="OGG", subtype="VORBIS")
    print(f"{TARGET}: {len(pcm) / SAMPLE_RATE:.1f} s, peak {np.abs(pcm).max():.2f}")


if __name__ == "__main__":
    main()
