"""A small text vocabulary: a sentencepiece model of friendly small talk."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

VOCAB_SIZE = 500

_OPENERS = ("", "", "Oh, ", "Well, ", "You know, ", "Sure, ", "Right, ", "Hmm, ", "Haha, ")
_TEMPLATES = (
    "hello, how are you doing {when}?",
    "hey, it's {quality} to hear from you {when}.",
    "my name is Moshi, and I really like {thing}.",
    "what did you think of {thing} {when}?",
    "I've been thinking about {thing} a lot {when}.",
    "that sounds {quality}, tell me more about {thing}.",
    "do you prefer {thing} or {thing}?",
    "I'd say {thing} is {quality}, but I'm not sure about {thing}.",
    "we could talk about {thing}, if you want to.",
    "have you ever tried {thing} with {person}?",
    "I went there with {person} {when}, and it was {quality}.",
    "{person} told me that {thing} can be {quality}.",
    "sorry, I didn't hear that, can you say it again?",
    "that's a {quality} question, let me think about it.",
    "I don't know much about {thing}, what do you like about it?",
    "the weather is {quality} {when}, isn't it?",
    "thank you, that's {quality} of you.",
    "what are you going to do {when}?",
    "where are you from, and what brings you here {when}?",
    "it was {quality} talking to you, see you {when}!",
    "could you explain how {thing} works, please?",
    "{person} gave me a ticket for {when}, should I go?",
    "nobody believes me, but {thing} makes me happy.",
    "wait, was it {person} or {person} who loved {thing}?",
    "I'd rather stay at home with {person} {when}.",
    "listen, do you hear that? It sounds {quality}.",
    "yes, of course, {thing} is always {quality}.",
    "no, I never understood why {thing} should be {quality}.",
)
# Words for the slots, parted by "|".
_SLOTS = {
    "when": (
        "today|tonight|this morning|this week|tomorrow|yesterday|last summer|at the weekend|"
        "right now|these days|after work|next time|in the evening|on Sunday|on Friday night|"
        "in January|before breakfast|at lunch|last month|every single day|in autumn|at midnight"
    ),
    "quality": (
        "nice|great|lovely|wonderful|funny|interesting|strange|beautiful|difficult|a bit sad|"
        "amazing|pretty good|very kind|quite long|really fun|perfect|not so bad|surprising|"
        "delicious|peaceful|exciting|boring|expensive|simple|brilliant|cosy|noisy|comfortable"
    ),
    "thing": (
        "music|cooking pasta|a good book|the sea|hiking in the mountains|playing the guitar|"
        "a cup of coffee|learning French|old movies|a walk in the park|riding a bike|football|"
        "growing tomatoes|travelling by train|dancing|the view from the top|fresh bread|"
        "a long winter|science|painting|swimming in the lake|your favourite song|chess|"
        "the stars at night|chocolate cake|sleeping late|jazz piano|building model aeroplanes|"
        "photography|gardening|a quiet evening|museum visits|spicy soup|computers|whales|"
        "watching birds|camping under the trees|poetry|knitting scarves|history|basketball|"
        "the northern lights|a hot bath|climbing rocks|volcanoes|mushroom picking|radio plays|"
        "skateboards|yoga|fishing|maps|languages|the smell of rain|green tea|puzzles"
    ),
    "person": (
        "my sister|a friend|your brother|my grandmother|the neighbours|someone from work|"
        "my best friend|the children|our teacher|your family|people in Paris|my uncle George|"
        "a doctor|the baker|two students|an engineer|my cousin Julia|the whole village"
    ),
}


def write_tokenizer(
    path: Path, vocab_size: int = VOCAB_SIZE, *, sentences: int = 800, seed: int = 0
) -> None:
    """Train the vocabulary and write it to `path`.

    The same arguments give the same bytes. Nothing is printed, not even by the library.

    Args:
        path: the `.model` file.
        vocab_size: how many pieces, 310 to about 1,500: four special ones, 256 bytes, each letter,
            and the most common stretches of text.
        sentences: how much small talk to learn from.
        seed: chooses the sentences.
    """
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=small_talk(sentences, seed),
        model_writer=model,
        vocab_size=vocab_size,
        model_type="bpe",  # common words become pieces even in so small a vocabulary
        # Ids as in Kyutai's vocabulary: 0 is the end of padding, 3 is padding.
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=3,
        byte_fallback=True,
        normalization_rule_name="identity",
        num_threads=1,  # sums in one order: the same file each time
        minloglevel=2,  # errors only: the library logs to fd 2
    )
    path.write_bytes(model.getvalue())


def small_talk(sentences: int, seed: int = 0) -> Iterator[str]:
    """Sentences such as a person and Moshi exchange, the same ones for the same seed."""
    choose = random.Random(seed)
    for index in range(sentences):
        text = _TEMPLATES[index % len(_TEMPLATES)]
        for slot, words in _SLOTS.items():
            while f"{{{slot}}}" in text:
                text = text.replace(f"{{{slot}}}", choose.choice(words.split("|")), 1)
        text = choose.choice(_OPENERS) + text
        yield text[0].upper() + text[1:]
