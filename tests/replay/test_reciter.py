import ast
import itertools
from pathlib import Path

import numpy as np
import pytest

from moshi_tui import ui
from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.transcript import Transcript
from moshi_tui.replay.gauges import Gauges
from moshi_tui.replay.reciter import Reciter
from moshi_tui.session.events import (
    DeviceChanged,
    DeviceLost,
    InputEnded,
    Muted,
    Notice,
    Skipped,
    TextPiece,
    Underrun,
    UserSaid,
    UserTurn,
    VolumeChanged,
    WasReset,
)
from moshi_tui.session.scribe import lag
from moshi_tui.session.stats import RECORDED, Stats
from moshi_tui.ui.conversation import MOSHI, Conversation
from moshi_tui.ui.telling import tell
from tests.recording.made import HEADER, LAG, a_talk, record


def recite(records, length=60.0, levels=lambda start, end: ()):
    return Reciter(records, length, levels, "FOLDER")


def all_events(records, length=60.0):
    reciter = recite(records, length)
    return reciter.events(0, reciter.count(length))


def word(t, text, begins=False):
    return record(t, "text", token=3, text=text, begins=begins)


def turn(start, seconds, levels):
    stop = record(start + seconds, "user_stop", seconds=seconds, levels=levels)
    return [record(start, "user_start"), stop]


def test_each_record_is_told_as_what_it_was_with_its_time_in_frames():
    records = [
        record(0.0, "lag", **LAG),
        word(1.0, " Hi", begins=True),
        record(1.5, "user_said", text="Hel\x1b[31mlo."),
        record(2.0, "mute", muted=True),
        record(3.0, "volume", db=-3.0),
        record(4.0, "reset", seed=4),
        record(5.0, "skip", side="moshi", kind="speed", ms=4.5),
        record(6.0, "underrun", ms=42.0),
        record(7.0, "device", side="output", name="Head\x1b[31mset"),
        record(8.0, "device_lost", side="input", name="Mic", why="Gone."),
        record(9.0, "input_end"),
        record(10.0, "notice", title="T", message="M", hint="H"),
        record(11.0, "failed", title="T", message="M", hint=""),
        record(12.0, "end", seconds=12.0),
    ]
    assert all_events(records) == [
        TextPiece(12, 3, " Hi"),
        UserSaid(19, "Hello."),
        Muted(25, True),
        VolumeChanged(38, -3.0),
        WasReset(50),
        Skipped(62, "moshi", "speed", 4.5),
        Underrun(75, 42.0),
        DeviceChanged(88, "output", "Headset"),
        DeviceLost(100, "input", "Mic", "Gone."),
        InputEnded(112),
        Notice("T", "M", "H", frame=125),
        Notice("T", "M", "", frame=138),
    ]


def test_frames_count_from_the_beginning_of_the_recording():
    (piece,) = all_events([{**word(2.0, "Hi", begins=True), "frame": 90_000}])
    assert piece.frame == 25


def test_a_turn_of_the_user_grows_while_it_is_heard():
    reciter = recite(turn(8.0, 0.96, [-30.0, -20.0, -25.0, -40.0]))
    assert reciter.count(8.2) == 0
    assert reciter.all_until(8.25) == [UserTurn(100, 3, (-30.0,), over=False)]
    assert reciter.events(0, reciter.count(8.75)) == [
        UserTurn(100, 3, (-30.0,), over=False),
        UserTurn(100, 6, (-30.0, -20.0), over=False),
        UserTurn(100, 9, (-30.0, -20.0, -25.0), over=False),
    ]
    assert reciter.events(3, reciter.count(60)) == [
        UserTurn(100, 12, (-30.0, -20.0, -25.0, -40.0), over=True)
    ]


def test_whoever_hears_of_a_turn_later_is_told_its_beginning_and_the_newest():
    reciter = recite(turn(8.0, 0.96, [-30.0, -20.0, -25.0, -40.0]))
    assert [event.frames for event in reciter.all_until(8.8)] == [3, 9]
    assert [event.frames for event in reciter.all_until(60)] == [3, 12]


def test_a_turn_that_was_broken_off_grows_to_the_end_by_the_sound():
    asked = []

    def levels(start, end):
        asked.append((start, end))
        return [-30.0, -31.0, -32.0]

    reciter = recite([record(9.0, "user_start")], 9.8, levels)
    assert asked == [(9.0, 9.8)]
    events = reciter.events(0, reciter.count(9.8))
    assert events[0] == UserTurn(112, 3, (-30.0,), over=False)
    assert events[-1] == UserTurn(112, 10, (-30.0, -31.0, -32.0), over=False)


