"""One dialogue: who sounds when, as two rows of sound with words and phones."""

from __future__ import annotations

import math
import random
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import shapes
import sounds
import speakers
from phrases import BACKCHANNELS, Talk
from phrases_grammar import held_out
from speakers import RATE, Speech

__all__ = ["Dialogue", "held_out", "make"]

MOSHI, USER = 0, 1
NAMES = ("moshi", "user")
GREETING_S = (0.3, 2.0)
ANSWER_S = (0.42, 0.75)
"""From the user's end to Moshi's begin."""
STOP_S = (0.12, 0.24)
"""From the user's begin to Moshi's end, when interrupted."""
SILENCE_S = (6.0, 9.0)
"""Without a sound, after which Moshi says something."""
BYE_SILENCE_S = (10.0, 15.0)
COMMENT_S = (0.5, 0.9)
"""From the end of a long hum or tune to Moshi's remark."""
LONG_SOUND_S = 2.0
BARGE_IN_AFTER_S = 0.8
LENGTH_S = (40.0, 120.0)
LAST_TURN_BY_S = 92.0
TAIL_S = (0.6, 2.0)
SHARES = {"turn": 0.76, "silence": 0.08, "sound": 0.16}
"""Of what happens next."""
INTERRUPTED = 0.22
INTERRUPTING_WORDS = 0.4
SOUND_OVER_MOSHI = 0.10
TWO_THINGS = 0.22
"""Of user turns, those that say two things."""
BACKCHANNEL = 0.15
"""Of those, the ones in whose pause Moshi says "Uh huh"."""
USER_FIRST = 0.15
BYE = 0.35


@dataclass
class Turn:
    """Who sounds from when to when, in seconds from the dialogue's begin."""

    who: str
    kind: str
    start: float
    end: float
    text: str
    cut: bool = False
    interrupts: bool = False
    intent: str = ""
    """Of the user's turn: what decided Moshi's answer, and the word that it may repeat."""
    topic: str = ""
    follows: bool = False
    """Whether the user's turn hangs on what Moshi said before it."""


@dataclass
class Dialogue:
    """Sound int16 [2, N] (Moshi, the user), phones uint8 [2, N / 320], Moshi's words, the turns."""

    samples: np.ndarray
    phones: np.ndarray
    words: list[tuple[str, float, float]]
    turns: list[Turn]

    def described(self, start: int) -> dict[str, Any]:
        """Its entry in a shard's JSON, for a dialogue that begins at that sample."""
        return {
            "start": start,
            "samples": self.samples.shape[1],
            "words": [(w, round(a, 3), round(b, 3)) for w, a, b in self.words],
            "turns": [
                asdict(turn) | {"start": round(turn.start, 3), "end": round(turn.end, 3)}
                for turn in self.turns
            ],
        }


