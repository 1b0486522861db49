"""The generator of speech and dialogues in assets/pocket keeps its own rules."""

import ctypes.util
import itertools
import json
import random
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

POCKET = Path(__file__).parents[2] / "assets" / "pocket"
NAMES = [
    "shapes",
    "flite",
    "phrases",
    "phrases_grammar",
    "phrases_moshi",
    "phrases_user",
    "speakers",
    "sounds",
    "dialogue",
    "make_dialogues",
    "make_user",
]
has_flite = pytest.mark.skipif(
    ctypes.util.find_library("flite") is None, reason="flite is not installed"
)


@pytest.fixture(scope="module")
def pocket():
    before = set(sys.modules)
    sys.path.insert(0, str(POCKET))
    try:
        yield SimpleNamespace(**{name: __import__(name) for name in NAMES})
    finally:
        sys.path.remove(str(POCKET))
        for name in set(sys.modules) - before:
            if str(POCKET) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


@pytest.fixture(scope="module")
def dialogues(pocket):
    return [pocket.dialogue.make(f"t{n}", ("train", "test")[n % 2]) for n in range(6)]


def active(turns, who, kinds=("speech",)):
    return [turn for turn in turns if turn.who == who and turn.kind in kinds]


@has_flite
def test_words_of_flite_are_the_written_ones_at_the_times_of_its_phones(pocket):
    said = pocket.flite.say("Hello, it's 10 o'clock, don't worry.", "slt")
    assert [word for word, _, _ in said.words] == [
        "Hello,",
        "it's",
        "10",
        "o'clock,",
        "don't",
        "worry.",
    ]
    times = [time for _, start, end in said.words for time in (start, end)]
    assert times == sorted(times)
    assert times[0] == pytest.approx(0.03, abs=0.002)
    assert len(said.samples) / 16_000 - times[-1] == pytest.approx(0.03, abs=0.002)
    assert said.phones[0][0] == "hh"
    assert "pau" not in [phone for phone, _, _ in said.phones]


@has_flite
@pytest.mark.parametrize("voice", ["slt", "rms", "awb", "kal16"])
def test_sound_is_where_the_words_are(pocket, voice):
    said = pocket.flite.say("Good morning, my friend.", voice, 1.1)
    loud = np.zeros(len(said.samples), bool)
    for _, start, end in said.words:
        loud[round(start * 16_000) : round(end * 16_000)] = True
    power = np.square(said.samples.astype(float))
    assert power[loud].mean() > 20 * power[~loud].mean()


@has_flite
def test_a_user_s_pitch_changes_the_voice_but_not_the_pace(pocket):
    users = [pocket.speakers.User("rms", pitch, 1.0) for pitch in (34, 40, 54)]
    said = [user.say("I would like some pizza. And you?") for user in users]
    assert max(one.length for one in said) < 1.1 * min(one.length for one in said)
    for one in said:
        gaps = [b[1] - a[2] for a, b in itertools.pairwise(one.phones)]
        assert max(gaps) <= 0.3
        assert one.words[-1][2] == pytest.approx(one.end, abs=1e-6)


def test_sentences_are_of_their_split_and_in_plain_words(pocket):
    moshi = list(itertools.islice(pocket.phrases.sentences("moshi", "train", 1), 3000))
    user = list(itertools.islice(pocket.phrases.sentences("user", "train", 1), 3000))
    assert not any(map(pocket.dialogue.held_out, moshi + user))
    assert all(re.fullmatch(r"[A-Za-z' ,]+[.?!]", sentence) for sentence in moshi + user)
    assert len({word for one in moshi for word in re.findall(r"[a-z']+", one.lower())}) <= 700
    assert max(len(sentence.split()) for sentence in moshi) <= 16
    for intent, templates in pocket.phrases_user.INTENTS.items():
        assert len(templates) >= 12, intent
        assert intent == "repeat" or intent in pocket.phrases_moshi.REPLIES
    test = list(itertools.islice(pocket.phrases.sentences("user", "test", 1), 1000))
    assert sum(map(pocket.dialogue.held_out, test)) > 200


def test_ten_minutes_of_talk_do_not_repeat(pocket):
    talk = pocket.phrases.Talk(random.Random(3), "train")
    said = [talk.greets()]
    for _ in range(80):
        talk.user_says()
        said.append(talk.moshi_answers())
    assert max(said.count(text) for text in said) <= 6
    assert len(set(said)) > 60


@has_flite
def test_moshi_takes_turns_as_it_should(pocket, dialogues):
    answer, stop = pocket.dialogue.ANSWER_S, pocket.dialogue.STOP_S
    for one in dialogues:
        moshi, user = active(one.turns, "moshi"), active(one.turns, "user")
        for turn in moshi:
            for other in user:
                assert not other.start <= turn.start < other.end, turn
                if turn.start < other.start < turn.end:
                    assert turn.cut
                    assert other.interrupts
                    assert other.start - turn.start >= 0.8
                    assert stop[0] - 0.01 <= turn.end - other.start <= stop[1] + 0.01
        for turn in user:
            follow = min(m.start for m in moshi if m.start > turn.start)
            assert answer[0] - 0.01 <= follow - turn.end <= answer[1] + 0.01


@has_flite
def test_rows_words_and_phones_fit_together(pocket, dialogues):
    for one in dialogues:
        length = one.samples.shape[1]
        assert length % pocket.shapes.SPEECH_FRAME == 0
        assert 40 * 16_000 <= length <= 120 * 16_000
        assert one.phones.shape == (2, length // pocket.shapes.PHONE_HOP)
        starts = [start for _, start, _ in one.words]
        assert starts == sorted(starts)
        assert all(a <= b for _, a, b in one.words)
        silent = np.repeat(one.phones == 0, pocket.shapes.PHONE_HOP, axis=1)
        power = np.square(one.samples.astype(float) / 32768)
        assert power[0][silent[0]].mean() < 1e-4
        assert 10 * np.log10(power[0][~silent[0]].mean()) == pytest.approx(-23, abs=1)
        whole = [turn.text for turn in active(one.turns, "moshi", ("speech", "backchannel"))]
        assert len(one.words) <= len(" ".join(whole).split())


@has_flite
def test_a_shard_is_the_same_each_time(pocket, tmp_path):
    job = pocket.make_dialogues.Job(tmp_path, 3, 1, "train", 50.0)
    pocket.make_dialogues.make_shard(job)
    first = (tmp_path / "d0003.npy").read_bytes(), (tmp_path / "d0003.json").read_text()
    pocket.make_dialogues.make_shard(job)
    assert first == ((tmp_path / "d0003.npy").read_bytes(), (tmp_path / "d0003.json").read_text())
    described = json.loads(first[1])["dialogues"]
    assert np.load(tmp_path / "d0003.npy").shape[1] == sum(one["samples"] for one in described)
    assert not list(tmp_path.glob("*.part"))


def test_sounds_are_neither_silent_nor_clipped(pocket):
    rng = np.random.default_rng(1)
    for kind in pocket.sounds.MAKERS:
        for _ in range(5):
            sound = pocket.sounds.make(kind, rng)
            assert sound.dtype == np.int16
            assert 500 < np.abs(sound.astype(int)).max() < 32_000
            assert 0.05 < len(sound) / 16_000 < 10


def test_the_demo_s_user_says_nothing_that_is_held_out(pocket):
    assert not any(pocket.dialogue.held_out(text) for _, text, _ in pocket.make_user.LINES)
