"""How the phrases are written down, and what is drawn from them.

A template is a line: `[a|b|]` is one of the alternatives, `{food}` a word of that slot. A block is
a line `# name` and the templates below it.
"""

from __future__ import annotations

import random
import re
from functools import cache
from hashlib import blake2b

HELD_OUT = 16
"""One sentence in so many is kept for the test."""
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")

Slots = dict[str, str]


class NoSentenceError(RuntimeError):
    """Every draw from the templates was forbidden."""


def blocks(text: str) -> dict[str, list[str]]:
    """The templates of each block."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("# "):
            lines = found.setdefault(line[2:], [])
        else:
            lines.append(line)
    return found


@cache
def split_sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text, each with its end mark."""
    return tuple(part.strip() for part in re.findall(r"[^.?!]+[.?!]+", text))


def held_out(text: str) -> bool:
    """Whether a sentence is for the test only: 1 in 16 of those with four words or more.

    Shorter ones ("Yes, please.") are too few to do without. A text is held out if one of its
    sentences is.
    """
    return any(_held_out(sentence) for sentence in split_sentences(text))


@cache
def _held_out(sentence: str) -> bool:
    words = re.findall(r"[a-z']+", sentence.lower())
    digest = blake2b(" ".join(words).encode(), digest_size=4).digest()
    return len(words) >= 4 and int.from_bytes(digest, "big") % HELD_OUT == 0


def slots_of(template: str) -> set[str]:
    """The names of the slots in a template."""
    return set(_SLOT.findall(template))


def expand(
    template: str, rng: random.Random, words: dict[str, list[str]], slots: Slots
) -> tuple[str, Slots]:
    """One sentence or more from a template; slots not in `slots` are drawn from `words`."""
    filled = dict(slots)
    text = template
    while match := _CHOICE.search(text):
        text = text[: match.start()] + rng.choice(match[1].split("|")) + text[match.end() :]
    while match := _SLOT.search(text):
        name = match[1]
        if name not in filled:
            filled[name] = rng.choice(words[name])
        text = text[: match.start()] + filled[name] + text[match.end() :]
        while inner := _CHOICE.search(text):
            text = text[: inner.start()] + rng.choice(inner[1].split("|")) + text[inner.end() :]
    return tidy(text), filled


def tidy(text: str) -> str:
    """Single blanks, none before a mark, "an" before a vowel, capitals where sentences begin."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\s+([.,?!])", r"\1", text)
    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
    return re.sub(r"(^|[.?!] )([a-z])", lambda match: match[1] + match[2].upper(), text)