@dataclass
class _Timeline:
    """What has been placed so far; `end` is when the last sound ends."""

    placed: list[tuple[int, float, Speech]] = field(default_factory=list)
    noises: list[tuple[float, np.ndarray]] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    end: float = 0.0

    def speak(self, row: int, start: float, speech: Speech, turn: Turn) -> Turn:
        """Place a speech so that its first phone begins at `start`."""
        begin = start - speech.start
        self.placed.append((row, begin, speech))
        turn.start, turn.end = start, begin + speech.end
        self.turns.append(turn)
        self.end = max(self.end, turn.end)
        return turn

    def sound(self, start: float, kind: str, samples: np.ndarray) -> float:
        """Place a sound of the user's; returns when it ends."""
        self.noises.append((start, samples))
        end = start + len(samples) / RATE
        self.turns.append(Turn("user", kind, start, end, ""))
        self.end = max(self.end, end)
        return end

    def rendered(self, tail: float) -> Dialogue:
        """All of it as sound, `tail` seconds of silence after it."""
        seconds = max(LENGTH_S[0], self.end + tail)
        length = math.ceil(seconds * RATE / shapes.SPEECH_FRAME) * shapes.SPEECH_FRAME
        samples = np.zeros((2, length), np.int16)
        phones = np.zeros((2, length // shapes.PHONE_HOP), np.uint8)
        words = []
        for row, begin, speech in self.placed:
            _add(samples[row], round(begin * RATE), speech.samples)
            for phone, start, end in speech.phones:
                first, last = _phone_frames(begin + start, begin + end)
                phones[row, first:last] = shapes.PHONES.index(phone)
            if row == MOSHI:
                words += [(word, begin + start, begin + end) for word, start, end in speech.words]
        for start, noise in self.noises:
            _add(samples[USER], round(start * RATE), noise)
        self.turns.sort(key=lambda turn: turn.start)
        return Dialogue(samples, phones, sorted(words, key=lambda word: word[1]), self.turns)


def _phone_frames(start: float, end: float) -> tuple[int, int]:
    scale = RATE / shapes.PHONE_HOP
    return round(start * scale), round(end * scale)


def _add(row: np.ndarray, start: int, samples: np.ndarray) -> None:
    skipped = max(0, -start)
    part = row[start + skipped : start + len(samples)]
    total = part.astype(np.int32) + samples[skipped : skipped + len(part)]
    part[:] = np.clip(total, -32768, 32767)


class _Maker:
    """Lets things happen, one after the other."""

    def __init__(self, seed: str, split: str) -> None:
        self.rng = random.Random(seed)
        self.noise = np.random.default_rng(self.rng.getrandbits(64))
        self.talk = Talk(self.rng, split)
        self.user = speakers.draw_user(self.rng)
        self.line = _Timeline()

    def make(self) -> Dialogue:
        rng = self.rng
        if rng.random() < USER_FIRST:
            self._user_turn(rng.uniform(0.4, 3.0), intent=rng.choice(("greeting", "greeting", "")))
        else:
            self._moshi(rng.uniform(*GREETING_S), self.talk.greets())
        last_by = rng.uniform(LENGTH_S[0] - 5, LAST_TURN_BY_S)
        while self.line.end < last_by:
            self._happens(rng.choices(list(SHARES), list(SHARES.values()))[0])
        if rng.random() < BYE:
            self._bye()
        return self.line.rendered(rng.uniform(*TAIL_S))

    def _happens(self, what: str) -> None:
        if what == "silence":
            self._silence()
        elif what == "sound":
            self._sound()
        else:
            self._user_turn(self.line.end + self._thinking())

    def _thinking(self) -> float:
        """Seconds until the user speaks: mostly under one, up to 4."""
        return min(4.0, 0.25 + self.rng.expovariate(1.1))

    def _silence(self) -> None:
        self._moshi(self.line.end + self.rng.uniform(*SILENCE_S), self.talk.breaks_silence())

    def _sound(self) -> None:
        """A sound of the user's while nobody speaks; a long hum or tune may get a remark."""
        kind = self.rng.choice(list(sounds.MAKERS))
        start = self.line.end + self.rng.uniform(0.3, 3.0)
        samples = sounds.make(kind, self.noise)
        end = self.line.sound(start, kind, samples)
        if kind in ("hum", "music") and end - start > LONG_SOUND_S and self.rng.random() < 0.5:
            self.talk.hums()
            self.line.turns[-1].intent = self.talk.heard[0]
            self._moshi(end + self.rng.uniform(*COMMENT_S), self.talk.moshi_answers())

    def _user_turn(self, start: float, intent: str = "", interrupts: bool = False) -> None:
        """The user says something from `start` on, and Moshi answers."""
        said = [self.talk.user_says(intent)]
        if (intent == "wait" or not intent) and self.rng.random() < TWO_THINGS:
            said.append(self.talk.user_adds())
        first = self.user.say(said[0])
        speech = first
        if len(said) > 1:
            speech = speakers.join([first, self.user.say(said[1])], speakers.PAUSE_S)
        turn = Turn("user", "speech", 0, 0, " ".join(said), interrupts=interrupts)
        turn.intent, turn.topic = self.talk.heard[0], self.talk.topic
        turn.follows = self.talk.follows
        self.line.speak(USER, start, speech, turn)
        if len(said) > 1 and first.length > 1.2 and self.rng.random() < BACKCHANNEL:
            self._backchannel(start + first.end - first.start + self.rng.uniform(0.06, 0.18))
        at = max(turn.end + self.rng.uniform(*ANSWER_S), self.line.end + 0.2)
        self._moshi(at, self.talk.moshi_answers(after_interruption=interrupts))

    def _backchannel(self, start: float) -> None:
        text = self.rng.choice(BACKCHANNELS)
        turn = Turn("moshi", "backchannel", 0, 0, text)
        self.line.speak(MOSHI, start, speakers.moshi(text), turn)

    def _moshi(self, start: float, text: str) -> None:
        """Moshi says it, unless the user interrupts; a sound of the user's does not stop it."""
        speech = speakers.moshi(text)
        spoken = speech.end - speech.start
        room = spoken - BARGE_IN_AFTER_S - STOP_S[1] - 0.3
        turn = Turn("moshi", "speech", 0, 0, text)
        if room > 0 and self.rng.random() < INTERRUPTED:
            self._interrupted(start, speech, turn, room)
            return
        self.line.speak(MOSHI, start, speech, turn)
        if spoken > 1 and self.rng.random() < SOUND_OVER_MOSHI:
            kind = self.rng.choice(list(sounds.MAKERS))
            at = start + self.rng.uniform(0.2, spoken - 0.3)
            self.line.sound(at, kind, sounds.make(kind, self.noise))

    def _interrupted(self, start: float, speech: Speech, turn: Turn, room: float) -> None:
        barge = BARGE_IN_AFTER_S + self.rng.uniform(0, room)
        stop = speech.start + barge + self.rng.uniform(*STOP_S)
        turn.cut = True
        self.talk.asked = ""
        self.line.speak(MOSHI, start, speakers.cut(speech, stop), turn)
        turn.end = start - speech.start + stop
        self.line.end = max(self.line.end, turn.end)
        intent = "wait" if self.rng.random() < INTERRUPTING_WORDS else ""
        self._user_turn(start + barge, intent, interrupts=True)

    def _bye(self) -> None:
        self._user_turn(self.line.end + self._thinking(), "bye")
        if self.line.end < LAST_TURN_BY_S and self.rng.random() < 0.6:
            silence = self.rng.uniform(*BYE_SILENCE_S)
            self._moshi(self.line.end + silence, self.talk.breaks_silence(after_bye=True))


def make(seed: str, split: str) -> Dialogue:
    """A dialogue of 40 to 120 s; the same seed gives the same one."""
    for attempt in range(20):
        dialogue = _Maker(f"{seed}-{attempt}", split).make()
        if dialogue.samples.shape[1] <= LENGTH_S[1] * RATE:
            return dialogue
    raise RuntimeError(f"dialogue {seed} is longer than {LENGTH_S[1]} s at each attempt")
