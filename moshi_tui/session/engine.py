"""The engine: one talk with Moshi, from microphone to speaker. The one page to read.

One frame is 80 ms. Its way, and where each step is written:

 1. The microphone's callback copies samples into a ring.        audio/streams.py, audio/ring.py
 2. Frames are taken from the ring, at 24 kHz.                   live.py           encode thread
 3. Is it digital silence, or Moshi's echo? health.py tells.     echo.py           encode thread
    Muted? Then the model hears silence.                         stages.py
 4. The codec makes codes; if the model is behind, some frames   codec/, lag.py    encode thread
    are left out, silence first.
 5. The model steps: text token and audio codes.                 model/generate.py inference thread
 6. The token becomes a piece of text, with its frame's number.  stages.py         inference thread
 7. The second codec makes sound of the codes.                   codec/            decode thread
 8. Is the speaker behind? Then pauses are cut, or speech is     playback.py       decode thread
    hurried. The rest gets its volume; the ring takes it, and    volume.py
    its callback plays it.                                       live.py
 9. The listener hears of everything that happens (events.py).   on whichever thread it happens
10. Whoever wants numbers asks for `stats`.                      on the asker's thread

Sound that is live can't wait: the encode thread never blocks, and what waits for the model is held
in a `WaitingRoom` that knows what it may let go of (lag.py says in which order). Sound from a file
can wait, so there every queue blocks and nothing is left out.

Microphone and speaker can be changed while the talk goes on, and it goes on without one that fails:
the keeper thread opens and mends them (keeper.py), steps 2 and 8 take them over (switch.py).

Steps 3, 5, 8 and 9 also feed the recording, if there is one (tape.py); a thread of its own writes
it (recording/recorder.py). Every step feeds the trace, if there is one (trace.py), in the same way.

The inference thread owns all of MLX: it loads, seeds, warms up, steps and cleans up. It also starts
and ends the others. Whatever goes wrong on a thread becomes one `Failed` event, and the engine
stops by itself; `stop` ends it from outside.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from moshi_tui import paths
from moshi_tui.audio.devices import Device
from moshi_tui.checkpoint import Cancelled
from moshi_tui.config import Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.model import device
from moshi_tui.session.backlog import WaitingRoom
from moshi_tui.session.endpoints import FrameSink, FrameSource
from moshi_tui.session.ends import Devices, answered
from moshi_tui.session.events import (
    Event,
    Failed,
    Finished,
    Loading,
    Notice,
    Ready,
    SessionInfo,
    Side,
    UserSaid,
    VolumeChanged,
)
from moshi_tui.session.heading import Talk
from moshi_tui.session.health import Health, SlowWatch
from moshi_tui.session.keeper import Keeper, Opener
from moshi_tui.session.loading import Parts, load_parts
from moshi_tui.session.playback import Playback
from moshi_tui.session.shared import Heard, Pipe, Said, Shared
from moshi_tui.session.stages import DecodeStage, EncodeStage, InferenceStage
from moshi_tui.session.stats import Skips, Stats
from moshi_tui.session.tape import Tape
from moshi_tui.session.trace import Trace
from moshi_tui.session.volume import Volume, limited

log = logging.getLogger(__name__)

QUEUE_FRAMES = 3
"""Frames of a file that may wait for the model."""

WATCH_SECONDS = 1.0
"""How often the engine looks at its own numbers, if steps don't take longer."""

OpenEnds = Callable[[], tuple[FrameSource, FrameSink]]
"""Makes the two ends of the talk, not started yet. Raises MoshiTuiError."""


