"""Makes assets/session.svg, the picture of a session in the README, as `moshi-tui replay DIR
--render session.svg` draws it.

The session is made up, so that a minute shows everything: two voices of flite (apt: flite) take
turns, and things go wrong now and then. Run from the repository's root:

    python assets/make_session_picture.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from moshi_tui.audio.files import read_audio
from moshi_tui.frames import FRAME_SECONDS, SAMPLE_RATE
from moshi_tui.recording.files import AUDIO, EVENTS
from moshi_tui.recording.journal import SCHEMA
from moshi_tui.recording.reader import Recording
from moshi_tui.replay.picture import render

TARGET = Path(__file__).with_name("session.svg")
SECONDS = 60.0

# When, which voice, how loud (dBFS), what.
TALK = (
    (0.8, "moshi", -21.0, "Hey, how's it going?"),
    (3.2, "user", -26.0, "Hello Moshi! I just came back from a long walk in the hills."),
    (7.6, "moshi", -21.0, "Oh, that sounds like fun! What did you think of the view?"),
    (12.0, "user", -26.0, "It rained a little, but the view from the top was wonderful."),
    (16.6, "moshi", -21.0, "I bet it was. Rain makes everything smell so fresh, doesn't it?"),
    (21.4, "user", -26.0, "It does. Do you have a favourite place to go?"),
    (25.0, "moshi", -21.0, "I think I would like the sea. I like to listen to the waves, all day."),
    (31.0, "user", -26.0, "That sounds lovely."),
    (33.4, "moshi", -21.0, "Have you ever been there in winter? It is quiet then, and wild."),
    (43.2, "moshi", -21.0, "Hi there, what's up?"),
    (45.6, "user", -26.0, "Can you tell me what people eat in Paris?"),
    (49.6, "moshi", -21.0, "Sure! Bread, cheese, and onion soup. What is your favourite dish?"),
    (54.6, "user", -26.0, "Onion soup, of course. Good bye!"),
)
VOICES = {"user": "slt", "moshi": "rms"}

HAPPENED: tuple[tuple[float, dict[str, Any]], ...] = (
    (19.1, {"type": "underrun", "ms": 46.0}),
    (21.2, {"type": "skip", "side": "user", "kind": "silence", "ms": 80.0}),
    (24.5, {"type": "skip", "side": "user", "kind": "silence", "ms": 80.0}),
    (24.6, {"type": "skip", "side": "user", "kind": "silence", "ms": 80.0}),
    (26.9, {"type": "skip", "side": "moshi", "kind": "silence", "ms": 80.0}),
    (27.9, {"type": "skip", "side": "moshi", "kind": "speed", "ms": 7.0}),
    (30.2, {"type": "device", "side": "output", "name": "Headphones"}),
    (38.4, {"type": "mute", "muted": True}),
    (40.6, {"type": "mute", "muted": False}),
    (42.0, {"type": "reset", "seed": 8}),
)
STALL = 18.6
"""Something else kept the machine busy: the lag rises, and is worked off."""


def speak(text: str, voice: str, dbfs: float) -> np.ndarray:
    """One sentence as float32 [n] at 24 kHz, without silence around it."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "sentence.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(wav)], check=True)
        pcm = read_audio(wav)
    loud = np.flatnonzero(np.abs(pcm) > 0.005)
    pcm = pcm[loud[0] : loud[-1]]
    return pcm * np.float32(10 ** (dbfs / 20) / np.sqrt(np.mean(np.square(pcm))))


def make_recording(folder: Path) -> None:
    """Write the session into a folder, as the recorder would have."""
    pcm = np.zeros((round(SECONDS * SAMPLE_RATE), 2), np.float32)
    pcm += np.random.default_rng(1).normal(0, 0.0004, pcm.shape).astype(np.float32)
    records = [record(t, what) for t, what in HAPPENED]
    records += [record(float(t), {"type": "lag", "lag_ms": lag(t)}) for t in range(int(SECONDS))]
    for start, side, dbfs, text in TALK:
        voice = speak(text, VOICES[side], dbfs)
        first = round(start * SAMPLE_RATE)
        voice = voice[: len(pcm) - first]
        pcm[first : first + len(voice), int(side == "moshi")] += voice
        seconds = len(voice) / SAMPLE_RATE
        if side == "moshi":
            records += words(start, seconds, text)
        else:
            records.append(record(start, {"type": "user_start"}))
            stop = {"type": "user_stop", "seconds": round(seconds, 2), "levels": []}
            records.append(record(start + seconds, stop))
    header = {
        "type": "header",
        "schema": SCHEMA,
        "started": "2026-11-23T12:00:00.000+00:00",
        "model": "moshiko",
        "quant": "q4",
        "device": "Apple M3 Max",
        "codec": "rustymimi",
    }
    end = record(SECONDS, {"type": "end", "seconds": SECONDS, "error": None})
    lines = [header, *sorted(records, key=lambda each: each["t"]), end]
    (folder / EVENTS).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    soundfile.write(folder / AUDIO, pcm, SAMPLE_RATE, subtype="PCM_16")


def record(t: float, what: dict[str, Any]) -> dict[str, Any]:
    """A line of events.jsonl."""
    return {"t": round(t, 3), "frame": int(t / FRAME_SECONDS), **what}


def words(start: float, seconds: float, text: str) -> list[dict[str, Any]]:
    """When each is said, by its share of the letters."""
    records, letters = [], 0
    for index, word in enumerate(text.split()):
        what = {"type": "text", "token": 0, "text": f" {word}", "begins": index == 0}
        records.append(record(start + seconds * letters / len(text), what))
        letters += len(word) + 1
    return records


def lag(t: int) -> float:
    """As it is mostly, and after the stall."""
    stalled = 720 - 60 * (t - STALL) if t > STALL else 0.0
    return round(max(stalled, 185 + 25 * np.sin(t * 1.3) + 12 * np.sin(t * 3.1)), 1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Makes assets/session.svg.")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "moshi-20261123-120000"
        folder.mkdir()
        make_recording(folder)
        recording = Recording(folder)
        try:
            render(recording, options.out)
        finally:
            recording.close()
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
