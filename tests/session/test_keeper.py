import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from moshi_tui.audio.devices import Device, NoAnswerError
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session import keeper as keeper_module
from moshi_tui.session.ends import NO_MICROPHONE
from moshi_tui.session.events import DeviceChanged, DeviceLost, Notice
from moshi_tui.session.keeper import Keeper
from tests.session.stand_ins import EarSink, HandSource

NOTHING = np.zeros(0, np.float32)
OLD = Device(0, "Old", "ALSA", 48_000, 1, 2, True, True)
USB = Device(3, "USB Audio", "ALSA", 48_000, 1, 2, False, False)


def hand(device):
    source = HandSource()
    source.live, source.name, source.device = True, device and device.name, device
    return source


def ear(device):
    sink = EarSink()
    sink.name, sink.device = device and device.name, device
    return sink


class FakeSystem:
    """An `Opener`: PortAudio knows what is in `listed`, plugged in is what is in `there`."""

    def __init__(self):
        self.listed = [OLD]
        self.there = [OLD]
        self.opened = []
        self.looks = 0
        self.busy = 0
        self.strangers = 0
        self.first = []
        self.asked = []
        self.hold = threading.Event()
        self.hold.set()

    def _open(self, device, make):
        self.hold.wait(5)
        if device not in self.listed or device not in self.there:
            raise MoshiTuiError("No such device", f"{device.name}.", "Plug it in.")
        self.opened.append(make(device))
        return self.opened[-1]

    def streams(self):
        return self.strangers + sum(not end.closed for end in [*self.first, *self.opened])

    def source(self, device):
        return self._open(device, hand)

    def sink(self, device):
        return self._open(device, ear)

    def known(self, side, device):
        return device in self.listed

    def plugged_in(self, side, device):
        self.asked.append(side)
        return device in self.there

    def look_anew(self):
        if self.busy:
            self.busy -= 1
            return False
        self.looks += 1
        self.listed = list(self.there)
        return True


