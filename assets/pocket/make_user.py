"""Makes what the app's demo user says: moshi_tui/demo/user/NN-name.ogg and lines.json.

flite's voice rms as it is, at the dialogues' level, 24 kHz. Run it from the repository's root:
python assets/pocket/make_user.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import shapes
import soundfile
import speakers
from phrases_grammar import held_out

TARGET = Path("moshi_tui/demo/user")
USER = speakers.User("rms", speakers.PITCH_UNIT, 1.0)
LINES = (
    ("hello", "Hello there!", "turn"),
    ("how", "How are you?", "turn"),
    ("name", "What's your name?", "turn"),
    ("who", "Who made you?", "turn"),
    ("weather", "It is sunny today.", "turn"),
    ("day", "Tomorrow is Monday.", "turn"),
    ("music", "I like jazz.", "turn"),
    ("food", "My favourite food is pasta.", "turn"),
    ("wait", "Wait, wait, sorry.", "interrupt"),
    ("animal", "Do you like cats?", "turn"),
    ("joke", "Tell me a joke, please.", "turn"),
    ("another", "Another joke, please.", "turn"),
    ("stop", "Stop, stop.", "interrupt"),
    ("able", "What can you do?", "turn"),
    ("thanks", "Thank you very much.", "turn"),
    ("bye", "Goodbye, Moshi.", "turn"),
)
"""Name, text, and whether it is said after Moshi or into its words."""


def at_codec_rate(samples: np.ndarray) -> np.ndarray:
    """int16 [n] at 16 kHz as float32 [1.5 n] at 24 kHz, through the Fourier transform."""
    n = len(samples) // 2 * 2
    longer = n * shapes.RATE // shapes.SPEECH_RATE
    spectrum = np.fft.rfft(samples[:n].astype(np.float64) / 32768)
    return (np.fft.irfft(spectrum, longer) * (longer / n)).astype(np.float32)


def main() -> None:
    """Speak all lines into files."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for old in TARGET.glob("*.ogg"):
        old.unlink()
    entries = []
    for number, (name, text, kind) in enumerate(LINES, 1):
        if held_out(text):
            raise SystemExit(f"{text!r} is held out: say something that Moshi was trained on")
        file = f"{number:02d}-{name}.ogg"
        sound = at_codec_rate(USER.say(text).samples)
        soundfile.write(TARGET / file, sound, shapes.RATE, format="OGG", subtype="VORBIS")
        entries.append({"file": file, "text": text, "kind": kind})
    (TARGET / "lines.json").write_text(json.dumps(entries, indent=2) + "\n")
    print(f"{TARGET}: {len(entries)} lines")


if __name__ == "__main__":
    main()
