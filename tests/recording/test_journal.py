import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.recording.journal import Journal, read_journal, read_lines
from moshi_tui.recording.transcript import TranscriptFile, transcript_from


def write(path, *records):
    journal = Journal(path)
    for record in records:
        journal.add(record)
    journal.flush()
    journal.close()
    return path


def text(t, words, *, begins=False):
    return {"t": t, "frame": 0, "type": "text", "token": 1, "text": words, "begins": begins}


@given(st.text(st.characters()))
def test_any_text_comes_back_as_it_was(tmp_path_factory, words):
    path = tmp_path_factory.mktemp("journal") / "events.jsonl"
    write(path, text(0, words))
    assert next(read_journal(path))["text"] == words
    assert path.read_bytes().isascii()
    assert not any(byte < 32 and byte != 10 for byte in path.read_bytes())


def test_what_is_no_number_is_null(tmp_path):
    wild = {"a": float("nan"), "b": [1.5, float("-inf")], "c": {"d": float("inf"), "e": "é"}}
    path = write(tmp_path / "e", text(0, "a") | wild)
    line = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert [line[name] for name in "abc"] == [None, [1.5, None], {"d": None, "e": "é"}]


def test_half_a_line_is_left_out(tmp_path):
    path = write(tmp_path / "e", text(0, "a"), text(1, "b"))
    for cut in range(1, 30):
        torn = tmp_path / f"{cut}"
        torn.write_bytes(path.read_bytes()[:-cut])
        assert [record["text"] for record in read_journal(torn)] == ["a"]


def test_what_is_no_journal_is_told(tmp_path):
    (tmp_path / "e").write_text("hello\n")
    with pytest.raises(ValueError, match="no line of e is a record"):
        list(read_journal(tmp_path / "e"))


def test_after_an_error_only_whole_lines_are_left(tmp_path):
    journal = Journal(tmp_path / "e")
    journal.add(text(0, "a"))
    journal.flush()
    journal._file._file.write(b'{"half')
    journal.rescue()
    journal.add(text(1, "b"))
    journal.flush()
    journal.close()
    assert [record["text"] for record in read_journal(tmp_path / "e")] == ["a", "b"]
    assert journal.counts == {"text": 2}


def test_the_transcript_is_made_of_the_events(tmp_path):
    path = write(
        tmp_path / "e",
        {"type": "header", "schema": 1},
        text(1.9, " Hey", begins=True),
        text(2.0, ", how"),
        {"t": 2.1, "frame": 3, "type": "lag", "lag_ms": 100},
        {"t": 3.0, "frame": 4, "type": "mute", "muted": True},
        text(3.1, " are you?"),
        {"t": 65.2, "frame": 5, "type": "user_start"},
        {"t": 68.4, "frame": 6, "type": "user_stop", "seconds": 3.2, "levels": []},
        text(67.0, " \x1b[31mFi\x9bne.\n", begins=True),
        {
            "t": 80.0,
            "frame": 7,
            "type": "device_lost",
            "side": "input",
            "name": "USB",
            "why": "Out.",
        },
        {"t": 81.0, "frame": 8, "type": "end", "seconds": 81.0},
    )
    assert transcript_from(path).splitlines() == [
        "00:01 Moshi  Hey, how are you?",
        "00:03 -      Muted",
        "01:05 You    (3.2 s)",
        "01:07 Moshi  Fie.",
        "01:20 -      Microphone lost: USB. Out.",
    ]


def kinds(path):
    return [record["type"] for record in read_journal(path)]


def event(t, kind="lag", **more):
    return {"t": t, "frame": 0, "type": kind, **more}


def test_what_becomes_known_late_is_put_in_its_place(tmp_path):
    path = tmp_path / "e"
    journal = Journal(path)
    for record in ({"type": "header"}, text(0.2, "a"), text(1.0, "b"), text(1.5, "c")):
        journal.add(record)
        journal.flush()
    journal.add(event(0.08, "user_start"))
    assert kinds(path) == ["header", "text", "text", "text"]
    journal.flush()
    assert kinds(path) == ["header", "user_start", "text", "text", "text"]
    journal.add(event(1.0, "mute"))
    journal.add(event(3.0))
    journal.flush()
    journal.close()
    assert kinds(path) == ["header", "user_start", "text", "text", "mute", "text", "lag"]


@given(st.lists(st.tuples(st.floats(0, 4), st.booleans()), min_size=1, max_size=60))
def test_lines_are_in_order_of_time_however_late_they_come(tmp_path_factory, late):
    path = tmp_path_factory.mktemp("journal") / "events.jsonl"
    journal = Journal(path)
    for number, (seconds, flush) in enumerate(late):
        journal.add(event(max(0.0, number / 2 - seconds), f"{number}"))
        if flush:
            journal.flush()
    journal.flush()
    journal.close()
    times = [record["t"] for record in read_journal(path)]
    assert times == sorted(times)
    assert len(times) == len(late)
    assert len(journal._lines) < 25  # what is old is not kept


def test_what_comes_much_too_late_stands_behind_what_is_settled(tmp_path):
    path = tmp_path / "e"
    journal = Journal(path)
    for t in (0.0, 1.0, 10.0, 11.0):
        journal.add(event(t, f"{t:.0f}"))
        journal.flush()
    journal.add(event(0.5, "late"))
    journal.flush()
    journal.close()
    assert kinds(path) == ["0", "1", "late", "10", "11"]


TURNS = (
    text(0.5, " Hi", begins=True),
    event(2.0, "user_start"),
    event(1.2, "device", side="input", name="USB"),
    text(3.0, " there", begins=True),
    text(3.2, " you"),
    event(4.0),
    event(3.5, "user_stop", seconds=1.5, levels=[]),
    event(8.5),
    event(9.0, "user_start"),
    event(12.5),
)


def test_the_transcript_can_be_read_while_it_grows(tmp_path):
    path = tmp_path / "transcript.txt"
    file = TranscriptFile(path)
    seen = []
    for record in TURNS:
        file.transcript.add(record)
        file.update()
        seen.append(path.read_text().splitlines())
    file.close()
    assert seen[0] == ["00:00 Moshi  Hi"]
    assert seen[2] == ["00:00 Moshi  Hi", "00:01 -      Microphone: USB", "00:02 You    (0.0 s)"]
    assert seen[4][-1] == "00:03 Moshi  there you"
    assert seen[5][-2:] == ["00:02 You    (2.0 s)", "00:03 Moshi  there you"]
    assert seen[6][-2:] == ["00:02 You    (1.5 s)", "00:03 Moshi  there you"]
    assert seen[-1][-1] == "00:09 You    (3.5 s)"
    ordered = write(tmp_path / "e", *TURNS)
    assert transcript_from(ordered).splitlines() == seen[-1]


def test_a_transcript_of_hours_is_not_written_anew_each_time(tmp_path):
    file = TranscriptFile(tmp_path / "t")
    for number in range(2000):
        file.transcript.add(text(number, f"{number}", begins=True))
        file.update()
        assert len(file.transcript.rest()) < 200
    file.close()
    assert (tmp_path / "t").read_text().count("Moshi") == 2000


def test_a_torn_line_costs_nothing_but_itself(tmp_path):
    path = write(tmp_path / "e", *(text(t, f"{t}") for t in range(4)))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1:3] = [lines[1][:20] + lines[2][30:]]
    path.write_bytes(b"".join(lines))
    assert [record["text"] for record in read_journal(path)] == ["0", "3"]
    assert [record is None for record in read_lines(path)] == [False, True, False]
