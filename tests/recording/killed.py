"""What a recording of tests.recording.hand must have when its process was killed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moshi_tui.recording.codes import read_codes
from moshi_tui.recording.journal import read_journal
from moshi_tui.recording.transcript import transcript_from
from moshi_tui.recording.wav import HEADER_BYTES, wav_header
from tests.recording.hand import BLOCK, N_MOSHI, N_USER, rows

ROOT = Path(__file__).parents[2]
STEP = 0.08


def child(base):
    """A process that records to a folder in `base`; it says a line for each frame."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.recording.hand", str(base)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
    )


def lost(base, fed):
    """Check all files of the recording in `base`, and return how many seconds each lacks of those
    that its recorder was told."""
    (folder,) = base.iterdir()
    words = check_events(folder)
    return {
        "audio.wav": fed - check_sound(folder / "audio.wav", [0.5, 0.5]),
        "microphone.wav": fed - check_sound(folder / "microphone.wav", [0.75]),
        "events.jsonl": fed - words * STEP,
        "transcript.txt": fed - check_transcript(folder, words) * STEP,
        "codes.npy": fed - check_codes(folder) * STEP,
    }


def check_sound(path, values):
    """The header tells the length, and the sound is what was told; returns its seconds."""
    data, rate = soundfile.read(path, always_2d=True)
    assert (rate, data.shape[1]) == (24_000, len(values))
    head = path.read_bytes()[:HEADER_BYTES]
    assert head == wav_header(len(data), rate, len(values))
    assert path.stat().st_size >= HEADER_BYTES + 2 * data.size
    for side, value in enumerate(values):
        first = 5100 if side else 200  # Moshi is heard 0.2 s later
        # At the end not all that is to be placed there has been told.
        assert data[first : len(data) - 5 * BLOCK, side] == pytest.approx(value, abs=1e-4)
    return len(data) / rate


def check_events(folder):
    """Every line is whole; returns how many words there are."""
    path = folder / "events.jsonl"
    assert path.read_bytes().endswith(b"\n")
    header, *records = read_journal(path)
    assert header["seed"] == 7
    words = [record["text"] for record in records if record["type"] == "text"]
    assert words == [f" word {number}" for number in range(len(words))]
    return len(words)


def check_transcript(folder, words):
    """It can be made of the events, and is written up to a moment; returns how many words are in
    it."""
    assert transcript_from(folder / "events.jsonl").count("Moshi") == words
    text = (folder / "transcript.txt").read_text()
    told = re.findall(r"^00:0\d Moshi  (word \d+)\n", text, re.MULTILINE)
    assert told == [f"word {number}" for number in range(len(told))]
    return len(told)


def check_codes(folder):
    """NumPy reads them; returns how many steps there are."""
    codes = read_codes(folder, N_USER)
    expected = [rows(number)[0] for number in range(len(codes))]
    found = np.load(folder / "codes.npy")
    assert found.shape == (len(codes), 5 + N_USER + N_MOSHI)
    assert not len(codes) or np.array_equal(found, np.stack(expected))
    return len(codes)
