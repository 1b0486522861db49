"""Which model the doctor has in mind, and the command that starts it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from moshi_tui.clean import clean
from moshi_tui.config import CheckpointOptions, Settings
from moshi_tui.settings.layers import Given, Layer

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
    given: Layer = field(default_factory=dict)
    """Who said what; empty if nobody knows."""

    @property
    def demo(self) -> bool:
        """Whether it is the built-in checkpoint."""
        return self.label == "demo"

    def command(
        self, *, demo: bool = False, without: Collection[str] = (), headless: bool = False
    ) -> str:
        """What to type to talk with it.

        Args:
            demo: with the built-in checkpoint instead.
            without: which of "input_device" and "output_device" to leave to the system.
            headless: without the screen.
        """
        words = [*self._model(demo), *self._devices(without), *["--headless"] * headless]
        return shlex.join(["moshi-tui", *words])

    def run_command(self, *, demo: bool = False) -> str:
        """The same for sound files."""
        return shlex.join(["moshi-tui", "run", "in.wav", "--output", "out.wav", *self._model(demo)])

    def doctor_command(self) -> str:
        """To look at the same once more."""
        return shlex.join(["moshi-tui", "doctor", *self._model(False), *self._devices()])

    def device_words(self, name: str) -> str:
        """Who asked for a device, and for which: "--input-device USB"."""
        said = self.given.get(f"audio.{name}")
        value = clean(str(getattr(self.settings.audio, name)))
        flag = _flag(name)
        if said is None or said.origin == flag:
            return shlex.join([flag, value])
        return f"{name} {value} ({clean(said.origin)})"

    def _model(self, demo: bool) -> list[str]:
        words = _words(CheckpointOptions(demo=True) if demo else self.settings.checkpoint)
        quant = self.given.get("checkpoint.quant")
        if not (demo or self.demo) and quant and quant.value is None:
            words += ["--quant", "bf16"]  # or else a weaker layer's word may count again
        return words

    def _devices(self, without: Collection[str] = ()) -> list[str]:
        words = []
        for name in ("input_device", "output_device"):
            value, said = getattr(self.settings.audio, name), self.given.get(f"audio.{name}")
            if name in without:
                # What a variable or the file says only a flag can undo.
                value = None if said is None or said.origin == _flag(name) else "default"
            if value is not None:
                words += [_flag(name), value]
        return words


def choose(settings: Settings, given: Mapping[str, Given] | None = None) -> Chosen:
    """The person's choice, or the smallest of Kyutai's models.

    Args:
        given: who said what of the settings: if somebody did, no bits are a choice, too: bfloat16.
    """
    given = given or {}
    options = settings.checkpoint
    quant_given = "checkpoint.quant" in given
    if options.demo:
        return Chosen(settings, "demo", None, suggested=False, given=given)
    named = options.moshi_weight or options.model_dir or options.hf_repo
    if options.quant is None and named is None and not quant_given:
        with_quant = replace(settings, checkpoint=replace(options, quant=SMALLEST))
        return Chosen(with_quant, f"q{SMALLEST}", SMALLEST, suggested=True, given=given)
    bits = options.quant
    if bits is None and (found := re.search(r"q([48])\b", str(named))):
        bits = int(found[1])
    return Chosen(settings, f"q{bits}" if bits else "bf16", bits, suggested=False, given=given)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _words(options: CheckpointOptions) -> list[str]:
    """The options that differ from the defaults, as one types them."""
    words: list[str] = []
    usual = CheckpointOptions()
    for name in CheckpointOptions.__dataclass_fields__:
        value = getattr(options, name)
        if value != getattr(usual, name):
            words.append(_flag(name))
            words += [] if value is True else [str(value)]
    return words