class Kept:
    """A keeper at work, and two threads that read and write as the stages do."""

    def __init__(self, source=None, sink=None):
        self.system = FakeSystem()
        self.events = []
        self.source, self.sink = source or hand(OLD), sink or ear(OLD)
        self.system.first = [self.source, self.sink]
        self.keeper = Keeper(self.source, self.sink, self.system, self.events.append, lambda: 7)
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self._encode),
            threading.Thread(target=self._decode),
            threading.Thread(target=self.keeper.run),
        ]
        for thread in self.threads:
            thread.start()

    def _encode(self):
        while not self.over.is_set():
            self.keeper.source.read(self.over)

    def _decode(self):
        while not self.over.wait(0.005):
            self.keeper.sink.write(NOTHING)

    def wait(self, condition, seconds=5.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.events
            time.sleep(0.005)

    def end(self):
        self.over.set()
        self.keeper.source.close()
        self.keeper.sink.close(drain=False)
        self.keeper.close()
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(keeper_module, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(keeper_module, "MOST_RETRY_SECONDS", 0.2)
    kept = Kept()
    yield kept
    kept.end()


def unplug(kept, end):
    kept.system.there = []
    end.error = MoshiTuiError("It has failed", "Old: Unplugged.")


def test_another_device_is_opened_and_the_old_one_closed(kept):
    kept.system.there = kept.system.listed = [OLD, USB]
    kept.keeper.use("input", USB)
    kept.wait(lambda: kept.source.closed)
    kept.keeper.use("output", USB)
    kept.wait(lambda: kept.sink.closed and len(kept.events) == 2)
    assert kept.events == [
        DeviceChanged(7, "input", "USB Audio"),
        DeviceChanged(7, "output", "USB Audio"),
    ]
    assert kept.sink.flushes == 1  # it fades out
    assert kept.system.looks == 0


def test_a_change_tells_the_rate_of_the_new_device(kept, monkeypatch):
    monkeypatch.setattr(EarSink, "rate", 44_100)
    kept.system.there = kept.system.listed = [OLD, USB]
    kept.keeper.use("output", USB)
    kept.wait(lambda: kept.events)
    assert kept.events == [DeviceChanged(7, "output", "USB Audio", 44_100)]


def test_the_one_that_is_in_use_is_not_opened_twice(kept):
    kept.keeper.use("input", OLD)
    kept.wait(lambda: kept.events)
    assert kept.events == [DeviceChanged(7, "input", "Old")]
    assert not kept.system.opened
    assert not kept.source.closed


def test_one_that_is_not_there_leaves_the_old_one_in_peace(kept):
    kept.keeper.use("output", USB)
    kept.wait(lambda: kept.events)
    assert kept.events == [Notice("No such device", "USB Audio.", "Plug it in.", "output")]
    assert kept.keeper.sink.name == "Old"
    assert not kept.sink.closed
    assert not kept.source.closed


def test_nobody_waits_while_a_device_opens(kept):
    kept.system.there = kept.system.listed = [OLD, USB]
    kept.system.hold.clear()
    kept.keeper.use("input", USB)
    time.sleep(0.05)
    kept.source.feed(0.5, 3)
    kept.wait(lambda: not kept.source.frames)
    assert not kept.events
    kept.system.hold.set()
    kept.wait(lambda: kept.events)


def test_one_that_does_not_answer_is_given_up_and_closed_when_it_does(kept, monkeypatch):
    monkeypatch.setattr(keeper_module, "OPEN_SECONDS", 0.1)
    kept.system.there = kept.system.listed = [OLD, USB]
    kept.system.hold.clear()
    kept.keeper.use("input", USB)
    kept.wait(lambda: kept.events)
    (notice,) = kept.events
    assert "does not answer" in notice.title
    kept.system.hold.set()
    kept.wait(lambda: kept.system.opened and kept.system.opened[0].closed)
    assert kept.keeper.source.name == "Old"


def test_one_plugged_in_later_is_found_and_the_other_side_resumes(kept):
    kept.system.there = [OLD, USB]
    kept.system.busy = 2  # the streams take a moment to close
    kept.keeper.use("input", USB)
    kept.wait(lambda: kept.events)
    kept.wait(lambda: kept.sink.closed and kept.keeper.sink.now.end is not kept.sink)
    assert kept.events == [DeviceChanged(7, "input", "USB Audio")]
    assert kept.system.looks == 1
    assert (kept.keeper.sink.name, kept.keeper.sink.lost) == ("Old", "")


def test_an_other_side_that_does_not_come_back_is_told(kept):
    kept.system.there = [USB]
    kept.keeper.use("output", USB)
    kept.wait(lambda: len(kept.events) == 2)
    assert DeviceChanged(7, "output", "USB Audio") in kept.events
    assert DeviceLost(7, "input", "Old", "Old.") in kept.events


def test_if_streams_stay_open_all_is_as_before(kept, monkeypatch):
    monkeypatch.setattr(keeper_module, "FREE_SECONDS", 0.1)
    kept.system.there = [OLD, USB]
    kept.system.busy = 10**6
    kept.keeper.use("input", USB)
    kept.wait(lambda: kept.events)
    (notice,) = kept.events
    assert "another sound device" in notice.message.lower()
    kept.wait(lambda: len(kept.system.opened) == 2)
    assert [end.name for end in kept.system.opened] == ["Old", "Old"]
    kept.wait(lambda: kept.keeper.source.now.end is kept.system.opened[0])
    assert kept.keeper.source.lost == ""


@pytest.mark.parametrize("side", ["input", "output"])
def test_what_is_gone_is_taken_again_when_it_is_back(kept, side):
    end = kept.source if side == "input" else kept.sink
    unplug(kept, end)
    kept.wait(lambda: kept.events)
    assert kept.events == [DeviceLost(7, side, "Old", "Unplugged.")]
    time.sleep(0.2)
    assert len(kept.events) == 1
    assert end.closed
    kept.system.there = [OLD]
    kept.wait(lambda: len(kept.events) == 2)
    assert kept.events[1] == DeviceChanged(7, side, "Old")


def test_while_one_is_gone_another_can_be_taken(kept):
    kept.system.listed = [OLD, USB]
    unplug(kept, kept.source)
    kept.wait(lambda: kept.events)
    kept.system.there = [USB]
    kept.keeper.use("input", USB)
    kept.wait(lambda: len(kept.events) == 2)
    assert kept.events[1] == DeviceChanged(7, "input", "USB Audio")
    assert kept.keeper.source.lost == ""


def test_what_is_back_under_another_address_is_found_by_looking_anew(kept):
    unplug(kept, kept.source)
    kept.wait(lambda: kept.events)
    kept.system.listed = []
    kept.system.there = [OLD]
    kept.wait(lambda: len(kept.events) == 2)
    assert kept.events[1] == DeviceChanged(7, "input", "Old")
    assert kept.system.looks == 1


def test_a_file_that_fails_is_not_opened_again(monkeypatch):
    monkeypatch.setattr(keeper_module, "RETRY_SECONDS", 0.02)
    file = hand(None)
    file.name = "speech.wav"
    kept = Kept(source=file)
    file.error = MoshiTuiError("It has failed", "speech.wav: Broken.")
    kept.wait(lambda: kept.events)
    time.sleep(0.1)
    kept.end()
    assert kept.events == [DeviceLost(7, "input", "speech.wav", "Broken.")]
    assert not kept.system.opened


def test_a_microphone_takes_the_place_of_a_recorded_voice():
    voice = hand(None)
    voice.name = NO_MICROPHONE
    kept = Kept(source=voice)
    kept.keeper.use("input", OLD)
    kept.wait(lambda: kept.events)
    kept.end()
    assert kept.events == [DeviceChanged(7, "input", "Old")]
    assert voice.closed


def test_the_index_of_a_device_may_be_of_another_list(kept):
    unplug(kept, kept.sink)
    kept.wait(lambda: kept.events)
    kept.system.there = kept.system.listed = [replace(OLD, index=9)]
    kept.keeper.use("output", replace(OLD, index=9))
    kept.wait(lambda: len(kept.events) == 2)
    assert kept.events[1] == DeviceChanged(7, "output", "Old")


def test_closing_waits_for_nothing_that_hangs(kept):
    kept.system.hold.clear()
    kept.system.listed = kept.system.there = [OLD, USB]
    kept.keeper.use("input", USB)
    time.sleep(0.05)
    began = time.monotonic()
    kept.keeper.close()
    kept.threads[2].join(2)
    assert time.monotonic() - began < 1
    assert not kept.events
    kept.system.hold.set()
    kept.wait(lambda: kept.system.opened and kept.system.opened[0].closed)


def test_while_somebody_else_has_a_stream_open_nothing_is_closed_for_a_new_device(
    kept, monkeypatch
):
    monkeypatch.setattr(keeper_module, "FREE_SECONDS", 0.1)
    kept.system.there = [OLD, USB]
    kept.system.strangers = 1
    kept.keeper.use("output", USB)
    kept.wait(lambda: kept.events)
    (notice,) = kept.events
    assert notice.title == "Cannot look for new devices"
    assert not kept.source.closed
    assert not kept.sink.closed
    assert not kept.system.opened


def test_nor_is_the_other_side_for_one_that_is_back(kept, monkeypatch):
    monkeypatch.setattr(keeper_module, "FREE_SECONDS", 0.05)
    kept.system.strangers = 1
    unplug(kept, kept.source)
    kept.wait(lambda: kept.events)
    kept.system.listed, kept.system.there = [], [OLD]
    kept.wait(lambda: len(kept.system.asked) > 2)
    assert not kept.sink.closed
    kept.system.strangers = 0
    kept.wait(lambda: len(kept.events) == 2)
    assert kept.events[1] == DeviceChanged(7, "input", "Old")


def test_a_stranger_that_goes_is_waited_for(kept):
    kept.system.there = [OLD, USB]
    kept.system.strangers = 1
    kept.keeper.use("output", USB)
    time.sleep(0.15)
    assert not kept.sink.closed
    kept.system.strangers = 0
    kept.wait(lambda: kept.events)
    assert kept.events == [DeviceChanged(7, "output", "USB Audio")]


def test_back_to_the_old_one_while_another_opens_leaves_the_old_one(kept):
    kept.system.there = kept.system.listed = [OLD, USB]
    kept.system.hold.clear()
    kept.keeper.use("input", USB)
    time.sleep(0.05)
    kept.keeper.use("input", OLD)
    kept.system.hold.set()
    kept.wait(lambda: kept.events)
    kept.wait(lambda: kept.system.opened and kept.system.opened[0].closed)
    assert kept.events == [DeviceChanged(7, "input", "Old")]
    assert kept.keeper.source.now.end is kept.source
    assert not kept.source.closed


def test_back_to_the_old_one_while_another_takes_over_opens_the_old_one_again(kept):
    kept.system.there = kept.system.listed = [OLD, USB]
    reading = threading.Event()
    read = kept.source.read

    def slow(stop, most=1):
        reading.set()
        time.sleep(0.3)
        return read(stop, most)

    kept.source.read = slow
    assert reading.wait(5)
    kept.keeper.use("input", USB)
    kept.wait(lambda: kept.system.opened)
    kept.keeper.use("input", OLD)
    kept.wait(lambda: len(kept.events) == 2)
    assert [event.name for event in kept.events] == ["USB Audio", "Old"]
    kept.wait(lambda: kept.keeper.source.settled)
    assert (kept.keeper.source.name, kept.keeper.source.lost) == ("Old", "")
    assert kept.source.closed


def test_of_several_wishes_only_the_last_is_granted(kept):
    others = [replace(USB, index=n, name=f"USB {n}") for n in range(3)]
    kept.system.there = kept.system.listed = [OLD, *others]
    kept.system.hold.clear()
    for other in others:
        kept.keeper.use("output", other)
        time.sleep(0.02)
    kept.system.hold.set()
    kept.wait(lambda: kept.events)
    time.sleep(0.05)
    assert kept.events == [DeviceChanged(7, "output", "USB 2")]
    assert [end.name for end in kept.system.opened] == ["USB 0", "USB 2"]


def test_one_that_does_not_answer_is_not_looked_for(kept, monkeypatch):
    monkeypatch.setattr(keeper_module, "OPEN_SECONDS", 0.05)
    kept.system.hold.clear()
    kept.keeper.use("input", USB)
    kept.wait(lambda: kept.events)
    assert kept.system.asked == []
    kept.source.error = MoshiTuiError("It has failed", "Old: Unplugged.")
    kept.wait(lambda: len(kept.events) == 2)
    time.sleep(0.4)
    assert kept.system.asked == []
    kept.system.hold.set()


def test_a_wish_does_not_wait_until_both_sides_are_mended(kept, monkeypatch):
    tried = []

    def hang(device):
        tried.append(device.name)
        time.sleep(0.2)
        raise NoAnswerError("The sound system does not answer", "Busy.")

    kept.system.source = kept.system.sink = hang
    unplug(kept, kept.source)
    unplug(kept, kept.sink)
    kept.wait(lambda: len(tried) == 3)
    kept.keeper.use("input", USB)
    kept.wait(lambda: "USB Audio" in tried)
    assert tried.index("USB Audio") == 3
