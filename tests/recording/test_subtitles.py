import html
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moshi_tui.recording.subtitles import subtitles_from, write_subtitles
from tests.recording.made import HEADER, a_talk, record, write_recording

TIME = r"(\d\d+):([0-5]\d):([0-5]\d\.\d{3})"
CUE = re.compile(rf"{TIME} --> {TIME}\n<v (Moshi|You)>([^\n]*)\n")


def cues(records):
    """[(start, end, speaker, words)] of what a parser makes of the file."""
    first, note, *blocks = subtitles_from([HEADER, *records]).split("\n\n")
    assert first == "WEBVTT"
    assert note.startswith("NOTE ")
    found = []
    for block in blocks:
        if block:
            parts = CUE.fullmatch(block.rstrip("\n") + "\n")
            assert parts, block
            times = [float(x) for x in parts.groups()[:6]]
            start, end = (60 * (60 * h + m) + s for h, m, s in (times[:3], times[3:]))
            assert "<" not in parts[8]
            found.append((round(start, 3), round(end, 3), parts[7], html.unescape(parts[8])))
    return found


def said(*words, start=1.0, step=0.4):
    return [
        record(start + step * number, "text", token=1, text=word, begins=number == 0)
        for number, word in enumerate(words)
    ]


def test_moshis_words_appear_when_the_voice_says_them():
    pieces = said(" Hey", " there", " you.", step=0.4)
    for piece, ahead in zip(pieces, (0.9, 0.2, 0.25), strict=True):
        piece["ahead"] = ahead
    # The second is not heard before the first, whatever the lag has become.
    assert cues(pieces) == [(1.9, 3.05, "Moshi", "Hey there you.")]


def test_each_side_has_its_cues_in_order_of_their_beginning():
    talk = [
        *said(" Hey", ",", " how", " are", " you?"),
        record(2.0, "user_start"),
        record(5.2, "user_stop", seconds=3.2, levels=[-20.0]),
        *said(" Fine", ".", start=4000.0),
        record(4010.0, "end", seconds=4010.0),
    ]
    assert cues(talk) == [
        (1.0, 3.6, "Moshi", "Hey, how are you?"),
        (2.0, 5.2, "You", "(3.2 s)"),
        (4000.0, 4001.4, "Moshi", "Fine."),
    ]


def test_a_sentence_ends_a_cue_unless_it_is_very_short():
    talk = said(" Oh.", " I", " see.", " It", " is", ' "fun!"', " You", " know")
    assert [words for *_, words in cues(talk)] == ["Oh. I see.", 'It is "fun!"', "You know"]


def test_a_cue_ends_where_the_next_one_begins():
    first, second = cues(said(" One", " two", " three.", " Four"))
    assert first[1] == second[0] == 2.2
    assert second[1] == 3.2


def test_long_utterances_are_cut_between_words():
    talk = said(*(" wonder" if number % 2 == 0 else "ful" for number in range(100)), step=0.05)
    found = cues(talk)
    assert len(found) > 5
    assert all(len(words) <= 80 for *_, words in found)
    assert {word for *_, words in found for word in words.split()} == {"wonderful"}
    slow = cues(said(*[" well"] * 40, step=0.8))
    assert all(end - start <= 7.0 for start, end, *_ in slow)
    assert len(slow) == pytest.approx(40 * 0.8 / 6, abs=2)


def test_a_text_without_spaces_is_cut_too():
    found = cues(said(*["言葉"] * 300, step=0.05))
    assert "".join(words for *_, words in found) == "言葉" * 300
    assert all(len(words) <= 160 for *_, words in found)


def test_no_text_can_break_the_file_or_steer_a_terminal():
    talk = said(" <v You>&amp;", "\n\n00:00 -->", " 00:01\r\x1b[3", "1mred\x00", " \ud800")
    (cue,) = cues(talk)
    assert cue[3] == "<v You>&amp;  00:00 --> 00:01 red"


def test_a_turn_without_its_stop_goes_on_to_the_end_and_one_without_its_start_is_there():
    talk = [
        record(0.4, "user_stop", seconds=0.9, levels=[]),
        record(2.0, "user_start"),
        record(4.5, "lag"),
    ]
    assert cues(talk) == [(0.0, 0.4, "You", "(0.9 s)"), (2.0, 4.5, "You", "(2.5 s)")]
    assert cues([record(2.0, "user_start")]) == [(2.0, 2.001, "You", "(0.0 s)")]


def test_a_silent_recording_has_no_cues():
    assert cues([record(0.0, "lag"), *said(" ", "  ")]) == []
    assert subtitles_from([HEADER]).startswith("WEBVTT\n\nNOTE ")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 2),
            st.text(st.characters(), max_size=12),
            st.sampled_from(["text", "begins", "user_start", "user_stop"]),
        ),
        max_size=40,
    )
)
def test_cues_of_a_speaker_never_overlap_and_none_is_empty(steps):
    t, talk = 0.0, []
    for seconds, text, kind in steps:
        t += seconds
        if kind.startswith("user"):
            talk.append(record(t, kind, **({"seconds": seconds} if kind == "user_stop" else {})))
        else:
            talk.append(record(t, "text", token=1, text=text, begins=kind == "begins"))
    found = cues(talk)
    assert [start for start, *_ in found] == sorted(start for start, *_ in found)
    for speaker in ("Moshi", "You"):
        own = [cue for cue in found if cue[2] == speaker]
        assert all(start < end for start, end, *_ in own)
        assert all(one[1] <= other[0] for one, other in pairwise(own))


def test_the_file_is_made_of_the_events_beside_it(tmp_path):
    folder = write_recording(tmp_path / "talk", seconds=12.0)
    (folder / "transcript.vtt").write_text("old")
    before = {path.name for path in folder.iterdir()}
    write_subtitles(folder)
    assert {path.name for path in folder.iterdir()} == before
    text = (folder / "transcript.vtt").read_text(encoding="utf-8")
    assert text == subtitles_from([HEADER, *a_talk(12.0)])
    assert text.count("<v Moshi>That sounds like fun.\n") == 2
    (folder / "events.jsonl").write_text("what?\n")
    with pytest.raises(ValueError, match="is a record"):
        write_subtitles(folder)
    assert (folder / "transcript.vtt").read_text(encoding="utf-8") == text
