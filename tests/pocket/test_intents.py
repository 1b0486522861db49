"""What training knows of a dialogue's frames: what the user said, and where it may be cut."""

import random
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

POCKET = Path(__file__).parents[2] / "assets" / "pocket"
PAD = 3


@pytest.fixture(scope="module")
def pocket():
    before = set(sys.modules)
    sys.path.insert(0, str(POCKET))
    try:
        names = ("intents", "phrases", "phrases_moshi", "phrases_user")
        yield SimpleNamespace(**{name: __import__(name) for name in names})
    finally:
        sys.path.remove(str(POCKET))
        for name in set(sys.modules) - before:
            if str(POCKET) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def turn(who, start, end, intent="", topic="", follows=False):
    named = {"who": who, "kind": "speech", "start": start, "end": end}
    return named | {"intent": intent, "topic": topic, "follows": follows}


def test_the_class_lasts_from_the_user_s_end_as_heard_to_moshi_s_first_word(pocket):
    turns = [turn("user", 0.5, 1.0, "day", "day:monday"), turn("moshi", 1.5, 2.0)]
    stream = pocket.intents.intent_stream(turns, 30)
    assert np.flatnonzero(stream >= 0).tolist() == [13, 14, 15, 16, 17, 18]
    assert pocket.intents.CLASSES[stream[13]] == "day day:monday"


def test_what_no_class_knows_and_what_nobody_answers_has_none(pocket):
    turns = [turn("user", 0.5, 1.0, "nonsense"), turn("moshi", 1.5, 2.0), turn("user", 2.1, 2.2)]
    assert (pocket.intents.intent_stream(turns, 40) == -1).all()


def test_cuts_are_silent_and_before_turns_that_stand_alone(pocket):
    text = np.full(200, PAD, np.int16)
    turns = [
        turn("moshi", 0.5, 2.0),
        turn("user", 4.0, 5.0, "day"),
        turn("moshi", 5.5, 6.0),
        turn("user", 8.0, 9.0, "said_yes", follows=True),
        turn("moshi", 9.5, 11.0),
        turn("user", 11.2, 12.0, "food"),
    ]
    (cut,) = pocket.intents.cut_frames(turns, text)
    assert 47 <= cut <= 49
    text[45] = 20
    assert pocket.intents.cut_frames(turns, text) in ([], [49])


def test_talk_says_only_what_has_a_class_and_every_intent_comes(pocket):
    came = Counter()
    for seed in range(60):
        talk = pocket.phrases.Talk(random.Random(seed), "train")
        talk.greets()
        for _ in range(12):
            talk.user_says()
            kind = talk.heard[0]
            assert pocket.intents.class_of(kind, talk.topic) >= 0, (kind, talk.topic)
            came[kind.split()[0]] += 1
            assert talk.follows or not kind.startswith("said_")
            talk.moshi_answers()
    assert came["generic"] < 0.3 * came.total()
    for words in pocket.phrases_user.PRECISE.values():
        for name in words.values():
            assert len(pocket.phrases_moshi.REPLIES[name]) >= 3


def test_crops_jump_from_cut_to_cut_only(pocket, tmp_path):
    pytest.importorskip("torch")
    import token_data
    import torch

    frames, cuts = 2000, np.arange(40, 2000, 37)
    number = np.arange(frames)
    arrays = {"moshi": np.tile(number % 1000, (8, 1)), "user": np.tile(number % 1000, (4, 1))}
    arrays |= {"text": np.full(frames, PAD), "intent": number, "cuts": cuts}
    np.savez(tmp_path / "d0000.0.npz", starts=np.array([0, 700]), **arrays)
    tokens = token_data.Tokens([tmp_path / "d0000.0.npz"], "cpu")
    torch.manual_seed(1)
    starts = torch.randint(frames - 300, (20,))
    plain = tokens.crops(starts, 300).intent
    assert (plain == starts[:, None] + torch.arange(300)).all()
    crop = tokens.crops(starts, 300, 0.5)
    jumps = (crop.intent.diff(dim=1) != 1).nonzero().tolist()
    assert len(jumps) > 20
    for row, at in jumps:
        assert int(crop.intent[row, at]) + 1 in cuts
        assert int(crop.intent[row, at + 1]) in cuts
    assert (crop.tokens[:, 1, token_data.BEFORE :] == crop.intent % 1000).all()
