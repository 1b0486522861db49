import threading
from dataclasses import replace

import numpy as np
import pytest

from moshi_tui.audio.devices import Device
from moshi_tui.audio.virtual import SPEAKER_BLOCK, FileMicrophone, NullSpeaker
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE
from moshi_tui.session.live import LiveSink, LiveSource
from moshi_tui.session.switch import FADE_SECONDS, SwitchableSink, SwitchableSource, at_work
from tests.session.stand_ins import EarSink, HandSource

NEVER = threading.Event()
FADE = round(FADE_SECONDS * SAMPLE_RATE)
USB = Device(3, "USB Audio", "ALSA", 48_000, 1, 2, False, False)


class Swaps:
    """A switchable end, and its swaps."""

    def __init__(self, make, end):
        self.told = []
        self.end = make(end, lambda before, after: self.told.append((before, after)))


def hand(value, frames=0, name="hand"):
    source = HandSource()
    source.live, source.name, source.device = True, name, USB
    source.feed(value, frames)
    return source


def ear(name="ear", **numbers):
    sink = EarSink()
    sink.name, sink.device = name, USB
    for what, number in numbers.items():
        setattr(sink, what, lambda number=number: number)
    return sink


def microphone(pcm):
    """A `LiveSource` that has heard `pcm`; nothing more will come by itself."""
    mic = FileMicrophone(np.zeros(1, np.float32))
    mic.ring.push(np.asarray(pcm, np.float32))
    return LiveSource(mic)


def test_the_next_frame_is_of_the_new_microphone():
    old, new = hand(0.1, 3, "old"), hand(0.7, name="new")
    swaps = Swaps(SwitchableSource, old)
    assert swaps.end.read(NEVER)[0].pcm[0] == np.float32(0.1)
    swaps.end.put(at_work(new))
    assert not swaps.told  # only the thread that reads may swap
    assert swaps.end.name == "old"
    swaps.end.read(NEVER)
    assert new.discards == 1
    new.feed(0.7)
    (frame,) = swaps.end.read(NEVER)
    assert frame.pcm[-1] == np.float32(0.7)
    ((before, after),) = swaps.told
    assert (before.end, after.end) == (old, new)
    assert swaps.end.name == "new"
    assert swaps.end.lost == ""


def test_there_is_no_step_between_two_microphones():
    swaps = Swaps(SwitchableSource, microphone(np.full(FRAME_SAMPLES, 0.8)))
    first = swaps.end.read(NEVER)
    new = microphone([])
    swaps.end.put(at_work(new))
    stop = threading.Event()
    stop.set()
    swaps.end.read(stop)
    new._microphone.ring.push(np.full(2 * FRAME_SAMPLES, -0.6, np.float32))
    frames = first + swaps.end.read(NEVER, 2)
    heard = np.concatenate([frame.pcm for frame in frames])
    assert np.abs(np.diff(heard)).max() < 1.5 / FADE
    assert np.all(heard[FRAME_SAMPLES + FADE :] == np.float32(-0.6))
    assert frames[1].lost == 0


def test_who_is_patient_is_asked_of_the_one_who_speaks_now():
    demo, person = hand(0.5, 1), hand(0.5, 1)
    demo.patient = True
    swaps = Swaps(SwitchableSource, demo)
    assert swaps.end.patient
    swaps.end.put(at_work(person))
    assert swaps.end.patient
    swaps.end.read(NEVER)
    assert not swaps.end.patient


def test_a_microphone_that_fails_becomes_silence_in_real_time():
    old = hand(0.5, 1)
    swaps = Swaps(SwitchableSource, old)
    last = swaps.end.read(NEVER)
    old.error = MoshiTuiError("The microphone has failed", "hand: Unplugged.")
    silence = []
    while len(silence) < 2:
        silence += swaps.end.read(NEVER, 5)
    swaps.end.close()
    assert swaps.end.lost == "Unplugged."
    assert (swaps.end.name, swaps.end.device, swaps.end.now.device) == ("hand", None, USB)
    assert not swaps.end.silent_from_here
    assert len(swaps.told) == 1
    heard = np.concatenate([frame.pcm for frame in last + silence])
    assert np.abs(np.diff(heard)).max() < 1 / FADE
    assert not heard[FRAME_SAMPLES + FADE :].any()


def test_a_microphone_that_comes_back_is_lost_no_more():
    old = hand(0.5)
    old.error = MoshiTuiError("The microphone has failed", "hand: Unplugged.")
    swaps = Swaps(SwitchableSource, old)
    swaps.end.read(NEVER)
    new = hand(0.5)
    swaps.end.put(at_work(new))
    swaps.end.read(NEVER)
    assert swaps.end.lost == ""
    assert [after.lost for _, after in swaps.told] == ["Unplugged.", ""]


def test_what_a_source_counts_never_goes_back():
    old, new = hand(0.1), hand(0.2)
    old.dropped_s, old.overflows = (lambda: 1.5), (lambda: 3)
    new.dropped_s, new.overflows = (lambda: 0.25), (lambda: 1)
    end = Swaps(SwitchableSource, old).end
    assert (end.dropped_s(), end.overflows()) == (1.5, 3)
    end.put(at_work(new))
    end.read(NEVER)
    assert (end.dropped_s(), end.overflows()) == (1.75, 4)
    end.put(at_work(hand(0.3)))
    end.read(NEVER)
    assert (end.dropped_s(), end.overflows()) == (1.75, 4)


