"""Somebody who talks with Moshi where there is no microphone: recorded lines, at the right moments.

The user hears Moshi as loud as it is played, and waits until it has been silent for about a second;
some lines interrupt it. All that decides is what was heard, counted in blocks, and a seed.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moshi_tui.audio.files import read_audio
from moshi_tui.audio.ring import Pcm
from moshi_tui.audio.virtual import MIC_BLOCK
from moshi_tui.demo.checkpoint import damaged
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import SAMPLE_RATE

FOLDER = Path(__file__).with_name("user")
LINES = "lines.json"

KINDS = ("turn", "interrupt")

AUDIBLE_DB = -45.0
"""Moshi is heard above this, dBFS."""
LEAST_PAUSE_S, MOST_PAUSE_S = 0.7, 1.3
"""Moshi has finished when it has been silent for so long, another time for each line."""
GREETING_S = 2.5
"""At first Moshi may greet."""
ANSWER_S = 6.0
"""A Moshi that has not answered by then won't."""
PATIENCE_S = 15.0
"""Nobody listens for longer than this without a pause."""
INTERRUPT_S = 1.2
"""After Moshi has begun to speak."""
BREATH_S = 0.3
"""A pause inside a sentence is shorter."""
REST_S = 8.0
"""After the last line: time for Moshi to ask something."""


@dataclass(frozen=True)
class Line:
    """What the user says at a time."""

    text: str
    blocks: Pcm
    """[n, MIC_BLOCK] float32, 24 kHz."""
    interrupts: bool = False


def load_lines(folder: Path = FOLDER) -> list[Line]:
    """The lines that come with the package, decoded. Raises MoshiTuiError."""
    path = folder / LINES
    try:
        lines = [_line(folder, entry) for entry in json.loads(path.read_bytes())]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise damaged(f"{path}: {error}") from error
    except MoshiTuiError as error:
        raise damaged(error.message.removesuffix(".")) from error
    if not lines:
        raise damaged(f"{path} has no lines")
    return lines


def _line(folder: Path, entry: dict[str, str]) -> Line:
    if entry["kind"] not in KINDS:
        raise ValueError(f"kind is {entry['kind']!r}")
    pcm = read_audio(folder / entry["file"])
    blocks = np.pad(pcm, (0, -len(pcm) % MIC_BLOCK)).reshape(-1, MIC_BLOCK)
    return Line(entry["text"], blocks, entry["kind"] == "interrupt")


class DemoUser:
    """Says the lines in their order, then in other orders, for ever. Until `meet` it hears nothing.

    Args:
        lines: one at least.
        seed: of the pauses and the later orders.
    """

    def __init__(self, lines: Sequence[Line], seed: int = 1) -> None:
        if not lines:
            raise ValueError("nothing to say")
        self._lines = list(lines)
        self._random = random.Random(seed)
        self._to_say = deque(self._lines)
        self._saying: Line | None = None
        self._at = 0  # block of it
        self._silence = np.zeros(MIC_BLOCK, np.float32)
        self._hears: Callable[[], float] = lambda: float("-inf")
        self._tell: Callable[[str], None] = lambda text: None
        self._begin_waiting(GREETING_S, least_s=GREETING_S)

    def meet(self, hears: Callable[[], float], tell: Callable[[str], None]) -> None:
        """From here on the user hears Moshi, and what it says is told.

        Args:
            hears: how loud Moshi sounds now, dBFS.
            tell: gets the text of each line as it begins.
        """
        self._hears, self._tell = hears, tell

    def speak(self) -> Pcm:
        """The next block [MIC_BLOCK], never to be written to. On the microphone's thread."""
        self._listen(self._hears() > AUDIBLE_DB)
        if self._saying is None:
            if not self._is_time():
                return self._silence
            self._saying, self._at = self._to_say.popleft(), 0
            self._tell(self._saying.text)
        block: Pcm = self._saying.blocks[self._at]
        self._at += 1
        if self._at == len(self._saying.blocks):
            self._end_line()
        return block

    def _end_line(self) -> None:
        self._saying = None
        self._begin_waiting(ANSWER_S)
        if not self._to_say:
            last = self._lines[-1]
            self._random.shuffle(self._lines)
            if self._lines[0] is last:  # nobody says the same twice running
                self._lines.append(self._lines.pop(0))
            self._to_say.extend(self._lines)
            self._rest = _REST

    def _begin_waiting(self, answer_s: float, *, least_s: float = 0.0) -> None:
        """Nothing is being said any more; Moshi has so long to begin, and so long at least."""
        self._waited = 0  # blocks since then
        self._sounded = 0  # blocks since Moshi has begun to speak; 0: not yet
        self._quiet = 0  # blocks since it was last heard
        self._rest = 0  # blocks to wait once Moshi has finished
        self._answer, self._least = _blocks(answer_s), _blocks(least_s)
        self._pause = _blocks(self._random.uniform(LEAST_PAUSE_S, MOST_PAUSE_S))

    def _listen(self, sounds: bool) -> None:
        self._waited += 1
        if sounds and self._quiet >= self._pause:
            self._sounded = 0  # it begins anew
        if sounds or self._sounded:
            self._sounded += 1
        self._quiet = 0 if sounds else self._quiet + 1

    def _is_time(self) -> bool:
        """Whether the next line begins now."""
        due = self._is_my_turn()
        if self._rest:
            if due or self._rest < _REST:
                self._rest -= 1
            return False
        return due or (self._to_say[0].interrupts and self._may_interrupt())

    def _is_my_turn(self) -> bool:
        if self._waited < self._least:
            return False
        if not self._sounded:
            return self._waited >= self._answer
        return self._quiet >= self._pause or self._sounded >= _blocks(PATIENCE_S)

    def _may_interrupt(self) -> bool:
        return self._sounded >= _blocks(INTERRUPT_S) and self._quiet < _blocks(BREATH_S)


def _blocks(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE / MIC_BLOCK)


_REST = _blocks(REST_S)
