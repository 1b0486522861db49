"""Which model the doctor has in mind, and the command that starts it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace

from moshi_tui.config import CheckpointOptions, Settings

SMALLEST = 4
"""Bits of the weights that the doctor suggests to whoever has not chosen any."""


@dataclass(frozen=True)
class Chosen:
    """What is checked for."""

    settings: Settings
    """With the doctor's suggestion in it, where the person has not chosen."""
    label: str
    """"q4", "q8", "bf16" or "demo"."""
    bits: int | None
    """Of the weights; None: not quantised."""
    suggested: bool
    """Whether it is our choice and not the person's."""

    @property
    def demo(self) -> bool:
        """Whether it is the built-in checkpoint."""
        return self.label == "demo"

    def command(self, *, demo: bool = False) -> str:
        """What to type to talk with it; with `demo` the same for the built-in checkpoint."""
        options = CheckpointOptions(demo=True) if demo else self.settings.checkpoint
        return shlex.join(["moshi-tui", *_words(options), *self._devices()])

    def run_command(self) -> str:
        """The same for sound files."""
        words = _words(self.settings.checkpoint)
        return shlex.join(["moshi-tui", "run", "in.wav", "--output", "out.wav", *words])

    def _devices(self) -> list[str]:
        audio = self.settings.audio
        named = {"--input-device": audio.input_device, "--output-device": audio.output_device}
        return [word for key, value in named.items() if value is not None for word in (key, value)]


def choose(settings: Settings, *, quant_given: bool = False) -> Chosen:
    """The person's choice, or the smallest of Kyutai's models.

    Args:
        quant_given: whether no bits in the settings is a choice, too: bfloat16.
    """
    options = settings.checkpoint
    if options.demo:
        return Chosen(settings, "demo", None, suggested=False)
    named = options.moshi_weight or options.model_dir or options.hf_repo
    if options.quant is None and named is None and not quant_given:
        with_quant = replace(settings, checkpoint=replace(options, quant=SMALLEST))
        return Chosen(with_quant, f"q{SMALLEST}", SMALLEST, suggested=True)
    bits = options.quant
    if bits is None and (found := re.search(r"q([48])\b", str(named))):
        bits = int(found[1])
    return Chosen(settings, f"q{bits}" if bits else "bf16", bits, suggested=False)


def _words(options: CheckpointOptions) -> list[str]:
    """The options that differ from the defaults, as one types them."""
    words: list[str] = []
    usual = CheckpointOptions()
    for name in CheckpointOptions.__dataclass_fields__:
        value = getattr(options, name)
        if value != getattr(usual, name):
            words.append("--" + name.replace("_", "-"))
            words += [] if value is True else [str(value)]
    return words
