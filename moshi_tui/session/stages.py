"""The three threads of a talk: encode, inference, decode. `engine.py` says how they fit together.

Each stage is a loop with one input and one output. A reset is a new epoch: packets carry the epoch
that they belong to, each stage starts afresh when it meets a new one, and drops what is older.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import numpy as np

from moshi_tui.audio.levels import block_levels
from moshi_tui.audio.ring import Pcm
from moshi_tui.codec import Codec
from moshi_tui.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from moshi_tui.model import Generator
from moshi_tui.model.device import Memory
from moshi_tui.model.generate import Step
from moshi_tui.model.tokenizer import TextStream
from moshi_tui.recording.codes import CodedStep
from moshi_tui.session.activity import SpeechDetector
from moshi_tui.session.backlog import WaitingRoom
from moshi_tui.session.endpoints import Frame, FrameSink, FrameSource
from moshi_tui.session.events import (
    InputEnded,
    Muted,
    SkipKind,
    Skipped,
    TextPiece,
    Underrun,
    UserTurn,
    WasReset,
)
from moshi_tui.session.lag import unread_must_go
from moshi_tui.session.playback import Placed, Playback
from moshi_tui.session.shared import BATCH_FRAMES, Heard, Pipe, Said, Shared
from moshi_tui.session.trace_rows import PlacedFrame, SteppedFrame
from moshi_tui.session.turns import Turns
from moshi_tui.session.volume import Volume

log = logging.getLogger(__name__)

_NOTHING = np.zeros(0, np.float32)
_RISE = np.linspace(0.0, 1.0, round(0.005 * SAMPLE_RATE), endpoint=False, dtype=np.float32)
"""A step would be a click to the codec."""


class EncodeStage:
    """Microphone to codes: steps 2 to 4."""

    def __init__(
        self,
        shared: Shared,
        source: FrameSource,
        codec: Codec,
        out: WaitingRoom[Heard],
        *,
        n_user: int,
        tail: int,
    ) -> None:
        self._shared = shared
        self._source = source
        self._codec = codec
        self._out = out
        self._n_user = n_user
        self._tail = tail
        self._silence = np.zeros(FRAME_SAMPLES, np.float32)
        self._detector = SpeechDetector()
        self._turns = Turns()
        self._epoch = shared.epoch
        self._muted = False
        self._frame = 0
        self._told_end = False

    def run(self) -> None:
        """Until the session stops or the source ends; then `tail` frames of silence and the end."""
        self._source.discard()  # what came while the threads were starting would stay as lag
        while not self._shared.stop.is_set():
            if self._source.live and unread_must_go(
                self._source.waiting_s(), self._shared.encode.settled_s
            ):
                self._source.lose()
            frames = self._source.read(self._shared.stop, BATCH_FRAMES)
            if self._epoch != self._shared.epoch:
                self._reset()  # the frames in hand are from before it
            elif frames:
                self._hear(frames)
            elif self._source.ended:
                for _ in range(self._tail):
                    self._hear([Frame(self._silence, self._shared.clock())])
                self._out.end()
                return

    def _hear(self, frames: list[Frame]) -> None:
        """Encode what there is in one call, hand it on frame by frame."""
        self._tell_changes()
        self._listen(frames)
        sound = [self._allowed(frame) for frame in frames]
        started = self._shared.clock()
        codes = self._codec.encode(np.concatenate(sound))
        encoded = self._shared.clock()
        self._shared.encode.add((encoded - started) / len(frames))
        self._shared.trace.encoded(self._frame + frames[0].lost, len(frames), started, encoded)
        unread = int(self._source.waiting_s() / FRAME_SECONDS + 1e-6) + len(frames)
        for index, frame in enumerate(frames):
            if frame.lost:
                self._tell_skipped(self._frame, "speech", frame.lost)
                self._frame += frame.lost
            self._shared.tape.heard(self._frame, frame.captured_at, sound[index], frame.pcm)
            if self._source.live:
                self._shared.trace.captured(self._frame, frame.captured_at)
            levels = block_levels(sound[index])
            blocks = self._detector.update(levels)
            self._tell_turn(self._turns.add(self._frame, blocks, levels))
            activity = max(blocks)
            heard = Heard(
                self._epoch,
                self._frame,
                codes[: self._n_user, index],
                frame.captured_at,
                ready_at=encoded,
            )
            self._frame += 1
            unread -= 1
            for shed in self._out.put(heard, activity, self._shared.load(unread)):
                self._tell_skipped(shed.item.frame, "speech" if shed.speech else "silence")

    def _allowed(self, frame: Frame) -> Pcm:
        """What the model may hear of it: nothing while muted, nor what was said before the person
        unmuted, however late it comes."""
        if self._muted:
            return self._silence
        unheard = self._shared.unmuted_at - (frame.captured_at - FRAME_SECONDS)
        if unheard <= 0:
            return frame.pcm
        samples = min(FRAME_SAMPLES, math.ceil(unheard * SAMPLE_RATE))
        pcm = frame.pcm.copy()
        pcm[:samples] = 0.0
        rise = pcm[samples : samples + len(_RISE)]
        rise *= _RISE[: len(rise)]
        return pcm

    def _listen(self, frames: list[Frame]) -> None:
        """What the microphone delivers, muted or not: is it anything, and is it Moshi?"""
        shared, source = self._shared, self._source
        if not source.live:
            return
        for frame in frames:
            silent = source.device is not None and not frame.pcm.any()
            shared.silent_s = shared.silent_s + FRAME_SECONDS if silent else 0.0
            shared.echo_db = shared.echo.heard(block_levels(frame.pcm), frame.captured_at)

    def _tell_skipped(self, frame: int, kind: SkipKind, frames: int = 1) -> None:
        ms = frames * FRAME_SECONDS * 1000
        self._shared.user_skips[kind] += ms
        self._shared.emit(Skipped(frame, "user", kind, ms))

    def _tell_turn(self, turn: UserTurn | None) -> None:
        if turn is not None:
            self._shared.emit(turn)

    def _reset(self) -> None:
        self._epoch = self._shared.epoch
        self._tell_turn(self._turns.end())
        self._out.clear()
        self._source.discard()
        self._codec.reset()

    def _tell_changes(self) -> None:
        if self._muted != self._shared.muted:
            self._muted = self._shared.muted
            if self._muted:
                self._tell_turn(self._turns.end())
            self._shared.emit(Muted(self._frame, self._muted))
        if self._source.silent_from_here and not self._told_end:
            self._told_end = True
            self._shared.emit(InputEnded(self._frame))


class InferenceStage:
    """Codes to text and codes: steps 5 and 6. Runs on the thread that loaded the model."""

    def __init__(
        self,
        shared: Shared,
        generator: Generator,
        text: TextStream,
        into: WaitingRoom[Heard],
        out: Pipe[Said],
        memory: Callable[[], Memory],
    ) -> None:
        self._shared = shared
        self._generator = generator
        self._text = text
        self._in = into
        self._out = out
        self._memory = memory
        self._epoch = shared.epoch
        self._steps = 0  # since the last reset
        self.after_step: Callable[[], None] = lambda: None
        """Called after each step, on this thread."""

    def run(self) -> None:
        """Until the stream of heard frames ends."""
        while (heard := self._in.take()) is not None:
            if heard.epoch < self._shared.epoch:
                continue
            if heard.epoch != self._epoch:
                self._reset(heard)
            self._step(heard)
        self._say(self._shared.frame, -1, self._text.flush())
        self._out.put(None)

    def _step(self, heard: Heard) -> None:
        shared = self._shared
        started = shared.clock()
        if shared.started_at is None:
            shared.started_at = started
        shared.step_began = started
        step = self._generator.step(heard.codes)
        shared.step_began = None
        stepped = shared.clock()
        self._record(heard, step)
        shared.step.add(stepped - started)
        shared.frames += 1
        shared.frame = heard.frame
        shared.context_used = self._generator.context_used
        shared.memory = self._memory()
        self._say(heard.frame, step.text_token, self._text.push(step.text_token))
        said = shared.clock()
        self._out.put(Said(heard.epoch, heard.frame, step.audio_codes, heard.captured_at))
        over = shared.clock()
        shared.turn.add(over - started)
        shared.trace.stepped(
            SteppedFrame(
                heard.frame,
                heard.ready_at,
                start=started,
                stepped=stepped,
                told=said,
                until=over,
                backlog=len(self._in),
                memory=shared.memory.active,
            )
        )
        self.after_step()

    def _record(self, heard: Heard, step: Step) -> None:
        seed, said = self._generator.seed, (step.text_token, heard.codes, step.audio_codes)
        self._shared.tape.coded(CodedStep(heard.epoch, self._steps, seed, heard.frame, *said))
        self._steps += 1

    def _say(self, frame: int, token: int, text: str) -> None:
        """Pass on text; with --verbose also into the log (unasked, a talk leaves no trace
        there)."""
        if text:
            log.debug("frame %d text token %d %r", frame, token, text)
            self._shared.emit(TextPiece(frame, token, text))

    def _reset(self, heard: Heard) -> None:
        self._epoch = heard.epoch
        self._say(heard.frame, -1, self._text.flush())
        self._generator.reset()
        self._steps = 0
        self._text.reset()
        self._shared.emit(WasReset(heard.frame))


class DecodeStage:
    """Codes to speaker: steps 7 and 8.

    Args:
        playback: keeps live sound near now; None for a file, which gets every frame as it is.
        volume: for live sound.
    """

    def __init__(
        self,
        shared: Shared,
        codec: Codec,
        into: Pipe[Said],
        sink: FrameSink,
        playback: Playback | None,
        volume: Volume,
    ) -> None:
        self._shared = shared
        self._codec = codec
        self._in = into
        self._sink = sink
        self._playback = playback
        self._volume = volume
        self._epoch = shared.epoch

    def run(self) -> None:
        """Until the stream of said frames ends."""
        over = False
        while not over and (first := self._in.get(self._idle)) is not None:
            batch: list[Said] = [first]
            # In a file each frame is decoded alone, so that `run` repeats itself to the sample.
            for said in self._in.more(0 if self._playback is None else BATCH_FRAMES - 1):
                if said is None:
                    over = True
                else:
                    batch.append(said)
            self._notice_reset()
            self._play([said for said in batch if said.epoch == self._epoch])

    def _idle(self) -> None:
        """Nothing comes: a reset still counts, and so does a speaker that has failed. (It would go
        unnoticed for as long as the user is silent: what it does not play is a surplus, because of
        which the model hears nothing and says nothing.)"""
        self._notice_reset()
        if self._playback is not None:
            self._sink.write(_NOTHING)

    def _notice_reset(self) -> None:
        """Fall silent at once, also if the first frame after the reset takes its time."""
        if self._epoch != self._shared.epoch:
            self._epoch = self._shared.epoch
            self._sink.flush()
            silent_at = self._shared.clock() + self._sink.write(_NOTHING)
            self._shared.tape.silenced(silent_at)
            self._shared.trace.silenced(silent_at)
            self._codec.reset()
            if self._playback is not None:
                self._playback.reset()

    def _play(self, batch: list[Said]) -> None:
        """Decode what there is in one call, play it frame by frame."""
        codes = [said.codes for said in batch if said.codes is not None]
        if not codes:
            return
        shared = self._shared
        started = shared.clock()
        pcm = self._codec.decode(np.stack(codes, axis=1))
        decoded = shared.clock()
        shared.decode.add((decoded - started) / len(codes))
        first = next(said.frame for said in batch if said.codes is not None)
        shared.trace.decoded(first, len(codes), started, decoded)
        sounds = iter(np.split(pcm, len(codes)))
        for said in batch:
            if said.codes is not None:
                self._place(said, next(sounds))

    def _place(self, said: Said, pcm: Pcm) -> None:
        shared = self._shared
        began = shared.clock()
        if self._playback is None:
            placed = Placed(pcm)
        else:
            slack_s, gap_s = self._sink.slack_s(), self._sink.gap_s()
            placed = self._playback.place(pcm, slack_s, shared.clock(), shared.pace_s, gap_s)
        now = shared.clock()
        pcm, ahead = self._speak(placed.pcm)
        shared.tape.played(now + ahead, pcm)
        shared.lag.add(shared.clock() + ahead + placed.lead / SAMPLE_RATE - said.captured_at)
        if shared.trace.on:
            self._trace(said, placed, began, now + ahead)
        if placed.late_s:
            silence_s = placed.late_s + placed.lead / SAMPLE_RATE
            shared.emit(Underrun(said.frame, silence_s * 1000))
        for change in placed.changes:
            if change.ms > 0:
                shared.moshi_skips[change.kind] += change.ms
                shared.emit(Skipped(said.frame, "moshi", change.kind, change.ms))

    def _trace(self, said: Said, placed: Placed, began: float, at: float) -> None:
        """What became of the frame, whose sound (with the silence ahead of it) is heard then."""
        now, waiting_s = self._shared.clock(), self._sink.waiting_s()
        lead_s = placed.lead / SAMPLE_RATE
        seconds = 0.0 if self._playback is None else len(placed.pcm) / SAMPLE_RATE - lead_s
        self._shared.trace.placed(
            PlacedFrame(
                said.frame,
                said.captured_at,
                start=began,
                until=now,
                waiting_s=waiting_s,
                at=at + lead_s,
                seconds=seconds,
            )
        )

    def _speak(self, pcm: Pcm) -> tuple[Pcm, float]:
        """Give it to the speaker, at its volume; returns it so, and in how many seconds it will be
        heard."""
        if self._playback is None:
            return pcm, self._sink.write(pcm)
        pcm = self._volume.apply(pcm)
        ahead = self._sink.write(pcm)
        self._shared.echo.played(block_levels(pcm), self._shared.clock() + ahead)
        return pcm, ahead
