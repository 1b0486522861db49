import copy
import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.schema import schema
from moshi_tui.session.events import (
    DeviceChanged,
    DeviceLost,
    Failed,
    InputEnded,
    Muted,
    Notice,
    RecordingStarted,
    Skipped,
    TextPiece,
    Underrun,
    UserSaid,
    UserTurn,
    VolumeChanged,
    WasReset,
)
from moshi_tui.session.scribe import Scribe, Told
from tests.recording.made import HEADER, LAG, record, write_recording
from tests.session.test_tape import Talk

LINE = Draft202012Validator(schema())

ERROR = MoshiTuiError("Gone", "The mic", "Plug it in.")
EVENTS = (
    TextPiece(3, 17, " Hey"),
    TextPiece(3, -1, "\ufffd"),
    UserTurn(4, 6, (-20.0, -30.04), over=True),
    UserSaid(4, "Hello."),
    Skipped(4, "user", "silence", 80.0),
    Skipped(4, "moshi", "speed", 1.2345),
    WasReset(5),
    Muted(6, True),
    VolumeChanged(6, -3.0),
    Underrun(7, 12.3456),
    DeviceChanged(8, "input", "USB"),
    DeviceLost(9, "output", "USB", "Unplugged."),
    InputEnded(10),
    Notice("Slow", "too slow", "Try less."),
    Notice("Taken", "in use", side="input"),
    Failed(ERROR),
)


def lines(folder):
    def never(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = (folder / "events.jsonl").read_text(encoding="utf-8")
    return [json.loads(line, parse_constant=never) for line in text.splitlines()]


def check(records):
    for each in records:
        assert not [error.message for error in LINE.iter_errors(each)]
    return {each["type"] for each in records}


def types():
    return {each["$ref"].rpartition("/")[2] for each in schema()["oneOf"]}


def test_the_schema_is_one():
    Draft202012Validator.check_schema(schema())
    for name in types():
        assert schema()["$defs"][name]["properties"]["type"] == {"const": name}


def test_every_field_is_described():
    def undescribed(part, path):
        for name, field in part.get("properties", {}).items():
            if name not in ("t", "frame", "type", "seed"):
                assert field.get("description"), f"{path}.{name}"
            undescribed(field, f"{path}.{name}")

    for name in types():
        undescribed(schema()["$defs"][name], name)


def test_a_made_recording_is_valid(tmp_path):
    for complete in (True, False):
        folder = write_recording(tmp_path / str(complete), seconds=12.0, complete=complete)
        assert ("end" in check(lines(folder))) == complete


def test_whatever_the_scribe_writes_is_valid():
    scribe = Scribe(lambda: (100, 50.0), lag_ms=lambda: 150.0)
    described = [each for event in EVENTS for each in scribe.describe(Told(event, 42), 60.0)]
    records = [{"t": each.pop("at"), **each} for each in described]
    assert check(records) == types() - {"header", "lag", "end"}
    assert not [*scribe.describe(Told(RecordingStarted(1, None), 42), 60.0)]


def test_a_talk_that_was_recorded_is_valid(monkeypatch, tmp_path):
    talk = Talk(monkeypatch, tmp_path, record=True)
    talk.parts = replace(talk.parts, sampling=HEADER["sampling"])
    talk.start()
    talk.engine.set_volume(-2.0)
    talk.say(0.25, 4)
    talk.engine.set_muted(True)
    talk.engine.reset()
    talk.say(0.25)
    talk.wait(lambda: talk.of(WasReset))
    assert talk.engine.stop(5.0)
    (folder,) = tmp_path.iterdir()
    kinds = check(lines(folder))
    assert kinds >= {"header", "text", "user_start", "user_stop", "mute", "reset", "lag", "end"}


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.update(type="applause"),
        lambda line: line.pop("type"),
        lambda line: line.pop("t"),
        lambda line: line.update(t=-0.001),
        lambda line: line.update(t="1"),
        lambda line: line.update(frame=1.5),
        lambda line: line.pop("frame"),
        lambda line: line.update(more=1),
        lambda line: line.pop("health"),
        lambda line: line.update(backlog_frames=None),
        lambda line: line["skips"].update(user_ms=0.0),
        lambda line: line["skips"].pop("user_silence_ms"),
    ],
)
def test_a_wrong_line_is_not_valid(change):
    line = record(1.0, "lag", **copy.deepcopy(LAG))
    assert LINE.is_valid(line)
    change(line)
    assert not LINE.is_valid(line)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(schema=1),
        lambda header: header.update(t=0.0),
        lambda header: header.pop("seed"),
        lambda header: header.update(seed=2**32),
        lambda header: header["audio"].update(channels=["moshi", "user"]),
        lambda header: header["weights"].update(fingerprint="?"),
    ],
)
def test_a_wrong_header_is_not_valid(change):
    header = copy.deepcopy(HEADER)
    assert LINE.is_valid(header)
    change(header)
    assert not LINE.is_valid(header)
