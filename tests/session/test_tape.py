import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moshi_tui.config import RecordingOptions, Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES, SAMPLE_RATE
from moshi_tui.recording.codes import CodedStep, read_codes
from moshi_tui.recording.journal import read_journal
from moshi_tui.session import engine as engine_module
from moshi_tui.session import tape as tape_module
from moshi_tui.session.engine import Engine
from moshi_tui.session.events import (
    DeviceChanged,
    DeviceLost,
    Failed,
    InputEnded,
    Loading,
    Muted,
    Notice,
    Ready,
    RecordingStarted,
    RecordingStopped,
    SessionInfo,
    Skipped,
    TextPiece,
    Underrun,
    UserSaid,
    UserTurn,
    VolumeChanged,
    WasReset,
)
from moshi_tui.session.scribe import Scribe, Told
from moshi_tui.session.stats import Stats
from moshi_tui.session.tape import Tape
from tests.recording.made import HEADER, LAG
from tests.session.stand_ins import EarSink, HandSource, parts


class LiveHand(HandSource):
    """A microphone: each frame was at it when it is fed."""

    live = True
    device = None

    def feed(self, value, count=1):
        self.last_at = time.monotonic()
        super().feed(value, count)


class LiveEar(EarSink):
    device = None


class Talk:
    """An engine that records, around stand-ins."""

    def __init__(
        self, monkeypatch, folder, source=None, sink=None, *, record=False, raw=False, **generator
    ):
        self.folder = folder
        self.parts = replace(parts(**generator), sampling={"text_top_k": 12})
        self.source = source or LiveHand()
        self.sink = sink or LiveEar()
        self.events = []
        monkeypatch.setattr(engine_module, "load_parts", lambda *_: self.parts)
        recording = RecordingOptions(record=record, record_folder=folder, record_raw=raw)
        settings = Settings(recording=recording)
        self.engine = Engine(settings, self.events.append, lambda: (self.source, self.sink))

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def wait(self, condition, seconds=10.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.events
            time.sleep(0.005)

    def start(self):
        self.engine.start()
        self.wait(lambda: self.of(Ready) and self.source.discards)
        return self

    def say(self, value, frames=1):
        """In real time."""
        for _ in range(frames):
            time.sleep(0.08)
            self.source.feed(value)
        self.wait(lambda: not self.source.frames)
        time.sleep(0.03)  # it is on its way to the codec

    def records(self, number=0):
        folders = sorted(self.folder.iterdir())
        return list(read_journal(folders[number] / "events.jsonl"))

    def sound(self, number=0):
        data, _ = soundfile.read(sorted(self.folder.iterdir())[number] / "audio.wav")
        return data


@pytest.fixture
def talk(monkeypatch, tmp_path):
    talk = Talk(monkeypatch, tmp_path / "talks").start()
    yield talk
    assert talk.engine.stop(5.0)


def test_a_recording_begins_and_ends_when_asked(talk):
    assert talk.engine.stats.recording_s is None
    talk.engine.set_volume(3.0)
    talk.engine.start_recording()
    talk.engine.start_recording()
    talk.wait(lambda: talk.of(RecordingStarted))
    talk.say(0.25, 5)
    assert talk.engine.stats.recording_s > 0.3
    talk.engine.stop_recording()
    talk.engine.stop_recording()
    talk.wait(lambda: talk.of(RecordingStopped))
    (started,), (stopped,) = talk.of(RecordingStarted), talk.of(RecordingStopped)
    assert stopped.folder == started.folder
    assert stopped.folder.is_absolute()
    assert stopped.error is None
    assert stopped.seconds > 0.3
    assert talk.engine.stats.recording_s is None
    assert talk.engine.stats.recording_error == ""
    header, *records = talk.records()
    assert (header["model"], header["quant"], header["codec"]) == ("echo", "f32", "storing")
    assert header["devices"] == {"input": "hand", "output": "ear"}
    assert "seed" in header
    assert "seed" not in header["sampling"]
    assert header["sampling"]["text_top_k"] == 12
    assert header["volume_db"] == 3.0
    assert header["rates"] == {"input": None, "output": None}
    assert (header["codes"], header["microphone"]) == ({"user": 8, "moshi": 8}, None)
    assert header["packages"]["numpy"] == np.__version__
    kinds = {record["type"]: record for record in records}
    assert {"text", "lag", "user_start", "end"} <= set(kinds)
    assert set(kinds["lag"]) == {"t", "frame", "type", *LAG}
    assert kinds["end"]["totals"]["steps"] == 5
    assert set(header) == set(HEADER)
    heard = talk.sound()[:, 0]
    assert np.count_nonzero(np.isclose(heard, 0.25, atol=1e-3)) > 4 * FRAME_SAMPLES


def test_another_recording_has_another_folder(talk):
    for count in (1, 2):
        talk.engine.start_recording()
        talk.wait(lambda count=count: len(talk.of(RecordingStarted)) == count)
        talk.engine.stop_recording()
    talk.wait(lambda: len(talk.of(RecordingStopped)) == 2)
    assert len({event.folder for event in talk.of(RecordingStarted)}) == 2


def test_asked_for_beforehand_it_begins_with_the_talk_and_ends_with_it(monkeypatch, tmp_path):
    talk = Talk(monkeypatch, tmp_path / "new" / "talks", record=True).start()
    talk.wait(lambda: talk.of(RecordingStarted))
    talk.say(0.3, 3)
    talk.wait(lambda: len(talk.of(TextPiece)) == 3)
    began = time.monotonic()
    assert talk.engine.stop(0.5)
    assert time.monotonic() - began < 0.5
    (stopped,) = talk.of(RecordingStopped)
    assert stopped.error is None
    assert talk.records()[-1]["type"] == "end"
    lines = (stopped.folder / "transcript.txt").read_text().splitlines()
    assert lines == ["00:00 You    (0.2 s)", "00:00 Moshi  1 2 3"]
    assert not [t for t in threading.enumerate() if t.name == "recorder"]


@pytest.mark.parametrize("part", ["encoder.encode", "generator.step", "decoder.decode"])
def test_a_failure_is_in_the_recording(monkeypatch, tmp_path, part):
    talk = Talk(monkeypatch, tmp_path, record=True).start()
    talk.wait(lambda: talk.of(RecordingStarted))
    owner, _, name = part.partition(".")
    setattr(getattr(talk.parts, owner), name, None)
    talk.say(0.3)
    assert talk.engine.join(5.0)
    (stopped,) = talk.of(RecordingStopped)
    assert stopped.error is None
    assert [record["type"] for record in talk.records()][-2:] == ["failed", "end"]


def test_a_long_step_does_not_keep_a_recording_from_its_end(monkeypatch, tmp_path):
    talk = Talk(monkeypatch, tmp_path, record=True, step_seconds=1.0).start()
    talk.wait(lambda: talk.of(RecordingStarted))
    talk.source.feed(0.1)
    talk.wait(lambda: not talk.source.frames)
    time.sleep(0.1)  # it is on its way to the model
    assert not talk.engine.stop(0.4)
    assert talk.of(RecordingStopped)
    assert talk.records()[-1]["type"] == "end"
    assert talk.engine.join(5.0)


def test_a_recording_that_cannot_be_made_is_told_and_the_talk_goes_on(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    talk = Talk(monkeypatch, tmp_path / "file", record=True).start()
    talk.wait(lambda: talk.of(RecordingStopped))
    (stopped,) = talk.of(RecordingStopped)
    assert isinstance(stopped.error, MoshiTuiError)
    assert stopped.seconds == 0
    talk.wait(lambda: talk.engine.stats.recording_error)
    assert talk.engine.stats.recording_s is None
    talk.say(0.3)
    talk.wait(lambda: talk.sink.played)
    talk.engine.start_recording()
    talk.wait(lambda: len(talk.of(RecordingStopped)) == 2)
    assert not talk.of(Failed)
    assert talk.engine.stop(5.0)


def test_a_file_that_is_answered_is_not_recorded(monkeypatch, tmp_path):
    talk = Talk(monkeypatch, tmp_path / "talks", HandSource(), record=True).start()
    talk.engine.start_recording()
    talk.source.feed(0.1, 3)
    talk.wait(lambda: len(talk.sink.played) == 3)
    assert talk.engine.stop(5.0)
    assert not talk.of(RecordingStarted)
    assert not (tmp_path / "talks").exists()


def test_muted_the_recording_is_silent_and_the_turn_is_over(talk):
    talk.engine.start_recording()
    talk.wait(lambda: talk.of(RecordingStarted))
    talk.say(0.25, 5)
    talk.engine.set_muted(True)
    talk.say(0.75, 5)
    talk.engine.set_muted(False)
    talk.say(0.25, 5)
    talk.engine.stop_recording()
    talk.wait(lambda: talk.of(RecordingStopped))
    assert [r["muted"] for r in talk.records() if r["type"] == "mute"] == [True, False]
    heard = talk.sound()[:, 0]
    assert heard.max() < 0.3
    first, *_, last = np.flatnonzero(heard > 0.2)
    silent = heard[first:last] == 0
    # Of the frame during which it was unmuted only the rest is heard.
    assert 4.5 * FRAME_SAMPLES < silent.sum() < 6.5 * FRAME_SAMPLES
    over = [turn for turn in talk.of(UserTurn) if turn.over]
    assert (over[0].frame, over[0].frames) == (0, 5)


def test_what_is_said_while_muted_is_kept_where_that_is_asked_for(monkeypatch, tmp_path):
    talk = Talk(monkeypatch, tmp_path, record=True, raw=True).start()
    talk.wait(lambda: talk.of(Notice))
    assert "muted" in talk.of(Notice)[0].message
    talk.engine.set_muted(True)
    talk.say(0.25, 4)
    assert talk.engine.stop(5.0)
    (folder,) = tmp_path.iterdir()
    raw, _ = soundfile.read(folder / "microphone.wav")
    assert np.count_nonzero(np.isclose(raw, 0.25, atol=1e-3)) > 3 * FRAME_SAMPLES
    assert not talk.sound()[:, 0].any()
    header, *records = talk.records()
    assert header["microphone"] == "microphone.wav"
    assert [r["title"] for r in records if r["type"] == "notice"]


def test_moshi_is_recorded_as_loud_as_it_was_played(monkeypatch, tmp_path):
    talk = Talk(monkeypatch, tmp_path, record=True).start()
    talk.wait(lambda: talk.of(RecordingStarted))
    talk.engine.set_volume(-6.0)
    talk.engine.set_volume(-6.0)
    talk.say(0.5, 4)
    talk.wait(lambda: len(talk.sink.played) == 4)
    assert talk.engine.stop(5.0)
    assert [r["db"] for r in talk.records() if r["type"] == "volume"] == [-6.0]
    assert [event.db for event in talk.of(VolumeChanged)] == [-6.0]
    left, right = talk.sound().T
    assert np.median(right[right > 0.1]) == pytest.approx(0.25, abs=0.01)
    assert np.median(left[left > 0.1]) == pytest.approx(0.5, abs=0.01)


def test_the_codes_are_enough_to_run_the_model_again(monkeypatch, tmp_path):
    talk = Talk(monkeypatch, tmp_path, delay=2)
    generator = talk.parts.generator
    reset = generator.reset

    def reset_with_another_seed():
        reset()
        generator.seed = 0xFFFFFFF0 + generator.resets

    generator.reset = reset_with_another_seed
    talk.start()
    talk.say(0.1, 2)
    talk.engine.start_recording()
    talk.say(0.2, 1)
    talk.engine.reset()
    talk.wait(lambda: talk.source.discards == 2)
    talk.say(0.3, 2)
    talk.wait(lambda: len(talk.of(TextPiece)) == 5)
    assert talk.engine.stop(5.0)
    (folder,) = tmp_path.iterdir()
    codes = read_codes(folder, 8)
    assert codes.epoch.tolist() == [0, 0, 0, 1, 1]
    assert codes.step.tolist() == [0, 1, 2, 0, 1]
    assert codes.seed.tolist() == [1, 1, 1, 0xFFFFFFF1, 0xFFFFFFF1]
    assert codes.frame.tolist() == [event.frame for event in talk.of(TextPiece)]
    assert codes.text.tolist() == [1, 2, 3, 1, 2]
    assert codes.user.tolist() == [[number] * 8 for number in range(5)]
    # What it hears it says one step later.
    assert codes.moshi[:, 0].tolist() == [-1, 0, 1, -1, 3]


def test_a_reset_cuts_what_was_not_heard_and_ends_the_turn(monkeypatch, tmp_path):
    class Ahead(LiveEar):
        """What is written is heard 0.3 s later."""

        def write(self, pcm):
            super().write(pcm)
            return 0.3 if len(pcm) else 0.05

    talk = Talk(monkeypatch, tmp_path, sink=Ahead(), record=True).start()
    talk.wait(lambda: talk.of(RecordingStarted))
    talk.say(0.25, 8)
    talk.wait(lambda: len(talk.sink.played) == 8)
    talk.engine.reset()
    talk.wait(lambda: talk.sink.flushes)
    flushed_at = time.monotonic()
    time.sleep(0.5)
    assert talk.engine.stop(5.0)
    said = np.flatnonzero(talk.sound()[:, 1] > 0.2)
    heard = np.flatnonzero(talk.sound()[:, 0] > 0.2)
    # The frames come when they were spoken, so the last one fed ends just before the reset.
    last_heard = heard[-1] / SAMPLE_RATE
    assert said[-1] / SAMPLE_RATE - last_heard == pytest.approx(
        0.05 + flushed_at - talk.source.last_at, abs=0.06
    )
    assert [turn.over for turn in talk.of(UserTurn)][-1]


# What the events are called on disk.


def described(*events, newest=(100, 50.0), since=0.0, close=False):
    scribe = Scribe(lambda: newest, since)
    records = [record for event in events for record in scribe.describe(Told(event, 42), 60.0)]
    return [*records, *scribe.close()] if close else records


def test_every_event_of_a_talk_has_its_record():
    error = MoshiTuiError("Gone", "The mic", "Plug it in.")
    events = {
        "text": TextPiece(3, 17, " Hey"),
        "skip": Skipped(4, "user", "silence", 80.0),
        "reset": WasReset(5),
        "user_said": UserSaid(6, "Hello."),
        "mute": Muted(6, True),
        "underrun": Underrun(7, 12.3456),
        "volume": VolumeChanged(7, -3.0),
        "device": DeviceChanged(8, "input", "USB", 44_100),
        "device_lost": DeviceLost(9, "output", "USB", "Unplugged."),
        "input_end": InputEnded(10),
        "notice": Notice("Slow", "too slow", "Try less."),
        "failed": Failed(error),
    }
    records = described(*events.values())
    assert [record["type"] for record in records] == list(events)
    assert all(record["at"] == 60.0 for record in records)
    assert [record["frame"] for record in records] == [3, 4, 5, 6, 6, 7, 7, 8, 9, 10, 100, 100]
    by_type = {record["type"]: record for record in records}
    assert by_type["text"]["text"] == " Hey"
    assert by_type["reset"]["seed"] == 42
    assert by_type["underrun"]["ms"] == 12.346
    assert (by_type["volume"]["db"], by_type["device"]["rate"]) == (-3.0, 44_100)
    assert by_type["failed"]["hint"] == "Plug it in."
    assert not described(Loading("files", "x"))


def test_utterances_begin_after_a_pause_or_a_reset():
    records = described(
        TextPiece(1, 0, "a"),
        TextPiece(5, 0, "b"),
        TextPiece(18, 0, "c"),
        *(Skipped(frame, "user", "speech", 80.0) for frame in range(19, 39)),
        TextPiece(40, 0, "d"),
        WasReset(41),
        TextPiece(41, 0, "e"),
    )
    begins = {r["text"]: r["begins"] for r in records if r["type"] == "text"}
    assert begins == {"a": True, "b": False, "c": True, "d": False, "e": True}


def test_a_piece_of_text_says_in_how_many_seconds_it_is_heard():
    # Frame 100 ended at 50 s; the voice is in the answer to frame 101, which ends at 50.08 s.
    scribe = Scribe(lambda: (100, 50.0), lag_ms=lambda: 150.0, delay=1)
    (piece,) = scribe.describe(Told(TextPiece(100, 1, " Hey"), 42), 50.07)
    assert piece["ahead"] == pytest.approx(0.16)
    (late,) = scribe.describe(Told(TextPiece(100, 1, " Hey"), 42), 51.0)
    assert late["ahead"] == 0.0
    assert "ahead" not in described(TextPiece(100, 1, " Hey"))[0]


def test_a_microphone_that_delivers_no_numbers_has_the_level_of_silence():
    turn = UserTurn(90, 6, (-20.0, float("nan")), over=True)
    assert described(turn)[-1]["levels"] == [-20.0, -120.0]


def test_a_turn_of_the_user_is_two_records():
    turn = UserTurn(90, 3, (-20.04,), over=False)
    records = described(turn, replace(turn, frames=6), replace(turn, frames=5, over=True))
    assert [record["type"] for record in records] == ["user_start", "user_stop"]
    start, stop = records
    assert start["at"] == pytest.approx(50.0 - 11 * 0.08)
    assert stop["at"] == pytest.approx(50.0 - 6 * 0.08)
    assert (stop["seconds"], stop["levels"]) == (0.4, [-20.0])


def test_a_turn_that_goes_on_at_the_end_is_closed():
    turn = UserTurn(90, 3, (-20.0,), over=False)
    longer = UserTurn(90, 6, (-20.0, -30.0), over=False)
    start, stop = described(turn, longer, close=True)
    assert (start["type"], stop["type"]) == ("user_start", "user_stop")
    assert stop["at"] == pytest.approx(50.0 - 5 * 0.08)
    assert (stop["seconds"], stop["levels"]) == (0.48, [-20.0, -30.0])
    assert len(described(turn, replace(longer, over=True), close=True)) == 2


def test_a_turn_that_began_before_the_recording_begins_with_it():
    # Frame 101 begins at 50 s, so the turn began at 49.12 s.
    turn = UserTurn(90, 9, (-20.0, -30.0, -40.0), over=True)
    start, stop = described(turn, since=49.35)
    assert (start["type"], start["at"], start["frame"]) == ("user_start", 49.35, 93)
    assert stop["at"] == pytest.approx(49.84)
    assert (stop["seconds"], stop["levels"]) == (0.48, [-30.0, -40.0])
    assert not described(turn, since=49.9)


def test_the_silence_after_a_turn_is_none_of_its_recording():
    # Frame 101 begins at 50 s; they had stopped at 49.12 s, and it was known a second later.
    goes_on = UserTurn(60, 33, (-20.0,) * 11, over=False)
    over = UserTurn(60, 30, (-20.0,) * 10, over=True)
    assert not described(goes_on, over, since=49.2)
    assert described(goes_on, since=49.2, close=True)
    silent = UserTurn(60, 33, (*[-20.0] * 9, -60.0, -70.0), over=False)
    assert not described(silent, since=49.2, close=True)
    still = [UserTurn(60, frames, (-20.0,) * (frames // 3), over=False) for frames in (33, 36, 48)]
    records = described(*still, UserTurn(60, 50, (-20.0,) * 17, over=True), since=49.2)
    assert [record["type"] for record in records] == ["user_start", "user_stop"]
    assert records[0]["at"] == 49.2


def test_the_turn_during_which_a_recording_ends_is_in_it(talk):
    talk.engine.start_recording()
    talk.wait(lambda: talk.of(RecordingStarted))
    talk.say(0.25, 10)
    talk.engine.stop_recording()
    talk.wait(lambda: talk.of(RecordingStopped))
    kinds = [record["type"] for record in talk.records()]
    assert kinds.count("user_start") == kinds.count("user_stop") == 1
    times = [record["t"] for record in talk.records()[1:]]
    assert times == sorted(times)
    folder = talk.of(RecordingStopped)[0].folder
    assert "You    (0.7 s)" in (folder / "transcript.txt").read_text()
    talk.engine.start_recording()
    talk.wait(lambda: len(talk.of(RecordingStarted)) == 2)
    talk.say(0.25, 5)
    talk.engine.stop_recording()
    talk.wait(lambda: len(talk.of(RecordingStopped)) == 2)
    _, *records = talk.records(1)
    (start,) = [record for record in records if record["type"] == "user_start"]
    (stop,) = [record for record in records if record["type"] == "user_stop"]
    assert start["t"] < 0.1
    assert stop["seconds"] < 0.8


# Several recordings, and those that fail.


class HeldRecorder:
    """Begins, ends and fails when the test says so."""

    def __init__(self, base, contents, wishes, *, clock):
        self.base, self.contents, self.wishes, self.over = base, contents, wishes, False
        self.seconds = 1.0
        self.joined = []
        self.rows = []
        self.noted = []
        self.sounds = []

    def played(self, at, pcm):
        self.sounds.append((at, pcm))

    def silenced(self, at):
        pass

    def note(self, event):
        self.noted.append(event)

    def records(self):
        """Of all that was noted, described as late as it can be."""
        return [each for event in self.noted for each in self.wishes.describe(event, 60.0)]

    def coded(self, rows):
        self.rows.append(rows)

    def stop(self):
        self.seconds = None

    def join(self, timeout):
        self.joined.append(timeout)
        return False

    def end(self, error=None, short=""):
        self.over = True
        self.wishes.stopped(self.base, 1.0, error, short)


INFO = SessionInfo("m", "q4", "CPU", "pocket", "mic", "ear", 1)
TALK = tape_module.Talk(INFO, parts(), LiveHand(), LiveEar(), Stats)


@pytest.fixture
def held(monkeypatch, tmp_path):
    """A tape, and the recorders that it makes."""
    made = []

    def make(*args, **options):
        made.append(HeldRecorder(*args, **options))
        return made[-1]

    monkeypatch.setattr(tape_module, "Recorder", make)
    tape = Tape(Settings(recording=RecordingOptions(record_folder=tmp_path)))
    tape.ready(TALK)
    return tape, made


def test_the_end_of_an_older_recording_says_nothing_of_the_newer(held):
    tape, made = held
    for _ in range(2):
        tape.start()
        tape.stop()
    older, newer = made
    newer.end(MoshiTuiError("Full", "disk full."), "disk full")
    assert tape.error == "disk full"
    older.end()
    assert tape.error == "disk full"
    tape.start()
    assert tape.error == ""
    older.end(MoshiTuiError("Gone", "gone."), "folder gone")
    assert tape.error == ""
    assert tape.seconds == 1.0


def test_the_talk_waits_for_every_recording_that_is_being_completed(held):
    tape, made = held
    for _ in range(3):
        tape.start()
        tape.stop()
    made[0].end()
    tape.start()
    tape.close()
    assert [len(recorder.joined) for recorder in made] == [0, 1, 1, 1]
    assert all(0 <= timeout <= 0.4 for recorder in made[1:] for timeout in recorder.joined)


def step(number, epoch=0):
    codes = np.full(8, number)
    return CodedStep(epoch, number, 7, number, 1, codes, codes)


def steps(rows):
    return np.concatenate(rows)[:, 1].tolist() if rows else []


def test_a_recording_that_begins_later_has_all_steps_since_the_last_reset(held):
    tape, made = held
    for number in range(3):
        tape.coded(step(number))
    tape.start()
    tape.coded(step(3))
    tape.stop()
    tape.coded(step(4))
    tape.start()
    tape.stop()
    tape.coded(step(0, epoch=1))
    tape.coded(step(1, epoch=1))
    tape.start()
    assert [steps(each.contents.before) for each in made] == [[0, 1, 2], [0, 1, 2, 3, 4], [0, 1]]
    assert [steps(each.rows) for each in made] == [[3], [], []]


def test_a_recording_that_begins_right_after_a_reset_has_no_steps_from_before(held):
    tape, made = held
    tape.coded(step(0))
    tape.emit(WasReset(1))
    tape.start()
    tape.coded(step(0, epoch=1))
    assert made[0].contents.before == ()
    assert steps(made[0].rows) == [0]


def test_each_reset_has_the_seed_that_it_brought_and_the_header_the_one_before(held, monkeypatch):
    tape, made = held
    tape.start()
    for seed in (5, 6):
        monkeypatch.setattr(TALK.parts.generator, "seed", seed)
        tape.emit(WasReset(seed))
    assert made[0].wishes.header()["seed"] == 1
    assert [each["seed"] for each in made[0].records()] == [5, 6]


def test_the_header_says_how_it_was_when_the_recording_began(held, monkeypatch):
    tape, made = held
    tape.start()
    monkeypatch.setattr(TALK.source, "name", "another")
    monkeypatch.setattr(TALK.sink, "rate", 44_100)
    header = made[0].wishes.header()
    assert header["devices"] == {"input": "hand", "output": "ear"}
    assert header["rates"]["output"] is None


def test_what_is_on_its_way_to_the_ear_when_a_recording_begins_is_in_it(held):
    tape, made = held
    now = time.monotonic()
    block = np.ones(FRAME_SAMPLES, np.float32)
    for start in (-20.0, 10.0, 10.08, 10.16):
        tape.played(now + start, block)
    tape.start()
    assert [at - now for at, _ in made[0].sounds] == pytest.approx([10.0, 10.08, 10.16])
    tape.silenced(now + 10.1)
    tape.stop()
    tape.start()
    assert [len(pcm) for _, pcm in made[1].sounds] == pytest.approx([1920, 480], abs=1)
    tape.played(now + 10.1, block)
    assert len(made[1].sounds) == 3
    assert len(made[0].sounds) == 3


def test_a_recording_that_begins_muted_or_without_a_device_says_so(held):
    tape, made = held
    lost = "It was unplugged."
    stats = Stats(muted=True, microphone="USB", microphone_lost=lost, speaker_lost=lost)
    tape.ready(replace(TALK, stats=lambda: stats))
    tape.start()
    for muted in (True, False):
        tape.emit(Muted(7, muted))
    kinds = [(each["type"], each.get("side"), each.get("muted")) for each in made[0].records()]
    assert kinds == [
        ("mute", None, True),
        ("device_lost", "input", None),
        ("device_lost", "output", None),
        ("mute", None, False),
    ]


def test_before_and_after_the_talk_no_steps_are_kept(held):
    tape, made = held
    tape.end()
    tape.coded(step(0))
    tape.ready(TALK)
    tape.start()
    assert made[0].contents.before == ()


def test_a_talk_in_a_folder_that_was_deleted_is_not_recorded_and_goes_on(monkeypatch, tmp_path):
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path / "x")
    (tmp_path / "x").rmdir()
    talk = Talk(monkeypatch, None).start()
    talk.engine.start_recording()
    talk.wait(lambda: talk.of(RecordingStopped))
    assert talk.of(RecordingStopped)[0].error.message == "The current folder has been deleted."
    talk.wait(lambda: talk.engine.stats.recording_error == "folder gone")
    assert talk.engine.stats.recording_s is None
    talk.say(0.3)
    talk.wait(lambda: talk.sink.played)
    assert talk.engine.stop(5.0)


def test_the_folder_stays_where_it_was_when_the_talk_began(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    talk = Talk(monkeypatch, Path("talks")).start()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    talk.engine.start_recording()
    talk.wait(lambda: talk.of(RecordingStarted))
    assert talk.engine.stop(5.0)
    assert talk.of(RecordingStarted)[0].folder.parent == tmp_path / "talks"


def test_the_home_folder_may_be_written_as_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    talk = Talk(monkeypatch, Path("~/talks"), record=True).start()
    talk.wait(lambda: talk.of(RecordingStarted))
    assert talk.engine.stop(5.0)
    assert talk.of(RecordingStarted)[0].folder.parent == tmp_path / "talks"