def test_a_stop_without_its_start_has_one():
    (event,) = all_events([record(3.04, "user_stop", seconds=0.16, levels=[-20.0])])
    assert event == UserTurn(36, 2, (-20.0,), over=True)


@pytest.mark.parametrize("gap", [0.5, 0.95, 1.0, 1.04, 1.1, 3.0])
@pytest.mark.parametrize("begins", [True, False])
def test_utterances_are_those_that_were_recorded(gap, begins):
    for start in np.arange(5.0, 5.08, 0.01):
        records = [word(start, "Yes.", begins=True), word(start + gap, " No.", begins)]
        talk = Conversation()
        for event in all_events(records):
            tell(talk, event)
        assert len(talk.entries) == 1 + begins


def test_words_join_over_what_the_model_did_not_hear_and_after_a_reset_they_do_not():
    records = [
        word(5.0, "One", begins=True),
        record(5.5, "skip", side="user", kind="speech", ms=800.0),
        word(6.4, " two", begins=False),
        record(6.5, "reset", seed=3),
        word(6.6, "three", begins=True),
    ]
    talk = Conversation()
    for event in all_events(records):
        tell(talk, event)
    assert [each.text for each in talk.entries if each.speaker == MOSHI] == ["One two", "three"]


def test_a_conversation_told_at_once_is_the_one_that_was_told_bit_by_bit():
    records = a_talk(40)
    reciter = recite(records, 40.0)
    slow, told = Conversation(), 0
    for position in np.arange(0, 40.1, 0.1):
        upto = reciter.count(position)
        for event in reciter.events(told, upto):
            tell(slow, event)
        told = upto
        fast = Conversation()
        for event in reciter.all_until(position):
            tell(fast, event)
        assert list(fast.lines()) == list(slow.lines())
    transcript = Transcript()
    for each in records:
        transcript.add(each)
    said = [line.split("Moshi", 1)[1] for line in transcript.rest().splitlines() if "Moshi" in line]
    entries = [each.plain for each in slow.entries if each.speaker == MOSHI]
    assert " ".join(entries) == " ".join(each.strip() for each in said)


def test_late_records_take_their_place_and_what_is_after_the_end_comes_at_the_end():
    records = [word(2.0, " b"), word(1.0, "a", begins=True), record(70.0, "mute", muted=True)]
    reciter = recite(records, 60.0)
    assert [type(event) for event in reciter.all_until(59.9)] == [TextPiece, TextPiece]
    assert reciter.all_until(1.5) == [TextPiece(12, 3, "a")]
    assert reciter.all_until(60.0)[-1] == Muted(750, True)


def test_types_of_later_versions_are_left_out(caplog):
    with caplog.at_level("INFO"):
        assert all_events([record(1.0, "smile"), record(2.0, "smile")]) == []
    assert caplog.text.count("'smile'") == 1


@pytest.mark.parametrize(
    "damaged",
    [
        {"t": 1.0, "type": "text", "token": 3, "begins": True},
        {"t": 1.0, "type": "text", "token": 3, "text": 5, "begins": True},
        {"t": 1.0, "type": "text", "token": "3", "text": "a", "begins": True},
        {"type": "input_end"},
        {"t": float("nan"), "type": "input_end"},
        {"t": 10**400, "type": "input_end"},
        {"t": 1.0},
        {"t": 1.0, "type": 3},
        {"t": 1.0, "type": "mute", "muted": 1},
        {"t": 1.0, "type": "skip", "side": "input", "kind": "speech", "ms": 1.0},
        {"t": 1.0, "type": "user_stop", "seconds": 1.0, "levels": [None]},
        {"t": 1.0, "type": "device", "side": ["input"], "name": "x"},
        [],
    ],
)
def test_a_damaged_record_is_named(damaged):
    with pytest.raises(MoshiTuiError) as caught:
        recite([record(0.5, "input_end"), damaged])
    assert caught.value.title == "Cannot read the recording"
    assert "FOLDER: event 2: " in caught.value.message


