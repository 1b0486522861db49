"""Who says what: a talk of intents, answers and questions; sentences for the tokenizer."""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from phrases_grammar import NoSentenceError, Slots, expand, held_out, slots_of, split_sentences
from phrases_moshi import (
    ABOUT,
    AFTER_INTERRUPTION,
    BACKCHANNELS,
    GREETINGS,
    OPENERS,
    QUESTIONS,
    REACTIONS,
    REPLIES,
    SILENCES,
    STATEMENTS,
    STILL_THERE,
    TOPIC,
    TOPICS,
)
from phrases_user import ANSWERS, GENERIC, INTENTS, PRECISE
from phrases_words import SHARED, WORDS

TRIES = 30
RECENT = 40
"""Sentences that Moshi does not say again as long as it has others."""
RARE = ("wait", "bye")
"""Intents that only come when asked for."""
COMMON = ("greeting", "yes", "no", "thanks", "sorry", "repeat")
HANGING = ("yes", "no", "repeat")
"""Intents that mean something only after what Moshi has said."""
ALL_WORDS = WORDS | {"topic": list(TOPICS)}


def precise(intent: str, text: str) -> str:
    """What decides Moshi's reply: the intent, or what the user's words say more precisely."""
    for words, name in PRECISE.get(intent, {}).items():
        if re.search(words, text):
            return name
    return intent


def topic_slot(kind: str) -> str:
    """The slot whose word Moshi may repeat after an intent or an answer of that kind, or ""."""
    about = kind.split()[-1].removeprefix("ask_")
    slot = TOPIC.get(about, about)
    replies = REACTIONS.get(kind) or REPLIES.get(kind, [])
    return slot if slot in SHARED and any(slot in slots_of(line) for line in replies) else ""


@dataclass
class Writer:
    """Draws sentences from templates: for "train" none that is held out, for "test" such first."""

    rng: random.Random
    split: str
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=RECENT))

    def write(self, templates: list[str], slots: Slots, own: bool = False) -> tuple[str, Slots]:
        """A text and its slots, from a template all of whose slots are given, or from any."""
        spare = None
        for _ in range(TRIES):
            text, filled = expand(self.rng.choice(templates), self.rng, ALL_WORDS, slots)
            out = held_out(text)
            if own and any(sentence in self.recent for sentence in split_sentences(text)):
                spare = spare or (None if out and self.split == "train" else (text, filled))
                continue
            if out != (self.split == "test"):
                spare = spare or (None if out else (text, filled))
                continue
            return text, filled
        if spare is None:
            raise NoSentenceError(f"no sentence of {self.split} in {templates[:3]}")
        return spare


