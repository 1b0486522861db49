"""What the shipped model does in a talk: it greets, listens, and answers."""

import re

import numpy as np

from moshi_tui.checkpoint import resolve
from moshi_tui.codec import load as load_codec
from moshi_tui.config import CheckpointOptions
from moshi_tui.demo.checkpoint import demo_folder
from moshi_tui.demo.user import load_lines
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE
from moshi_tui.model import Generator, load
from moshi_tui.model.tokenizer import TextStream, TextTokenizer

BLOCK = SAMPLE_RATE // 50
SPEECH_AT, SECONDS = 5.0, 12.0
SILENT_DB = -45.0


def talk(speech):
    """What Moshi says in each frame, and how loud each 20 ms of it are, dBFS."""
    files = resolve(CheckpointOptions(model_dir=demo_folder()))
    generator = Generator(load(files), seed=4)
    silent = (0, generator.config.existing_text_padding_id)
    text = TextStream(TextTokenizer(files.tokenizer), silent)
    ear, voice = (load_codec(files.mimi, n) for n in (generator.n_user, generator.n_generated))
    pieces, sounds = [], []
    for frame in speech.reshape(-1, FRAME_SAMPLES):
        step = generator.step(ear.encode(frame)[:, 0])
        pieces.append(text.push(step.text_token))
        codes = step.audio_codes
        sounds.append(np.zeros(FRAME_SAMPLES) if codes is None else voice.decode(codes[:, None]))
    sound = np.concatenate(sounds)
    assert np.abs(sound).max() < 0.99
    return pieces, 20 * np.log10(np.sqrt(np.mean(sound.reshape(-1, BLOCK) ** 2, axis=1)) + 1e-9)


def words(pieces):
    return "".join(pieces).split()


def test_it_greets_listens_and_answers():
    line = load_lines()[1].blocks.ravel()
    user = np.zeros(round(SECONDS * SAMPLE_RATE), np.float32)
    start = round(SPEECH_AT * SAMPLE_RATE)
    user[start : start + len(line)] = line
    pieces, loudness = talk(user)
    begin, end = start // BLOCK, (start + len(line)) // BLOCK
    audible = loudness > SILENT_DB

    assert audible[: 4 * 50].any()
    assert len(words(pieces[: start // FRAME_SAMPLES])) >= 3
    assert audible[begin:end].mean() < 0.5
    assert audible[end : end + 2 * 50].any()
    assert len(words(pieces[(start + len(line)) // FRAME_SAMPLES :])) >= 2
    assert all(re.fullmatch(r"[A-Za-z']+[,.?!]?", word) for word in words(pieces))