class Engine:
    """One talk. `start`, then events; `stop` when it is enough.

    Args:
        settings: what to load and how to sample.
        listener: called with every event, on the thread where it happens; must be quick.
        open_ends: the sound (`session.ends.live_ends` for a microphone and a speaker).
        opener: opens other devices later on.
        clock: seconds; injected by tests.
    """

    def __init__(
        self,
        settings: Settings,
        listener: Callable[[Event], None],
        open_ends: OpenEnds,
        *,
        opener: Opener | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._open_ends = open_ends
        self._opener = Devices() if opener is None else opener
        self._trace = Trace(settings.recording.trace, listener, clock)
        self._tape = Tape(settings, self._trace.told, clock)
        self._shared = Shared(self._tape.emit, clock, tape=self._tape, trace=self._trace)
        self._context_size = 0
        self._source: FrameSource | None = None
        self._sink: FrameSink | None = None
        self._playback: Playback | None = None
        self._keeper: Keeper | None = None
        self._volume = Volume(settings.audio.volume_db)
        self._health = Health()
        self._slow_watch = SlowWatch()
        self._watched_at = float("-inf")
        self._heard: WaitingRoom[Heard] | None = None
        self._said: Pipe[Said] = Pipe(self._shared.stop)
        self._failed = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._main = threading.Thread(target=self._run, name="inference", daemon=True)

    def start(self) -> None:
        """Begin to load, and to talk once that is done. Returns at once."""
        self._trace.start()
        self._main.start()

    def stop(self, timeout: float) -> bool:
        """End all threads; may be called again, and before `start`.

        Returns whether they ended within `timeout` seconds. A model step can't be interrupted: if
        it takes longer than that, the threads go on, and the process should end with `os._exit`
        (MLX aborts a process that exits while one of its threads works).
        """
        self._shared.stop.set()
        self._tape.end()  # also if a long step keeps the threads from ending in time
        over = self.join(timeout)
        self._trace.close()  # likewise
        return over

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the talk is over; returns whether it is."""
        if self._main.ident is not None:
            self._main.join(timeout)
        return not self._main.is_alive()

    def set_muted(self, muted: bool) -> None:
        """Let the model hear silence instead of the microphone, from the next frame on. What was
        said while muted is not heard later either, however far behind the program is."""
        if self._shared.muted and not muted:
            self._shared.unmuted_at = self._shared.clock()
        self._shared.muted = muted

    def reset(self) -> None:
        """Let model, codecs and queues forget the talk; `WasReset` follows. From one thread
        only."""
        self._shared.epoch += 1

    def start_recording(self) -> None:
        """Write the talk to a new folder from now on, or from its first frame; `RecordingStarted`
        follows, or `RecordingStopped` with an error. Nothing if one is under way. A file that is
        answered (`moshi-tui run`) is not recorded."""
        self._tape.start()

    def stop_recording(self) -> None:
        """Complete the recording; `RecordingStopped` follows. Nothing if there is none."""
        self._tape.stop()

    def set_volume(self, db: float) -> None:
        """Play Moshi so much louder or softer, -40 (not at all) to +12 dB; limited to that."""
        db = limited(db)
        if db != self._volume.db:
            self._volume.db = db
            self._shared.emit(VolumeChanged(self._shared.frame, db))

    def use_device(self, side: Side, device: Device) -> None:
        """Take another microphone or speaker. Returns at once; answered by `DeviceChanged`, or by
        a `Notice` if it can't be had: then the old one stays."""
        if self._keeper is None:
            not_yet = Notice("Not now", "The sound is not open yet.", "Try again later.", side)
            self._shared.emit(not_yet)
        else:
            self._keeper.use(side, device)

    @property
    def stats(self) -> Stats:
        """The numbers of now. From any thread."""
        shared, source, sink, heard = self._shared, self._source, self._sink, self._heard
        if source is None or sink is None or heard is None:
            return Stats(muted=shared.muted, volume_db=self._volume.db)
        user, moshi = shared.user_skips, shared.moshi_skips
        playback, keeper = self._playback, self._keeper
        backlog = len(heard) + source.waiting_s() / FRAME_SECONDS
        began, lag_ms = shared.step_began, shared.lag.median_ms
        if source.live and lag_ms is not None:
            lag_ms = max(lag_ms, backlog * FRAME_SECONDS * 1000)
        elapsed = 0.0 if shared.started_at is None else shared.clock() - shared.started_at
        stats = Stats(
            frames=shared.frames,
            frame=shared.frame,
            elapsed_s=elapsed,
            lag_ms=lag_ms,
            input_latency_ms=source.latency_s() * 1000,
            output_latency_ms=sink.latency_s() * 1000,
            step_ms=shared.step.median_ms,
            encode_ms=shared.encode.median_ms,
            decode_ms=shared.decode.median_ms,
            stalled_ms=0.0 if began is None else max(0.0, shared.clock() - began) * 1000,
            backlog_frames=backlog,
            skips=Skips(
                user_silence_ms=user["silence"],
                user_speech_ms=user["speech"],
                moshi_silence_ms=moshi["silence"],
                moshi_speech_ms=moshi["speech"],
                moshi_speed_ms=moshi["speed"],
            ),
            dropped_input_ms=source.dropped_s() * 1000,
            dropped_output_ms=sink.dropped_s() * 1000,
            underruns=sink.underruns(),
            input_overflows=source.overflows(),
            output_underflows=sink.underflows(),
            playout_ms=0.0 if playback is None else playback.margin_s * 1000,
            playout_speed=1.0 if playback is None else playback.speed,
            context_frames=shared.context_used,
            context_size=self._context_size,
            memory_bytes=shared.memory.active,
            memory_cache_bytes=shared.memory.cache,
            memory_peak_bytes=shared.memory.peak,
            user=source.level(),
            moshi=sink.level(),
            muted=shared.muted,
            volume_db=self._volume.db,
            microphone=source.name,
            speaker=sink.name,
            microphone_lost="" if keeper is None else keeper.source.lost,
            speaker_lost="" if keeper is None else keeper.sink.lost,
            silent_s=shared.silent_s,
            echo_db=shared.echo_db,
            recording_s=self._tape.seconds,
            recording_error=self._tape.error,
        )
        return replace(stats, health=self._health.judge(stats)) if source.live else stats

    # The threads.

    def _guard(self, name: str, body: Callable[[], None]) -> None:
        """The one outer `try` of a thread."""
        try:
            body()
        except Cancelled:
            log.info("%s thread: stopped while loading", name)
        except MoshiTuiError as error:
            log.exception("%s thread", name)
            self._fail(error)
        except Exception as error:
            log.exception("%s thread", name)
            self._fail(
                MoshiTuiError(
                    f"Internal error in the {name} thread",
                    f"{type(error).__name__}: {error}.",
                    f"The log says more: {paths.log_file()}.",
                )
            )

    def _fail(self, error: MoshiTuiError) -> None:
        """Tell the first failure and stop; those of other threads that follow from it are
        logged."""
        if self._failed.acquire(blocking=False):
            self._shared.emit(Failed(error))
        self._shared.stop.set()

    def _run(self) -> None:
        try:
            self._guard("inference", self._inference)
        finally:
            self._trace.close()  # the last thing that is told is in it

    def _inference(self) -> None:
        load = partial(load_parts, self._settings, self._shared.emit, self._shared.stop.is_set)
        try:
            self._guard("inference", lambda: self._talk(load()))  # told before the recording ends
        finally:
            try:
                self._close()
            finally:
                device.release()

    def _talk(self, parts: Parts) -> None:
        """Open the sound, run the three stages until the stream ends or the engine stops."""
        shared, config = self._shared, parts.generator.config
        self._context_size = config.context
        shared.emit(Loading("sound", "Opening microphone and speaker"))
        ends = answered(self._started_ends, _close_ends, shared.stop)
        if ends is None:
            return
        source, sink = ends
        if source.live:
            self._keeper = Keeper(source, sink, self._opener, shared.emit, lambda: shared.frame)
            source, sink = self._keeper.source, self._keeper.sink
            source.meet(sink.level, lambda text: shared.emit(UserSaid(shared.frame, text)))
        heard: WaitingRoom[Heard]
        heard = WaitingRoom(shared.stop, limit=None if source.live else QUEUE_FRAMES)
        self._playback = Playback(lambda: source.patient) if source.live else None
        self._heard, self._source, self._sink = heard, source, sink
        # Files that end have their answer a few frames later than the last frame was heard.
        tail = config.max_delay - 1
        encode = EncodeStage(shared, source, parts.encoder, heard, n_user=config.n_user, tail=tail)
        memory = partial(device.memory, parts.host_bytes)
        inference = InferenceStage(shared, parts.generator, parts.text, heard, self._said, memory)
        if source.live:
            shared.surplus_s = self._surplus_s
            inference.after_step = partial(self._watch, parts.generator.model.quantisation)
        decode = DecodeStage(shared, parts.decoder, self._said, sink, self._playback, self._volume)
        info = self._info(parts, source, sink)
        shared.emit(Ready(info))
        if source.live:
            self._tape.ready(Talk(info, parts, source, sink, lambda: self.stats))
        self._threads = [self._begin("encode", encode.run), self._begin("decode", decode.run)]
        if self._keeper is not None:
            self._begin("keeper", self._keeper.run)
        inference.run()
        for thread in self._threads:
            thread.join()
        if not shared.stop.is_set():
            self._close(drain=True)
            shared.emit(Finished(shared.frames))

    def _started_ends(self) -> tuple[FrameSource, FrameSink]:
        """Both ends, with sound flowing; on a thread of its own, for it may hang."""
        ends = source, sink = self._open_ends()
        try:
            sink.start()
            source.start()
        except BaseException:
            _close_ends(ends)
            raise
        return ends

    def _begin(self, name: str, body: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=self._guard, args=(name, body), name=name, daemon=True)
        thread.start()
        return thread

    def _surplus_s(self) -> float:
        """Sound that waits at the speaker without need, in seconds (any thread)."""
        if self._playback is None or self._sink is None:
            return 0.0
        # Playback looks when a frame comes; if none does, what waits gets less by itself.
        waiting_s = self._sink.waiting_s() - self._playback.margin_s
        return max(0.0, min(self._playback.surplus_s, waiting_s))

    def _watch(self, quantisation: str) -> None:
        """Say in words, once in a while, that the machine is too slow. On the inference thread."""
        now = self._shared.clock()
        if now - self._watched_at < WATCH_SECONDS or self._shared.step.settled_s is None:
            return
        self._watched_at = now
        smaller = "" if quantisation == "q4" or self._settings.checkpoint.demo else "--quant 4"
        notice = self._slow_watch.look(self.stats, now, smaller)
        if notice is not None:
            self._shared.emit(notice)

    def _close(self, *, drain: bool = False) -> None:
        self._shared.stop.set()
        self._tape.end()
        for thread in self._threads:
            thread.join()
        if self._keeper is not None:
            self._keeper.close()
        try:
            if self._source is not None:
                self._source.close()
        finally:
            if self._sink is not None:
                self._sink.close(drain=drain)
            self._tape.close()

    def _info(self, parts: Parts, source: FrameSource, sink: FrameSink) -> SessionInfo:
        info = SessionInfo(
            model=parts.files.label,
            quant=parts.generator.model.quantisation,
            device=parts.device,
            codec=parts.encoder.name,
            microphone=source.name,
            speaker=sink.name,
            seed=parts.generator.seed,
            runner=parts.runner,
        )
        log.info("ready: %s", info)
        return info


def _close_ends(ends: tuple[FrameSource, FrameSink]) -> None:
    """Both, also if one can't be closed."""
    source, sink = ends
    try:
        source.close()
    finally:
        sink.close(drain=False)