class Talk:
    """One talk: what the user has just said and what Moshi asked decide what comes next."""

    def __init__(self, rng: random.Random, split: str) -> None:
        self.rng = rng
        self.writer = Writer(rng, split)
        self.asked = ""
        """Kind of Moshi's last question that still waits for an answer."""
        self.heard = ("generic", Slots())
        self.follows = False
        """Whether the user's turn hangs on what Moshi said before it."""
        self.last = "Hello."

    def user_says(self, intent: str = "") -> str:
        """The user's next turn, of that intent if given."""
        self.follows = False
        kind, templates = self._choose(intent)
        text, slots = self.writer.write(templates, {})
        self.heard = precise(kind, text), slots
        self.follows = self.follows or kind in HANGING
        self.asked = ""
        return text

    @property
    def topic(self) -> str:
        """Slot and word that Moshi's reply may repeat, as in "day:monday", or ""."""
        kind, slots = self.heard
        slot = topic_slot(kind)
        return f"{slot}:{slots[slot].lower()}" if slot in slots else ""

    def _choose(self, intent: str) -> tuple[str, list[str]]:
        if intent:
            return intent, INTENTS[intent]
        if self.asked and self.rng.random() < 0.7:
            self.follows = True
            if self.asked.startswith("yes_"):
                kind = self.rng.choice(("yes", "no"))
                joke = self.asked == "yes_joke" and kind == "yes"
                return "joke" if joke else f"said_{kind}", INTENTS[kind]
            return self.asked, ANSWERS[self.asked]
        if self.rng.random() < 0.25:
            return "generic", GENERIC
        names = [name for name in INTENTS if name not in RARE]
        weights = [0.6 if name in COMMON else 1.0 for name in names]
        kind = self.rng.choices(names, weights)[0]
        return kind, INTENTS[kind]

    def user_adds(self) -> str:
        """A second thing in the same turn, the one that Moshi answers."""
        names = [name for name in INTENTS if name not in RARE + COMMON]
        follows = self.follows
        text = self.user_says(self.rng.choice(names))
        self.follows = follows
        return text

    def hums(self) -> None:
        """The user hummed or played something."""
        self.heard = "hum", {}

    def moshi_answers(self, after_interruption: bool = False) -> str:
        """What Moshi says to what it heard last: a reply, often with a question."""
        kind, slots = self.heard
        if kind == "repeat":
            return self._keep(self.rng.choice(("", "I said. ", "Of course. ")) + self.last)
        text = self._reply(kind, slots)
        if after_interruption and kind != "wait" and self.rng.random() < 0.3:
            text = f"{self.rng.choice(AFTER_INTERRUPTION)} {text}"
        elif self.rng.random() < 0.08 and text[0] != "I" and text[:2] not in ("Oh", "We", "Hm"):
            opened = self.rng.choice(OPENERS) + text[0].lower() + text[1:]
            text = text if self.writer.split == "train" and held_out(opened) else opened
        return self._keep(self._and_more(text, kind))

    def _reply(self, kind: str, slots: Slots) -> str:
        if kind.startswith("said_"):
            templates = REACTIONS[kind.removeprefix("said_")]
        else:
            templates = REACTIONS.get(kind) or REPLIES[kind]
        usable = [line for line in templates if slots_of(line) <= slots.keys()]
        with_slots = [line for line in usable if slots_of(line)]
        if with_slots and self.rng.random() < 0.6:
            usable = with_slots
        if len(usable) < 3:
            usable = usable + REPLIES["generic"]
        return self.writer.write(usable, slots, own=True)[0]

    def _and_more(self, text: str, kind: str) -> str:
        """With a question, a sentence of Moshi's own, or nothing; three sentences at most."""
        if kind in ("bye", "wait") or len(split_sentences(text)) > 2 or text.endswith("?"):
            return text
        chance = self.rng.random()
        if chance < 0.5:
            return f"{text} {self._question(kind)}"
        if chance < 0.65 and len(split_sentences(text)) < 3:
            return f"{text} {self.writer.write(STATEMENTS, {}, own=True)[0]}"
        return text

    def _question(self, kind: str) -> str:
        about = kind.split()[-1]
        topic = TOPIC.get(ABOUT.get(about, about), "")
        names = [f"{form}_{topic}" for form in ("ask", "yes") if f"{form}_{topic}" in QUESTIONS]
        if kind == "how":
            names = ["ask_feeling"]
        elif kind in ("name", "greeting", "hear") and self.rng.random() < 0.6:
            names = ["ask_name", "ask_feeling"]
        elif not names or self.rng.random() < 0.25:
            names = list(QUESTIONS)
        self.asked = self.rng.choice(names)
        return self.writer.write(QUESTIONS[self.asked], {}, own=True)[0]

    def greets(self) -> str:
        """Moshi's first words."""
        text, _ = self.writer.write(GREETINGS, {}, own=True)
        chance = self.rng.random()
        if chance < 0.4:
            self.asked = "ask_feeling"
        elif chance < 0.65:
            self.asked = self.rng.choice(list(QUESTIONS))
        if self.asked:
            text += " " + self.writer.write(QUESTIONS[self.asked], {}, own=True)[0]
        return self._keep(text)

    def breaks_silence(self, after_bye: bool = False) -> str:
        """What Moshi says when nobody has said anything for long."""
        if after_bye:
            return self._keep(self.writer.write(STILL_THERE, {}, own=True)[0])
        if self.rng.random() < 0.3:
            return self._keep(self._question("silence"))
        text, _ = self.writer.write(SILENCES, {}, own=True)
        self.asked = "yes_any" if text.endswith("?") else ""
        return self._keep(text)

    def _keep(self, text: str) -> str:
        for sentence in split_sentences(text):
            self.writer.recent.append(sentence)
        self.last = split_sentences(text)[0]
        return text


def sentences(who: str, split: str, seed: int) -> Iterator[str]:
    """Sentences without end, of "moshi" or the "user", as often as they come in talks."""
    if who not in ("moshi", "user"):
        raise ValueError(f'who speaks is "moshi" or "user", not {who!r}')
    rng = random.Random(seed)
    while True:
        talk = Talk(rng, split)
        said = [("moshi", talk.greets())]
        for _ in range(8):
            intent = rng.choice(RARE) if rng.random() < 0.05 else ""
            said.append(("user", talk.user_says(intent)))
            said.append(("moshi", talk.moshi_answers()))
        said.append(("moshi", talk.breaks_silence()))
        said.append(("moshi", rng.choice(BACKCHANNELS)))
        for speaker, text in said:
            if speaker == who:
                yield from split_sentences(text)
