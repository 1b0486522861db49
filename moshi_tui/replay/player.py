"""The player: a recorded talk, heard and told again.

It gives its listener the events of the recording when their moment is at the ear, and has the
numbers as they were then, so the screen can show it like a talk that goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from moshi_tui import paths
from moshi_tui.audio.levels import block_levels
from moshi_tui.clean import clean
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE
from moshi_tui.recording.reader import Recording
from moshi_tui.replay import tempo
from moshi_tui.replay.deck import Deck
from moshi_tui.replay.gauges import Gauges
from moshi_tui.replay.reciter import Reciter
from moshi_tui.session import volume
from moshi_tui.session.endpoints import FrameSink
from moshi_tui.session.ends import answered
from moshi_tui.session.events import Event, Failed, Notice, Ready, Sought, UserTurn
from moshi_tui.session.stats import Stats

TICK_SECONDS = 0.02
"""Between two looks at what is at the ear."""
STATS_SECONDS = 1 / 15

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Wish:
    """How it shall be played. Replaced as a whole, with the lock held."""

    paused: bool
    speed: float
    volume_db: float
    seek_s: float | None = None
    """Where to go; None once that is done."""


class Player:
    """Plays one recording. Every method may be called on any thread and returns at once; matches
    `ui.engine_port.PlayerLike`.

    Args:
        recording: stays open after the end; its sound belongs to the player until then.
        listener: is told everything on the player's thread.
        open_sink: makes the speaker, not started yet; called on a thread of its own, as it may
            hang. None: nobody listens, and the pace is the same.
        volume_db: of the person who listens now.
        start_s: where to begin.
        clock: seconds; the one that the sink has.
        wait: sleeps for some seconds, or until the event is set; replaced in tests.

    The constructor raises MoshiTuiError if the recording is damaged.
    """

    def __init__(
        self,
        recording: Recording,
        listener: Callable[[Event], None],
        open_sink: Callable[[], FrameSink] | None = None,
        *,
        volume_db: float = 0.0,
        speed: float = 1.0,
        start_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float | None], bool] = threading.Event.wait,
    ) -> None:
        self._recording = recording
        self._listener = listener
        self._open_sink = open_sink
        self._clock = clock
        self._wait = wait
        if recording.rate != SAMPLE_RATE:
            raise MoshiTuiError(
                "Cannot play the recording",
                f"{recording.folder}: its sound has {recording.rate} samples a second.",
                f"moshi-tui records {SAMPLE_RATE}; put the sound back as it was.",
            )
        self._reciter = Reciter(
            recording.records, recording.seconds, self._user_levels, recording.folder
        )
        self._gauges = Gauges(recording.header, recording.records, recording.folder)
        self._notices = list(_about_the_recording(recording))
        start_s = self._within(start_s)
        volume_db = volume.limited(volume_db)
        self._deck = Deck(recording, start_s, volume_db, clock=clock)
        self._told = 0  # events so far
        self._wish = _Wish(False, tempo.limited(speed), volume_db, start_s or None)
        self._playing = replace(self._wish, paused=True)
        self._stats = replace(self._gauges.at(start_s), volume_db=volume_db)
        self._stats_at = clock()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._guard, name="player", daemon=True)

    @property
    def stats(self) -> Stats:
        """The numbers as they were at the present place."""
        return self._stats

    @property
    def length_s(self) -> float:
        """Of the recording."""
        return self._recording.seconds

    @property
    def events(self) -> Sequence[Event]:
        """All that happens in the recording."""
        return self._reciter.all_until(self.length_s)

    def lag_ms(self, position_s: float) -> float | None:
        """How far Moshi was behind at that place; None where nobody knew."""
        return self._gauges.lag_ms(position_s)

    @property
    def paused(self) -> bool:
        """It stands still, or is about to; also at its end."""
        return self._wish.paused

    @property
    def speed(self) -> float:
        """1: as fast as it was."""
        return self._wish.speed

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """End the thread and close the speaker; True if that was done within `timeout` seconds.
        May be called again."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def pause(self, paused: bool) -> None:
        """Stand still, or go on; at the end: go on from the beginning."""
        with self._lock:
            self._wish = replace(self._wish, paused=paused)
            if not paused and self._stats.elapsed_s >= self.length_s:
                self._go_to(0.0)
        self._wake.set()

    def seek(self, position_s: float) -> None:
        """Go on there. The numbers are right at once; `Sought` follows."""
        with self._lock:
            self._go_to(self._within(position_s))
        self._wake.set()

    def set_speed(self, speed: float) -> None:
        """Play faster or slower, at the same pitch."""
        with self._lock:
            self._wish = replace(self._wish, speed=tempo.limited(speed))
        self._wake.set()

    def set_volume(self, db: float) -> None:
        """Play it so much louder or softer."""
        with self._lock:
            self._wish = replace(self._wish, volume_db=volume.limited(db))
            self._stats = replace(self._stats, volume_db=self._wish.volume_db)
        self._wake.set()

    def _go_to(self, position_s: float) -> None:
        """With the lock held."""
        self._wish = replace(self._wish, seek_s=position_s)
        before = self._stats
        self._stats = replace(
            self._gauges.at(position_s),
            user=before.user,
            moshi=before.moshi,
            volume_db=before.volume_db,
        )

    def _within(self, position_s: float) -> float:
        return min(max(0.0, position_s), self.length_s)

    # The thread.

    def _guard(self) -> None:
        try:
            self._run()
        except MoshiTuiError as error:
            self._listener(Failed(error))
        except Exception as error:
            log.exception("player thread")
            self._listener(
                Failed(
                    MoshiTuiError(
                        "Internal error in the player thread",
                        f"{type(error).__name__}: {error}.",
                        f"The log says more: {paths.log_file()}.",
                    )
                )
            )
        finally:
            self._deck.ear.close(drain=False)

    def _run(self) -> None:
        self._listener(Ready(self._gauges.info))
        self._begin()
        while True:
            self._wake.clear()
            if self._stop.is_set():
                return
            self._obey()
            if not self._playing.paused:
                self._play()
            if self._deck.lost is not None:
                error, self._deck.lost = self._deck.lost, None
                self._no_sound(error)
            self._wait(self._wake, None if self._playing.paused else TICK_SECONDS)

    def _begin(self) -> None:
        """What is to be told before anything is played."""
        for notice in self._notices:
            self._listener(notice)
        if self._open_sink is None:
            return
        try:
            sink = answered(self._started_sink, _close, self._stop)
        except MoshiTuiError as error:
            self._no_sound(error)
            return
        if sink is not None:
            self._deck.ear = sink

    def _started_sink(self) -> FrameSink:
        assert self._open_sink is not None
        sink = self._open_sink()
        try:
            sink.start()
        except BaseException:
            _close(sink)
            raise
        return sink

    def _obey(self) -> None:
        """Play as it is wished now."""
        with self._lock:
            wish = self._wish
            self._wish = replace(wish, seek_s=None)
        before, self._playing = self._playing, replace(wish, seek_s=None)
        if wish == before:
            return
        deck = self._deck
        deck.halt()
        deck.volume.db = wish.volume_db
        position_s = deck.position_s if wish.seek_s is None else wish.seek_s
        deck.turn_to(position_s, wish.speed)
        self._show()
        if wish.seek_s is not None:
            self._told = self._reciter.count(position_s)
            events = (*self._notices, *self._reciter.all_until(position_s))
            self._listener(Sought(position_s, events))

    def _play(self) -> None:
        deck = self._deck
        deck.play()
        told, self._told = self._told, self._reciter.count(deck.position_s)
        for event in self._reciter.events(told, self._told):
            self._listener(event)
        if deck.over or self._clock() >= self._stats_at + STATS_SECONDS:
            self._show()
        if deck.over:
            self._end()

    def _end(self) -> None:
        """It stands still there, unless something else was asked for meanwhile."""
        with self._lock:
            if self._wish == self._playing:
                self._wish = self._playing = replace(self._wish, paused=True)

    def _show(self) -> None:
        """Bring the numbers up to date."""
        user, moshi = self._deck.levels()
        stats = replace(self._gauges.at(self._deck.position_s), user=user, moshi=moshi)
        self._stats_at = self._clock()
        with self._lock:
            if self._wish.seek_s is None:
                self._stats = replace(stats, volume_db=self._wish.volume_db)

    def _no_sound(self, error: MoshiTuiError) -> None:
        notice = Notice(
            "Nothing is heard", f"{error.title}: {error.message}", error.hint, "output", frame=0
        )
        self._notices.append(notice)
        self._listener(notice)

    # Of a turn that was broken off.

    def _user_levels(self, start_s: float, end_s: float) -> list[float]:
        first, last = round(start_s * SAMPLE_RATE), round(end_s * SAMPLE_RATE)
        sound = self._recording.sound(first, last - first)
        return block_levels(sound[:, 0], UserTurn.BLOCK_FRAMES * FRAME_SAMPLES)


def _about_the_recording(recording: Recording) -> Iterator[Notice]:
    """What is not as it should be: damage, and how it ended."""
    if recording.damage:
        yield Notice("The recording is damaged", f"{recording.damage}.", frame=0)
    if not recording.complete:
        yield Notice(
            "The recording has no end",
            "moshi-tui was killed, or still records. This is what was there when it was opened.",
            frame=0,
        )
    elif error := recording.records[-1].get("error"):
        yield Notice("The recording ended by itself", f"{clean(str(error))}.", frame=0)


def _close(sink: FrameSink) -> None:
    sink.close(drain=False)
