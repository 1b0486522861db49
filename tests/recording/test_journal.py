import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.recording.journal import Journal, read_journal
from moshi_tui.recording.transcript import transcript_from


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


def test_half_a_line_is_left_out(tmp_path):
    path = write(tmp_path / "e", text(0, "a"), text(1, "b"))
    for cut in range(1, 30):
        torn = tmp_path / f"{cut}"
        torn.write_bytes(path.read_bytes()[:-cut])
        assert [record["text"] for record in read_journal(torn)] == ["a"]


def test_what_is_no_journal_is_told(tmp_path):
    (tmp_path / "e").write_text("hello\n")
    with pytest.raises(json.JSONDecodeError):
        list(read_journal(tmp_path / "e"))


def test_after_an_error_only_whole_lines_are_left(tmp_path):
    journal = Journal(tmp_path / "e")
    journal.add(text(0, "a"))
    journal.flush()
    journal._file.write(b'{"half')
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