def test_what_a_sink_counts_never_goes_back():
    old = ear(underruns=2, gap_s=0.5, underflows=7, dropped_s=0.1)
    new = ear(underruns=1, gap_s=0.25, underflows=1, dropped_s=0.0)
    end = Swaps(SwitchableSink, old).end
    end.put(at_work(new))
    end.write(np.zeros(0, np.float32))
    assert (end.underruns(), end.underflows()) == (3, 8)
    assert (end.gap_s(), end.dropped_s()) == (0.75, 0.1)


class Rooms:
    """Null speakers played by hand, on one clock."""

    def __init__(self):
        self.now = 100.0
        self.speakers = []
        self.heard = []

    def speaker(self):
        speaker = NullSpeaker(clock=lambda: self.now)
        self.speakers.append(speaker)
        self.heard.append([])
        return LiveSink(speaker, clock=lambda: self.now)

    def wait(self, seconds):
        for _ in range(round(seconds / 0.01)):
            self.now += SPEAKER_BLOCK / SAMPLE_RATE
            for speaker, heard in zip(self.speakers, self.heard, strict=True):
                speaker._tick(self.now)
                heard.append(speaker._block.copy())


def test_a_new_speaker_has_as_much_waiting_as_the_old_one():
    rooms = Rooms()
    old, new = rooms.speaker(), rooms.speaker()
    swaps = Swaps(SwitchableSink, old)
    pcm = np.full(FRAME_SAMPLES, 0.5, np.float32)
    for _ in range(3):
        swaps.end.write(pcm)
        rooms.wait(0.05)
    slack_s = swaps.end.slack_s()
    swaps.end.put(at_work(new))
    ahead_s = swaps.end.write(pcm)
    assert ahead_s == pytest.approx(slack_s, abs=0.011)
    assert swaps.end.slack_s() == pytest.approx(slack_s + 0.08, abs=0.011)
    rooms.wait(0.4)
    heard = np.concatenate(rooms.heard[1])
    assert np.abs(np.diff(heard)).max() < 1 / FADE
    assert np.count_nonzero(heard > 0.49) > FRAME_SAMPLES - 2 * FADE
    assert swaps.end.underruns() == new.underruns() == 1  # at its own end


def test_what_a_dead_speaker_has_piled_up_is_not_waited_for():
    rooms = Rooms()
    old, new = rooms.speaker(), rooms.speaker()
    swaps = Swaps(SwitchableSink, old)
    rooms.wait(0.01)
    for _ in range(30):
        swaps.end.write(np.full(FRAME_SAMPLES, 0.5, np.float32))
    assert swaps.end.waiting_s() > 2
    swaps.end.put(at_work(new))
    swaps.end.write(np.zeros(0, np.float32))
    assert swaps.end.waiting_s() <= 0.121


def test_a_speaker_that_fails_becomes_nobody_in_real_time():
    old = ear()
    swaps = Swaps(SwitchableSink, old)
    old.error = MoshiTuiError("The speaker has failed", "ear: It is gone.")
    assert swaps.end.write(np.full(FRAME_SAMPLES, 0.5, np.float32)) < 0.2
    assert swaps.end.waiting_s() > 0
    stop = threading.Event()
    for _ in range(100):
        if swaps.end.waiting_s() == 0:
            break
        stop.wait(0.01)
    assert swaps.end.waiting_s() == 0
    assert (swaps.end.lost, swaps.end.name) == ("It is gone.", "ear")
    assert len(swaps.told) == 1
    swaps.end.close(drain=False)


def test_what_never_got_its_turn_is_closed_too():
    old, new = hand(0.1), hand(0.2)
    end = Swaps(SwitchableSource, old).end
    end.put(at_work(new))
    end.close()
    assert (old.closed, new.closed) == (1, 1)


def test_what_comes_after_the_end_is_closed_at_once():
    end = Swaps(SwitchableSink, ear()).end
    end.close(drain=True)
    late = ear()
    end.put(at_work(late))
    assert late.closed == 1


def test_several_at_once_leave_the_last():
    ends = [hand(value / 10) for value in range(3)]
    swaps = Swaps(SwitchableSource, ends[0])
    swaps.end.put(at_work(ends[1]))
    swaps.end.put(replace(at_work(ends[2]), tell=False))
    swaps.end.read(NEVER)
    assert swaps.end.now.end is ends[2]
    assert [before.end for before, _ in swaps.told] == ends[:2]


def test_a_new_speaker_that_has_failed_by_its_turn_is_swapped_for_nobody():
    old, new = ear("old"), ear("new")
    new.error = MoshiTuiError("The speaker has failed", "new: It is gone.")
    old.slack_s = lambda: 0.05
    swaps = Swaps(SwitchableSink, old)
    swaps.end.put(at_work(new))
    swaps.end.write(np.full(FRAME_SAMPLES, 0.5, np.float32))
    assert (swaps.end.name, swaps.end.lost) == ("new", "It is gone.")
    assert swaps.end.in_need  # nothing is thought to be on its way
    assert [after.lost for _, after in swaps.told] == ["", "It is gone."]
    swaps.end.close(drain=False)


def test_the_newest_is_what_comes_and_then_what_is_there():
    old, new = hand(0.1, name="old"), hand(0.2, name="new")
    swaps = Swaps(SwitchableSource, old)
    assert (swaps.end.newest.name, swaps.end.settled) == ("old", True)
    swaps.end.put(at_work(new))
    assert (swaps.end.newest.name, swaps.end.settled) == ("new", False)
    swaps.end.read(NEVER)
    assert (swaps.end.newest.name, swaps.end.settled) == ("new", True)