def test_the_numbers_are_those_of_the_newest_second():
    skips = {**LAG["skips"], "user_speech_ms": 80.0}
    later = {**LAG, "lag_ms": None, "underruns": 2, "skips": skips, "health": "slow\x1b[2J"}
    records = [record(1.0, "lag", **LAG), record(2.0, "lag", **later), record(3.0, "lag")]
    gauges = Gauges(HEADER, records, "FOLDER")
    assert gauges.at(0.5).lag_ms is None
    assert gauges.at(1.9).lag_ms == 150.0
    assert gauges.at(1.9).memory_bytes == 300_000_000
    stats = gauges.at(2.56)
    assert (stats.elapsed_s, stats.frame, stats.lag_ms) == (2.56, 32, None)
    assert (stats.underruns, stats.skips.user_ms, stats.health) == (2, 80.0, "slow")
    assert gauges.at(3.5).underruns == 0
    assert [gauges.lag_ms(t) for t in (0.5, 1.9, 2.5, 3.5)] == [None, 150.0, None, None]


def test_devices_and_mute_are_as_they_were():
    records = [
        record(1.0, "mute", muted=False),
        record(2.0, "device_lost", side="input", name="Mic", why="Unplugged."),
        record(3.0, "device", side="input", name="Other"),
        record(4.0, "mute", muted=True),
    ]
    gauges = Gauges(HEADER, records, "FOLDER")
    seen = [gauges.at(t) for t in (0.5, 1.5, 2.5, 3.5, 4.5)]
    assert [each.muted for each in seen] == [True, False, False, False, True]
    assert [each.microphone for each in seen] == [HEADER["devices"]["input"]] * 2 + [
        "Mic",
        "Other",
        "Other",
    ]
    assert [each.microphone_lost for each in seen] == ["", "", "Unplugged.", "", ""]
    assert {each.speaker for each in seen} == {"Headphones"}


@pytest.mark.parametrize(
    "lag", [{"lag_ms": "1"}, {"underruns": 1.5}, {"skips": {"user_speech_ms": None}}, {"skips": 3}]
)
def test_damaged_numbers_are_named(lag):
    with pytest.raises(MoshiTuiError, match="event 1"):
        Gauges(HEADER, [record(1.0, "lag", **lag)], "FOLDER")


def test_older_recordings_say_less():
    lag = {name: value for name, value in LAG.items() if not name.startswith("memory_")}
    header = {name: value for name, value in HEADER.items() if name != "runner"}
    gauges = Gauges(header, [record(1.0, "lag", **lag)], "FOLDER")
    assert gauges.info.runner == ""
    assert (gauges.at(1.5).lag_ms, gauges.at(1.5).memory_peak_bytes) == (150.0, 0)
    assert Gauges(HEADER, [], "FOLDER").info.runner == "numpy"


@pytest.mark.parametrize("missing", ["model", "seed", "devices"])
def test_a_header_without_what_is_needed_is_refused(missing):
    header = {name: value for name, value in HEADER.items() if name != missing}
    with pytest.raises(MoshiTuiError, match="header"):
        Gauges(header, [], "FOLDER")


def test_turns_of_a_long_talk_do_not_pile_up():
    starts = itertools.count(0, 60)
    records = [
        each
        for start, _ in zip(starts, range(20), strict=False)
        for each in turn(start, 59.0, [-20.0] * 246)
    ]
    reciter = recite(records, 1200.0)
    assert reciter.count(1200.0) > 4000
    assert len(reciter.all_until(1200.0)) == 40


def test_every_number_that_the_screen_shows_is_recorded_and_read():
    seen = {name for path in Path(ui.__path__[0]).rglob("*.py") for name in _asked_of_stats(path)}
    told_otherwise = {
        *("frame", "elapsed_s", "muted", "microphone", "speaker", "microphone_lost"),
        *("speaker_lost", "skips", "health"),  # the events, and records of their own
        *("user", "moshi", "volume_db"),  # as it sounds now
        *("recording_s", "recording_error"),  # nothing is recorded now
    }
    assert len(seen) > 25
    assert seen <= RECORDED.keys() | told_otherwise
    values = {name: index + 1 for index, name in enumerate(RECORDED)}
    written = lag(Stats(**values))
    stats = Gauges(HEADER, [record(1.0, "lag") | written], "FOLDER").at(1.0)
    assert {name: getattr(stats, name) for name in RECORDED} == values
    assert set(written) == {"type", "skips", "health", *RECORDED} == {"type", *LAG}


def _asked_of_stats(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("stats"):
            yield node.attr
