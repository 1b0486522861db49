"""A simulated user that listens: speaks when Moshi has finished, waits for its answer, interrupts.

It hears Moshi's sound only, as loud as a person would; its own is flite's voices other than Moshi's
saying held-out sentences, at varied pitch, pace and level, mostly over a light noise.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import speakers
from eval_turns import ACTIVE_DBFS, INTERRUPT_S, PAUSE_S, Turn
from phrases import Talk
from phrases_grammar import held_out
from stoi import resample

RATE = 24_000
FRAME = 1_920
FRAME_S = FRAME / RATE
GREETING_S = 2.5
"""At first, Moshi may greet; it gets no longer than this to begin."""
ANSWER_S = 4.0
"""After that long without an answer, the user says something else."""
FINISHED_S = (0.7, 1.5)
"""For how long Moshi must have been silent before the user speaks."""
PATIENCE_S = 12.0
"""Who has talked for so long is interrupted."""
INTERRUPTING = 0.35
"""Of the turns, those whose answer is to be interrupted (if it lasts long enough)."""
CLEAN = 0.25
"""Of the talks, those without noise."""
LEVEL_DB = (-8.0, 4.0)
"""Over speakers.LEVEL_DBFS."""
NOISE_DBFS = (-72.0, -52.0)
LONG_SILENCE_S = (12.0, 30.0)


class SimulatedUser:
    """Gives its microphone's frames one by one, hearing what Moshi has said until then.

    Args:
        seed: voice, sentences, noise and all chances.
        seconds: length of the talk; no turn is begun that would not end in it.
        lull: of the turns, those before which the user is silent for `LONG_SILENCE_S`.
        chatty: whether it interrupts.
    """

    def __init__(self, seed: int, seconds: float, lull: float = 0.0, chatty: bool = True) -> None:
        self.turns: list[Turn] = []
        self._rng = random.Random(seed)
        self._noise = np.random.default_rng(seed)
        self._voice = speakers.draw_user(self._rng)
        self._lines = _lines(self._rng)
        self._gain = 10 ** (self._rng.uniform(*LEVEL_DB) / 20)
        quiet = self._rng.random() < CLEAN
        self._hiss = 0.0 if quiet else 10 ** (self._rng.uniform(*NOISE_DBFS) / 20)
        self._seconds = seconds
        self._lull = lull
        self._interrupting = INTERRUPTING if chatty else 0.0
        self._frames = 0
        self._over = False
        self._speech = np.zeros(0, np.float32)
        self._ended = 0.0
        self._began: float | None = None
        self._heard_last = -1.0
        self._plan()

    def frame(self, heard: np.ndarray) -> np.ndarray:
        """The next [1920] float32 at 24 kHz. `heard` is the newest of Moshi's frames whose sound
        has been played to its end when this frame begins."""
        now = self._frames * FRAME_S
        self._listen(heard, now)
        if not len(self._speech) and (kind := self._decide(now)):
            self._speak(now, kind == "interrupt")
        said, self._speech = self._speech[:FRAME], self._speech[FRAME:]
        self._frames += 1
        if len(said) and not len(self._speech):
            self._plan()
        sound = np.pad(said, (0, FRAME - len(said))) * self._gain + self._floor()
        return np.clip(sound, -1, 1).astype(np.float32)

    def _listen(self, heard: np.ndarray, now: float) -> None:
        power = np.square(heard.astype(np.float64)).reshape(2, -1).mean(1)
        for half, loud in enumerate(power > 10 ** (ACTIVE_DBFS / 10)):
            moment = now - FRAME_S + (half + 1) * FRAME_S / 2
            if not loud:
                continue
            if self._began is None or moment - self._heard_last > PAUSE_S + FRAME_S:
                self._began = self._began if self._answering(moment) else moment
            self._heard_last = moment

    def _answering(self, moment: float) -> bool:
        """Moshi pauses within what it says."""
        return self._began is not None and moment - self._heard_last < FINISHED_S[0]

    def _decide(self, now: float) -> str:
        silent = now - self._heard_last
        if self._over:
            return ""
        if self._began is None:
            patience = ANSWER_S if self.turns else GREETING_S
            if now - self._ended >= max(patience, self._silence) and silent >= self._finished:
                return "speak"
            return "interrupt" if self._too_long(now) else ""
        sounding = silent <= FRAME_S
        if sounding and self._interrupts and now - self._began >= self._interrupt_after:
            return "interrupt"
        if silent >= max(self._finished, self._silence):
            return "speak"
        return "interrupt" if self._too_long(now) else ""

    def _too_long(self, now: float) -> bool:
        begun = max(self._began or 0.0, self._ended)
        return now - self._heard_last <= FRAME_S and now - begun > PATIENCE_S

    def _plan(self) -> None:
        """What to do after the turn that ends now: at the end of the frame."""
        self._ended = self._frames * FRAME_S
        self._began = None
        self._finished = self._rng.uniform(*FINISHED_S)
        self._interrupts = bool(self.turns) and self._rng.random() < self._interrupting
        self._interrupt_after = self._rng.uniform(*INTERRUPT_S)
        lull = self._rng.random() < self._lull
        self._silence = self._rng.uniform(*LONG_SILENCE_S) if lull else 0.0

    def _speak(self, now: float, interrupts: bool) -> None:
        text = next(self._lines)
        speech = self._voice.say(text)
        sound = resample(speech.samples / 32768, len(speech.samples) * 3 // 2)
        late = self._rng.randrange(FRAME)
        start, end = (now + late / RATE + t for t in (speech.start, speech.end))
        if end > self._seconds:
            self._over = True
            return
        self._speech = np.concatenate((np.zeros(late), sound)).astype(np.float32)
        self.turns.append(Turn(start, end, text, interrupts))

    def _floor(self) -> np.ndarray:
        """Noise, softer above 1 kHz."""
        if not self._hiss:
            return np.zeros(FRAME)
        white = self._noise.standard_normal(FRAME + 8)
        return self._hiss * np.convolve(white, np.ones(9) / 3, "valid")


def _lines(rng: random.Random) -> Iterator[str]:
    """Held-out texts of a user, of at least four words."""
    talk = Talk(rng, "test")
    while True:
        text = talk.user_says()
        if held_out(text):
            yield text
