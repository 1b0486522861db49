"""Recordings made by hand, in the format that the recorder writes, for whatever reads them."""

import json

import numpy as np
import soundfile

from moshi_tui.recording.codes import COLUMNS, Codes

RATE = 24_000

HEADER = {
    "type": "header",
    "schema": 2,
    "started": "2026-11-23T12:00:00.000+00:00",
    "audio": {"file": "audio.wav", "rate": RATE, "channels": ["user", "moshi"]},
    "program": {"name": "moshi-tui", "version": "0.1.0"},
    "python": "3.11.0",
    "packages": {"mlx": "0.32.4", "numpy": "2.0.0"},
    "model": "demo",
    "quant": "f32",
    "device": "CPU",
    "runner": "numpy",
    "codec": "pocket",
    "seed": 7,
    "sampling": {
        "text_temperature": 0.7,
        "text_top_k": 25,
        "audio_temperature": 0.8,
        "audio_top_k": 250,
        "conditions": {},
    },
    "checkpoint": {"demo": True},
    "weights": {"file": "model.safetensors", "bytes": 1000, "fingerprint": "0" * 16},
    "devices": {"input": "Built-in Microphone", "output": "Headphones"},
    "rates": {"input": 48_000, "output": 44_100},
    "volume_db": 0.0,
    "frames": {"rate": 12.5, "samples": 1920, "first": 0},
    "codes": {"user": 8, "moshi": 8},
    "microphone": None,
}

LAG = {
    "lag_ms": 150.0,
    "step_ms": 40.0,
    "encode_ms": 8.0,
    "decode_ms": 9.0,
    "backlog_frames": 0.4,
    "input_latency_ms": 12.0,
    "output_latency_ms": 20.0,
    "playout_ms": 30.0,
    "playout_speed": 1.0,
    "dropped_input_ms": 0.0,
    "dropped_output_ms": 0.0,
    "underruns": 0,
    "input_overflows": 0,
    "output_underflows": 0,
    "skips": {
        "user_silence_ms": 0.0,
        "user_speech_ms": 0.0,
        "moshi_silence_ms": 0.0,
        "moshi_speech_ms": 0.0,
        "moshi_speed_ms": 0.0,
    },
    "context_frames": 100,
    "context_size": 3000,
    "memory_bytes": 300_000_000,
    "memory_cache_bytes": 20_000_000,
    "memory_peak_bytes": 350_000_000,
    "silent_s": 0.0,
    "echo_db": None,
    "health": "",
}
"""The numbers of a record of the type "lag", named as in `Stats`."""

TOTALS = {
    "pieces": 10,
    "words": 10,
    "turns": 1,
    "spoken_s": 0.96,
    "skips": {
        "user_silence_ms": 80.0,
        "user_speech_ms": 0.0,
        "moshi_silence_ms": 0.0,
        "moshi_speech_ms": 0.0,
        "moshi_speed_ms": 0.0,
    },
    "underruns": 1,
    "underrun_ms": 42.0,
    "steps": 125,
}
"""Of the record "end"; pieces and words are Moshi's, turns and `spoken_s` the user's, `steps` those
of the model while recording."""


def record(t, kind, /, **more):
    return {"t": round(t, 3), "frame": int(t * 12.5), "type": kind, **more}


def a_talk(seconds):
    """Both sides take turns, something happens now and then, and the lag is told each second."""
    records = [record(second, "lag", **LAG) for second in range(int(seconds))]
    words = ["Hello", "there.", "How", "are", "you", "today?", "That", "sounds", "like", "fun."]
    for start in np.arange(0.5, seconds - 4, 6.0):
        for index, word in enumerate(words):
            text = word if index == 0 else f" {word}"
            at = start + 0.2 * index
            records.append(record(at, "text", token=index, text=text, begins=index == 0))
        records.append(record(start + 2.6, "user_start"))
        levels = [-30.0, -22.0, -20.0, -35.0]
        records.append(record(start + 3.6, "user_stop", seconds=0.96, levels=levels))
    if seconds > 8:
        records.append(record(2.5, "skip", side="user", kind="silence", ms=80.0))
        records.append(record(5.5, "underrun", ms=42.0))
        records.append(record(6.0, "mute", muted=True))
        records.append(record(6.4, "mute", muted=False))
    return sorted(records, key=lambda each: each["t"])


def sound_of(seconds):
    """[n, 2]: the user is a tone of 300 Hz in the first half of each second, Moshi one of 500 Hz
    in the second half."""
    t = np.arange(round(seconds * RATE)) / RATE
    user = 0.3 * np.sin(2 * np.pi * 300 * t) * (t % 1 < 0.5)
    moshi = 0.2 * np.sin(2 * np.pi * 500 * t) * (t % 1 >= 0.5)
    return np.stack((user, moshi), axis=1).astype(np.float32)


def codes_of(steps, *, n_user=8, n_moshi=8, delay=2):
    random = np.random.default_rng(1)
    moshi = random.integers(0, 2048, (steps, n_moshi), dtype=np.int32)
    moshi[:delay] = -1
    return Codes(
        epoch=np.zeros(steps, np.int32),
        step=np.arange(steps, dtype=np.int32),
        seed=np.full(steps, 7, np.uint32),
        frame=np.arange(steps, dtype=np.int32),
        text=random.integers(0, 32000, steps, dtype=np.int32),
        user=random.integers(0, 2048, (steps, n_user), dtype=np.int32),
        moshi=moshi,
    )


def write_recording(folder, *, seconds=10.0, records=None, header=None, sound=None, complete=True):
    """The folder, made. `complete=False`: as if the process had been killed."""
    folder.mkdir(parents=True)
    records = a_talk(seconds) if records is None else records
    lines = [{**HEADER, **(header or {})}, *records]
    if complete:
        end = {"seconds": seconds, "counts": {}, "dropped": 0, "totals": TOTALS, "error": None}
        lines.append(record(seconds, "end", **end))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "events.jsonl").write_text(text)
    pcm = sound_of(seconds) if sound is None else sound
    soundfile.write(folder / "audio.wav", pcm, RATE, subtype="PCM_16")
    codes = codes_of(int(seconds * 12.5))
    if complete:
        np.savez(folder / "codes.npz", **codes.arrays())
    else:
        np.save(folder / "codes.npy", rows_of(codes))
    return folder


def rows_of(codes):
    """As `codes.npy` has them."""
    named = [getattr(codes, name) for name in COLUMNS]
    named[COLUMNS.index("seed")] = codes.seed.view(np.int32)
    return np.concatenate((np.stack(named, axis=1), codes.user, codes.moshi), axis=1)
