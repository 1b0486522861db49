import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moshi_tui import headless
from moshi_tui.config import AudioOptions, CheckpointOptions, RecordingOptions, Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording import trace_file
from moshi_tui.recording.lines import LinesFile
from moshi_tui.recording.trace_file import QUEUE_LENGTH
from moshi_tui.session import engine as engine_module
from moshi_tui.session.endpoints import FileSink, FileSource
from moshi_tui.session.engine import Engine
from moshi_tui.session.events import (
    Finished,
    Loading,
    Notice,
    Ready,
    TextPiece,
    Underrun,
    UserTurn,
    WasReset,
)
from moshi_tui.session.trace import Trace, check_trace
from moshi_tui.session.trace_rows import (
    CAPTURE,
    DECODE,
    ENCODE,
    INFERENCE,
    PLAYOUT,
    ROWS,
    PlacedFrame,
)
from tests.session.stand_ins import EarSink, HandSource, parts

ROOT = Path(__file__).parents[2]

NEEDED = {
    "M": {"args"},
    "X": {"ts", "dur", "tid"},
    "i": {"ts", "tid", "s"},
    "C": {"ts", "args"},
    "b": {"ts", "cat", "id"},
    "e": {"ts", "cat", "id"},
}


class Opened:
    """A trace as a viewer opens it; whatever the format does not allow fails."""

    def __init__(self, text, whole=True):
        self.events = json.loads(text)
        rows, spans, ways = set(), defaultdict(list), defaultdict(list)
        for event in self.events:
            assert NEEDED[event["ph"]] <= set(event), event
            assert event["pid"] == 1
            assert isinstance(event["name"], str)
            assert all(isinstance(event[key], int) for key in ("ts", "dur") if key in event)
            assert min(event.get("ts", 0), event.get("dur", 0)) >= 0
            match event["ph"]:
                case "M" if event["name"] == "thread_name":
                    rows.add((event["tid"], event["args"]["name"]))
                case "X":
                    spans[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
                case "i":
                    assert event["s"] == "t"
                case "C":
                    assert all(isinstance(v, int | float) for v in event["args"].values())
                case "b" | "e":
                    ways[event["cat"], event["id"]].append(event)
        assert rows == set(ROWS.items())
        assert set(spans) <= set(ROWS)
        for row in spans.values():
            assert all(end <= start for (_, end), (start, _) in pairwise(sorted(row)))
        for way in ways.values():
            opened = []
            for event in sorted(way, key=lambda event: event["ts"]):
                if event["ph"] == "b":
                    opened.append(event["name"])
                else:
                    assert opened.pop() == event["name"]
            assert not (opened and whole)

    def of(self, phase, row, name):
        return [
            event
            for event in self.events
            if (event["ph"], event.get("tid"), event["name"]) == (phase, row, name)
        ]

    def frames(self, row, name):
        """Start and end of each frame's part in such spans."""
        return {
            frame: (event["ts"], event["ts"] + event["dur"])
            for event in self.of("X", row, name)
            for frame in range(
                event["args"]["frame"], event["args"]["frame"] + event["args"].get("frames", 1)
            )
        }


def as_killed(text):
    return text.rstrip().removesuffix(",") + "]"


class Talk:
    """An engine around stand-ins, traced."""

    def __init__(self, monkeypatch, path, source=None, sink=None, **generator):
        self.path = path
        self.parts = parts(**generator)
        self.source, self.sink = source or HandSource(), sink or EarSink()
        self.events = []
        monkeypatch.setattr(engine_module, "load_parts", self._load)
        self.engine = Engine(
            Settings(recording=RecordingOptions(trace=path)),
            self.events.append,
            lambda: (self.source, self.sink),
        )
        self.engine.start()

    def _load(self, settings, tell, stopping):
        for stage in Loading.STAGES[:-1]:
            tell(Loading(stage, "begins"))
            tell(Loading(stage, "goes on", 0.5))
        return self.parts

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def ready(self):
        wait(lambda: self.of(Ready) and self.source.discards)
        return self

    def feed(self, count):
        heard = len(self.of(TextPiece)) + count
        self.source.feed(0.5, count)
        wait(lambda: len(self.of(TextPiece)) >= heard)

    def stop(self):
        assert self.engine.stop(5.0)
        return Opened(self.path.read_text())


class FarEar(EarSink):
    """Heard 20 ms after it was written."""

    def write(self, pcm):
        super().write(pcm)
        return 0.02

    def waiting_s(self):
        return 0.02

    def slack_s(self):
        return 0.0 if self.gap else 0.02


def live_source():
    source = HandSource()
    source.live = True
    return source


def wait(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trace.json"


@pytest.fixture
def begin(monkeypatch):
    talks = []

    def begin(path, *ends, **generator):
        talks.append(Talk(monkeypatch, path, *ends, **generator))
        return talks[-1]

    yield begin
    for talk in talks:
        assert talk.engine.stop(5.0)


@pytest.fixture
def talk(begin, path):
    return begin(path, live_source(), FarEar()).ready()


def test_each_frame_of_a_file_goes_through_the_stages_in_order(begin, tmp_path, path):
    path.write_text("an older one")
    soundfile.write(tmp_path / "in.wav", np.zeros(20 * 1920, np.float32), 24_000)
    source = FileSource(tmp_path / "in.wav")
    talk = begin(path, source, FileSink(None, lambda: 0), delay=2)
    assert talk.engine.join(20.0)
    assert talk.of(Finished)
    trace = talk.stop()
    stages = [
        trace.frames(ENCODE, "encode"),
        trace.frames(INFERENCE, "step"),
        trace.frames(INFERENCE, "text"),
        trace.frames(DECODE, "decode"),
        trace.frames(DECODE, "place"),
    ]
    assert set(stages[0]) == set(stages[1]) == set(stages[2]) == set(range(21))
    assert set(stages[3]) == set(stages[4]) == set(range(1, 21))  # the first fills the delay
    for frame in range(1, 21):
        times = [time for stage in stages for time in stage[frame]]
        text = times.pop(4), times.pop(4)  # the decoder need not wait for it
        assert times == sorted(times)
        assert times[3] <= text[0] <= text[1]
        (start,) = [e for e in trace.of("b", PLAYOUT, "lag") if e["args"]["frame"] == frame]
        (end,) = [e for e in trace.of("e", PLAYOUT, "lag") if e["id"] == start["id"]]
        assert start["ts"] <= times[0]
        assert times[-2] <= end["ts"] <= times[-1]
    assert [e["name"] for e in trace.of("i", INFERENCE, "finished")]
    (last,) = trace.of("i", INFERENCE, "end of the trace")
    assert last == trace.events[-1]
    assert last["args"] == {"dropped": 0}


def test_loading_is_in_it_and_what_was_loaded(begin, path):
    trace = begin(path).stop()
    loading = [e["name"] for e in trace.events if e["name"].startswith("load: ")]
    assert loading[:4] == [f"load: {stage}" for stage in Loading.STAGES[:4]]
    trace = begin(path, live_source(), FarEar()).ready().stop()
    loading = [e["name"] for e in trace.events if e["name"].startswith("load: ")]
    assert loading == [f"load: {stage}" for stage in Loading.STAGES]
    (ready,) = trace.of("i", INFERENCE, "ready")
    assert ready["args"].items() >= {"model": "echo", "quant": "f32", "seed": 1}.items()


def test_a_live_talk_shows_capture_playout_and_the_waits_between(talk):
    for _ in range(6):
        talk.feed(1)
        time.sleep(0.05)
    trace = talk.stop()
    assert set(trace.frames(CAPTURE, "captured")) == set(range(6))
    played = trace.frames(PLAYOUT, "played")
    assert set(played) >= set(range(4))  # the last ones were not over
    steps = trace.frames(INFERENCE, "step")
    for frame in range(4):
        way = [e for e in trace.events if e.get("id") == f"frame {frame}"]
        begin = {e["name"]: e["ts"] for e in way if e["ph"] == "b"}
        end = {e["name"]: e["ts"] for e in way if e["ph"] == "e"}
        assert set(begin) == set(end) == {"lag", "waits for the model", "waits at the speaker"}
        assert end["waits for the model"] == steps[frame][0]
        assert end["waits at the speaker"] == end["lag"] <= played[frame][0]
        lag = trace.of("C", INFERENCE, "lag")[frame]["args"]["ms"]
        assert end["lag"] - begin["lag"] == pytest.approx(lag * 1000, abs=100)
    assert trace.of("C", INFERENCE, "speaker")[0]["args"] == {"ms": 20.0}
    assert trace.of("C", INFERENCE, "backlog")[0]["args"] == {"frames": 0}
    assert trace.of("C", INFERENCE, "memory")


def test_what_happens_is_marked_on_its_row_with_its_frame(talk):
    talk.feed(1)
    wait(lambda: talk.sink.played)
    talk.engine.set_muted(True)
    talk.sink.gap = 0.5
    talk.feed(1)
    wait(lambda: talk.of(Underrun))
    read = talk.source.read
    talk.source.read = lambda stop, most=1: [replace(f, lost=3) for f in read(stop, most)]
    talk.feed(1)
    talk.engine.reset()
    wait(lambda: talk.parts.encoder.resets)
    talk.feed(1)
    wait(lambda: talk.of(WasReset))
    talk.engine.set_volume(3)
    talk.engine._shared.emit(Notice("A thing", 'is "so"\n'))
    talk.engine._shared.emit(UserTurn(1, 2, (), True))
    trace = talk.stop()
    assert trace.of("i", CAPTURE, "mute")[0]["args"] == {"frame": 1}
    assert trace.of("i", PLAYOUT, "underrun")[0]["args"]["frame"] == 1
    skip = {"frame": 2, "side": "user", "kind": "speech", "ms": 240.0}
    assert trace.of("i", ENCODE, "skip")[0]["args"] == skip
    assert trace.of("i", INFERENCE, "reset")[0]["args"] == {"frame": 9}
    assert trace.of("i", INFERENCE, "notice")[0]["args"]["message"] == 'is "so"\n'
    assert len(trace.of("X", ENCODE, "encode")) == 4


def test_no_word_that_was_said_is_in_it(begin, path):
    talk = begin(path).ready()
    talk.parts.text.push = lambda token: " secret"
    talk.feed(3)
    talk.stop()
    assert " secret" in [piece.text for piece in talk.of(TextPiece)]
    assert "secret" not in path.read_text()


def test_sound_that_a_reset_has_silenced_was_not_played(path):
    now = [10.0]
    trace = Trace(path, clock=lambda: now[0])
    trace.start()
    for frame in range(4):
        trace.placed(PlacedFrame(frame, 9.9, 10.0, 10.0, 0.0, 10.05 + 0.08 * frame, 0.08))
    now[0] = 10.15
    trace.silenced(10.16)
    trace.placed(PlacedFrame(4, 10.1, 10.15, 10.15, 0.0, 10.17, 0.08))
    now[0] = 10.2
    trace.close()
    opened = Opened(path.read_text())
    played = {
        frame: (a / 1e6, b / 1e6) for frame, (a, b) in opened.frames(PLAYOUT, "played").items()
    }
    assert played == {0: (0.05, 0.13), 1: (0.13, 0.16), 4: (0.17, 0.2)}
    assert len(opened.of("b", PLAYOUT, "lag")) == 3


CHILD = """
import sys, time
from pathlib import Path
from moshi_tui.session.trace import Trace
from moshi_tui.session.trace_rows import SteppedFrame
trace = Trace(Path(sys.argv[1]))
trace.start()
frame = 0
while True:
    now = time.monotonic()
    later = now + 0.001
    trace.stepped(SteppedFrame(frame, now, now, later, later, later, backlog=0, memory=1))
    frame += 1
    if frame == 300:
        print(frame, flush=True)
    time.sleep(0.002)
"""


def test_killed_it_still_opens(path):
    command = [sys.executable, "-c", CHILD, str(path)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    opened = Opened(as_killed(path.read_text()))
    assert len(opened.frames(INFERENCE, "step")) > 150


def test_a_disk_that_stands_still_costs_bounded_memory_and_is_told_once(path, monkeypatch):
    standing, go_on = threading.Event(), threading.Event()
    put = LinesFile.put

    def slow(self, at, data):
        standing.set()
        assert go_on.wait(10)
        put(self, at, data)

    monkeypatch.setattr(LinesFile, "put", slow)
    told = []
    trace = Trace(path, told.append)
    trace.start()
    assert standing.wait(10)
    file = trace._file
    began = time.monotonic()
    for frame in range(100_000):
        trace.captured(frame, trace._clock() + frame)
    assert time.monotonic() - began < 5  # nobody waits for the disk
    assert len(file._waiting) == QUEUE_LENGTH
    go_on.set()
    wait(lambda: told)
    trace.captured(200_000, trace._clock() + 200_000)
    trace.close()
    (notice,) = told
    assert notice.title == "The trace has gaps"
    opened = Opened(path.read_text())
    assert len(opened.frames(CAPTURE, "captured")) == QUEUE_LENGTH
    assert opened.events[-1]["args"] == {
        "dropped": 100_000 - QUEUE_LENGTH + 1
    }  # the head waited, too


class FullDisk:
    """A file object on a disk with room for so many bytes."""

    def __init__(self, file, room):
        self._file = file
        self._room = room

    def write(self, data):
        if not self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(len(data), self._room)
        self._room -= taken
        return self._file.write(data[:taken])

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_a_full_disk_is_told_once_and_leaves_whole_lines(begin, path, monkeypatch):
    class SmallDisk(LinesFile):
        def __init__(self, path):
            super().__init__(path)
            self._file = FullDisk(self._file, 1500)

    monkeypatch.setattr(trace_file, "LinesFile", SmallDisk)
    talk = begin(path).ready()
    talk.feed(10)
    wait(lambda: talk.of(Notice))
    talk.feed(10)  # the talk goes on
    assert talk.engine.stop(5.0)
    (notice,) = talk.of(Notice)
    assert notice.title == "The trace has ended"
    assert notice.message == f"{path}: No space left on device."
    assert "The talk goes on." in notice.hint
    assert talk.engine.stats.frames == 20
    Opened(as_killed(path.read_text()), whole=False)


def test_a_file_that_has_been_deleted_is_told_once(path):
    told = []
    trace = Trace(path, told.append)
    trace.start()
    wait(path.exists)
    path.unlink()
    wait(lambda: told)
    trace.captured(0, time.monotonic())
    trace.close()
    (notice,) = told
    assert "No such file" in notice.message
    assert not path.exists()


def test_a_folder_that_went_away_while_loading_is_told(tmp_path):
    told = []
    trace = Trace(tmp_path / "gone" / "trace.json", told.append)
    trace.start()
    trace.close()
    assert [notice.title for notice in told] == ["The trace has ended"]


def test_without_a_path_nothing_is_written(begin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    talk = begin(None).ready()
    talk.feed(2)
    assert talk.engine.stop(5.0)
    assert not talk.engine._trace.on
    assert not list(tmp_path.iterdir())
    assert "trace" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("trace.txt", "Not a JSON file"),
        ("folder.json", "is a folder"),
        ("pipe.json", "is no regular file"),
        ("nowhere/trace.json", "does not exist"),
        ("link.json", "Two files in one"),
    ],
)
def test_what_can_not_be_written_is_refused_before_anything_is_loaded(tmp_path, name, why):
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to("in.wav")
    settings = Settings(
        CheckpointOptions(demo=True),
        audio=AudioOptions(input_file=tmp_path / "in.wav"),
        recording=RecordingOptions(trace=tmp_path / name),
    )
    for run in (check_trace, headless.talk):
        with pytest.raises(MoshiTuiError, match=why) as caught:
            run(settings)
        assert caught.value.hint


def test_run_does_not_write_its_trace_over_its_words(path):
    settings = Settings(recording=RecordingOptions(trace=path))
    with pytest.raises(MoshiTuiError, match="Two files in one"):
        headless.answer_file(settings, path.with_name("in.wav"), None, path)
