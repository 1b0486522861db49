import json
import re
import struct
import zlib
from functools import partial
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
import resvg_py

from moshi_tui.errors import MoshiTuiError, UsageError
from moshi_tui.recording.reader import Recording
from moshi_tui.replay import drawing, picture
from moshi_tui.replay.marks import KINDS, place_marks
from moshi_tui.replay.peaks import peaks
from moshi_tui.replay.story import Mark, Span, Word, read_story
from moshi_tui.replay.words import LINES, SIZE, place_phrases, place_words
from moshi_tui.svg import fitted, outline, width_of
from moshi_tui.ui.widgets import lag_history
from tests.recording.made import HEADER, LAG, RATE, a_talk, record, write_recording

SVG = "{http://www.w3.org/2000/svg}"


class Sparse:
    """A recording without files; at a low rate, hours of sound are quickly drawn."""

    rate = 100
    complete = True

    def __init__(self, folder, seconds, records):
        self.folder, self.seconds, self.records = folder, seconds, records
        self.samples = int(seconds * self.rate)
        self.header = HEADER
        self.longest = 0

    def sound(self, start, count):
        self.longest = max(self.longest, count)
        return np.full((count, 2), (0.5, -0.25), np.float32)


@pytest.fixture
def opened():
    recordings = []

    def open_(folder):
        recordings.append(Recording(folder))
        return recordings[-1]

    yield open_
    for each in recordings:
        each.close()


def drawn(recording):
    return ElementTree.fromstring(picture.draw(recording))


def texts(root):
    return [each.text for each in root.iter(f"{SVG}text")]


def of_class(root, name):
    return [each for each in root.iter() if each.get("class") == name]


def badges(root):
    """Those in the rows, not those of the legend."""
    uses = [each.get("href")[1:] for each in root.iter(f"{SVG}use")]
    return uses[len(set(uses)) :]


def points(path):
    """[n, 2]: where a path made by `outline` goes."""
    found = []
    for command, numbers in re.findall(r"([Mhlz])([^Mhlz]*)", path):
        x, y = ([float(each) for each in re.findall(r"-?[\d.]+", numbers)] + [0.0, 0.0])[:2]
        if command == "M":
            found.append((x, y))
        elif command != "z":
            found.append((found[-1][0] + x, found[-1][1] + y))
    return np.array(found)


def png_pixels(data):
    """Size, and the bytes of all rows as they were filtered."""
    size, packed, at = struct.unpack(">II", data[16:24]), b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += 12 + length
    return size, zlib.decompress(packed)


def test_every_word_and_every_mark_is_in_the_picture(tmp_path, opened):
    root = drawn(opened(write_recording(tmp_path / "moshi-1", seconds=65.0)))
    said = texts(root)
    words = ["Hello", "there.", "How", "are", "you", "today?", "That", "sounds", "like", "fun."]
    talks = len(np.arange(0.5, 61, 6.0))
    assert [each for each in said if each in words] == words * talks
    assert sorted(badges(root)) == ["mute", "skip", "underrun"]
    assert "moshi-1" in said
    assert any("demo · f32 · CPU · pocket · 23 November 2026" in each for each in said)
    assert any("length 01:05" in each for each in said)
    assert {"your side: skipped once (80 ms)", "underrun once (42 ms)", "muted once"} <= set(said)
    assert said.count("1.0 s") == talks
    assert len(of_class(root, "lag")) == 4  # rows


def test_the_waveforms_follow_the_sound(tmp_path, opened):
    root = drawn(opened(write_recording(tmp_path / "moshi-1", seconds=10.0)))
    for name, begins in (("user", 0.0), ("moshi", 0.5)):
        (path,) = of_class(root, name)
        x, y = points(path.get("d")).T
        t = (x - drawing.LEFT) / drawing.PLOT * 10
        high = np.abs(y - np.median(y)) > 20
        tone = (t - begins) % 1 < 0.5
        near_an_edge = np.abs((t - begins) % 0.5 - 0.25) > 0.23
        assert np.array_equal(high[~near_an_edge], tone[~near_an_edge])
        assert t.min() < 0.02
        assert t.max() > 9.98


def test_peaks_are_those_of_the_samples(tmp_path, opened):
    pcm = np.random.default_rng(1).uniform(-1, 1, (RATE * 21 + 7, 2)).astype(np.float32)
    folder = write_recording(tmp_path / "moshi-1", seconds=21.0, sound=pcm)
    found = peaks(opened(folder), 0.01)
    assert found.shape == (2, 2101, 2)
    for column in (0, 1, 999, 1000, 1001, 2099, 2100):
        part = pcm[column * 240 : (column + 1) * 240]
        assert found[:, column, 0] == pytest.approx(part.min(axis=0), abs=1e-4)
        assert found[:, column, 1] == pytest.approx(part.max(axis=0), abs=1e-4)


def test_a_recording_that_was_broken_off_can_be_drawn(tmp_path, opened):
    folder = write_recording(tmp_path / "moshi-1", seconds=10.0, complete=False)
    assert any("broken off" in each for each in texts(drawn(opened(folder))))


def test_what_happened_after_the_sound_stands_at_its_end(tmp_path, opened):
    records = [
        record(2.9, "text", token=1, text=" late", begins=True),
        record(3.2, "reset", seed=1),
    ]
    pcm = np.zeros((2 * RATE, 2), np.float32)
    folder = write_recording(tmp_path / "moshi-1", records=records, sound=pcm, complete=False)
    root = drawn(opened(folder))
    assert "late" in texts(root)
    assert badges(root) == ["reset"]


def test_an_empty_recording_can_be_drawn(tmp_path, opened):
    pcm = np.zeros((0, 2), np.float32)
    folder = write_recording(tmp_path / "moshi-1", seconds=0.0, records=[], sound=pcm)
    said = texts(drawn(opened(folder)))
    assert any("you said nothing · Moshi said 0 words" in each for each in said)


def test_hours_fit_into_one_small_picture(tmp_path):
    hours = Sparse(tmp_path / "moshi-1", 8 * 3600.0, a_talk(8 * 3600))
    svg = picture.draw(hours)
    root = ElementTree.fromstring(svg)
    assert len(svg) < 4_000_000
    assert int(root.get("height")) < 16_000
    assert hours.longest <= 10 * hours.rate
    phrases = [each for each in texts(root) if each.startswith("Hello there.")]
    assert len(phrases) > 100
    assert all(each.endswith("…") for each in phrases)


@pytest.mark.parametrize("seconds", [0.4, 20.0, 20.001, 600.0, 601.0, 28_800.0, 4e6])
def test_rows_hold_everything_once(seconds):
    rows = picture._rows(seconds)
    assert len(rows) <= picture.MAX_ROWS
    assert rows[0].start == 0.0
    assert rows[-1].stop == seconds
    assert all(before.stop == after.start for before, after in pairwise(rows))
    assert all(sum(row.has(t) for row in rows) == 1 for t in (0.0, seconds / 3, seconds))
    assert [row.last for row in rows] == [False] * (len(rows) - 1) + [True]


def test_text_from_outside_stays_text(tmp_path, opened):
    hostile = "</svg><script>alert(1)</script>&amp;'\" \x1b[31mred\x1b[0m \ufffe \x00 🙂 日本語 "
    records = [
        record(1.0, "text", token=1, text=hostile, begins=True),
        record(3.0, "text", token=1, text="x" * 300, begins=False),
        record(5.0, "device", side="input", name=hostile),
        record(6.0, "failed", title=hostile, message=hostile, hint=""),
    ]
    header = {"model": hostile, "quant": 3, "device": None, "started": "<now>"}
    folder = write_recording(tmp_path / "m'<b>&", seconds=10.0, records=records, header=header)
    svg = picture.draw(opened(folder))
    root = ElementTree.fromstring(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ufffe]", svg)
    said = texts(root)
    assert {"m'<b>&", "red", "🙂", "日本語"} <= set(said)
    assert any((each or "").startswith("</svg><script>alert(1)") for each in said)
    (long,) = [each for each in said if (each or "").startswith("xx")]
    assert long.endswith("…")
    assert len(long) < 60


def test_pieces_become_words(tmp_path):
    pieces = [(0.1, "Hel"), (0.2, "lo"), (0.3, " the"), (0.4, "re"), (0.5, "."), (0.6, " \x1b[3")]
    pieces += [(0.7, "1mred"), (0.8, " "), (0.9, "日"), (1.0, "本")]
    records = [record(t, "text", token=1, text=text, begins=t == 0.1) for t, text in pieces]
    records += [record(1.1, "reset", seed=1), record(1.2, "text", token=1, text="Hi", begins=False)]
    words = read_story(Sparse(tmp_path, 2.0, records)).words
    expected = [
        (0.1, "Hello"),
        (0.3, "there."),
        (0.7, "red"),
        (0.9, "日"),
        (1.0, "本"),
        (1.2, "Hi"),
    ]
    assert [(word.t, word.text) for word in words] == expected
    assert [word.text for word in words if word.begins] == ["Hello", "Hi"]


@pytest.mark.parametrize("place", [place_words, place_phrases])
def test_words_do_not_overlap(place):
    random = np.random.default_rng(1)
    t = np.sort(random.uniform(0, 1400, 900))
    sizes = random.integers(1, 14, 900)
    words = [
        Word(float(at), "日m" * size, bool(random.random() < 0.2))
        for at, size in zip(t, sizes, strict=True)
    ]
    placed = place(words, lambda t: 70 + t, 1500)
    assert len(placed) > 20
    for line in range(LINES):
        those = [each for each in placed if each.line == line]
        ends = [each.x + width_of(each.text, SIZE) for each in those]
        assert all(end < after.x for end, after in zip(ends, those[1:], strict=False))
        assert max(ends) <= 1500 + width_of("…", SIZE)
    assert all(abs(each.x - each.tick) <= 300 for each in placed)
    assert any(each.text.endswith("…") for each in placed)


def test_words_that_have_room_stand_at_their_moment():
    words = [Word(float(at), "word", at == 0) for at in range(0, 1000, 20)]
    placed = place_words(words, lambda t: 70 + t, 1500)
    assert [(each.x, each.tick) for each in placed] == [(70 + w.t, 70 + w.t) for w in words]


def test_marks_do_not_overlap_and_none_is_lost():
    random = np.random.default_rng(1)
    moments = np.sort(random.uniform(0, 1400, 700))
    kinds = random.choice(list(KINDS), 700)
    marks = [Mark(float(t), str(kind), "user", "") for t, kind in zip(moments, kinds, strict=True)]
    placed = place_marks(marks, float)
    assert sum(len(each.marks) for each in placed) == 700
    assert all(each.kind == mark.kind for each in placed for mark in each.marks)
    assert all(before.right <= after.x - 7.99 for before, after in pairwise(placed))
    assert 30 < len(placed) < 120


def test_a_mute_goes_on_in_the_next_row_and_to_the_end(tmp_path):
    records = [record(18.0, "mute", muted=True), record(23.0, "mute", muted=False)]
    records += [record(50.0, "mute", muted=True)]
    root = drawn(Sparse(tmp_path, 55.0, records))
    hatched = of_class(root, "muted")
    widths = [float(each.get("width")) for each in hatched]
    second = drawing.PLOT / 20
    assert widths == pytest.approx([2 * second, 3 * second, 5 * second], abs=0.1)
    assert badges(root) == ["mute", "mute"]


def test_the_lag_is_broken_where_it_is_not_known_and_says_what_it_has_no_room_for(tmp_path):
    lags = dict.fromkeys(range(20), 200.0) | {7: None, 12: 2300.0}
    records = [record(t, "lag", **{**LAG, "lag_ms": lag}) for t, lag in lags.items()]
    root = drawn(Sparse(tmp_path, 20.0, records))
    (curve,) = of_class(root, "lag")
    assert curve.get("d").count("M") == 2
    assert "▲ 2.3 s" in texts(root)
    assert {"good", "fair", "poor", "250", "500 ms"} <= set(texts(root))


def test_good_and_fair_are_those_of_the_screen():
    screen = (lag_history.GOOD_MS, lag_history.FAIR_MS)
    assert screen == (drawing.GOOD_MS, drawing.FAIR_MS)


@pytest.mark.parametrize(
    "wrong",
    [{"t": "soon"}, {"t": 1e999}, {"ms": None}, {"side": "nobody"}, {"kind": None, "ms": []}],
)
def test_a_broken_event_is_named(tmp_path, wrong):
    records = [record(0, "lag", **LAG), record(1.0, "skip", side="user", kind="silence", ms=80.0)]
    records[1] |= wrong
    with pytest.raises(MoshiTuiError, match="event 2"):
        picture.draw(Sparse(tmp_path, 10.0, records))


def test_an_svg_is_written_in_one_step(tmp_path, opened):
    recording = opened(write_recording(tmp_path / "moshi-1", seconds=5.0))
    out = tmp_path / "out" / "Talk.SVG"
    out.parent.mkdir()
    out.write_text("old")
    picture.render(recording, out)
    assert ElementTree.parse(out).getroot().tag == f"{SVG}svg"
    assert list(out.parent.iterdir()) == [out]


def test_a_link_stays_one(tmp_path, opened):
    (tmp_path / "link.svg").symlink_to(tmp_path / "there.svg")
    picture.render(opened(write_recording(tmp_path / "talk", seconds=1)), tmp_path / "link.svg")
    assert (tmp_path / "link.svg").is_symlink()
    assert (tmp_path / "there.svg").read_text().startswith("<svg")


def test_a_png_has_its_size_and_is_not_blank(tmp_path, opened):
    try:
        picture._check_fonts()
    except MoshiTuiError as error:
        pytest.skip(str(error))
    recording = opened(write_recording(tmp_path / "moshi-1", seconds=5.0))
    picture.render(recording, tmp_path / "talk.png")
    root = drawn(recording)
    size, pixels = png_pixels((tmp_path / "talk.png").read_bytes())
    large = [1.5 * int(root.get(name)) for name in ("width", "height")]
    assert size == pytest.approx(large, abs=1)
    assert len(set(pixels)) > 100


def test_without_fonts_there_is_no_png_without_words(tmp_path, opened, monkeypatch):
    without = partial(resvg_py.svg_to_bytes, skip_system_fonts=True)
    monkeypatch.setattr(resvg_py, "svg_to_bytes", without)
    recording = opened(write_recording(tmp_path / "moshi-1", seconds=5.0))
    with pytest.raises(MoshiTuiError, match="fonts-dejavu-core"):
        picture.render(recording, tmp_path / "talk.png")
    assert not (tmp_path / "talk.png").exists()


def test_what_cannot_be_written_is_told(tmp_path, opened):
    recording = opened(write_recording(tmp_path / "moshi-1", seconds=5.0))
    for name in ("talk", "talk.jpg", ".svg"):
        with pytest.raises(UsageError, match=r"\.png"):
            picture.render(recording, tmp_path / name)
    with pytest.raises(MoshiTuiError, match="Cannot write the picture"):
        picture.render(recording, tmp_path / "nowhere" / "talk.svg")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(MoshiTuiError, match="Cannot write the picture"):
        picture.render(recording, tmp_path / "folder.svg")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder.svg", "moshi-1"]


def test_outlines_come_back_as_they_were():
    there = np.round(np.random.default_rng(1).uniform(-20, 20, (50, 2)), 1)
    there[10:20, 1] = 3.5
    assert points(outline(there.tolist())) == pytest.approx(there, abs=1e-6)
    assert outline([]) == ""


def test_text_is_cut_to_its_room():
    assert fitted("Hello", 10, 100) == "Hello"
    assert fitted("Hello " * 9, 10, 60).endswith("…")
    assert width_of(fitted("日本語" * 9, 10, 60), 10) <= 60
    assert fitted("Hello", 10, 3) == ""
    assert width_of("日本", 10) >= 2 * width_of("ab", 10) * 0.9
    assert width_of("e\u0301", 10) == width_of("e", 10)


def test_a_line_that_is_no_event_is_told(tmp_path):
    folder = write_recording(tmp_path / "moshi-1", seconds=5.0)
    with (folder / "events.jsonl").open("a") as stream:
        stream.write(json.dumps({"t": 5.0, "frame": 1, "type": "text"}) + "\n")
    recording = Recording(folder)
    with pytest.raises(MoshiTuiError, match='event 19: "text" is missing'):
        picture.draw(recording)
    recording.close()


def test_a_turn_whose_end_was_not_told_ends_where_the_next_begins(tmp_path):
    records = [record(t, "user_start") for t in (1.0, 3.0)]
    records += [record(4.0, "user_stop", seconds=1.0, levels=[]), record(6.0, "user_start")]
    turns = read_story(Sparse(tmp_path, 8.0, records)).turns
    assert turns == [Span(1.0, 3.0), Span(3.0, 4.0), Span(6.0, 8.0)]


def test_words_stand_where_the_voice_says_them(tmp_path):
    said = [(1.0, "Hello", 0.5), (1.2, " there", 0.1), (1.9, " late", 3.0)]
    records = [
        record(t, "text", token=1, text=text, begins=t == 1.0, ahead=ahead)
        for t, text, ahead in said
    ]
    words = read_story(Sparse(tmp_path, 2.0, records)).words
    # In their order, and none beyond the end.
    assert [(word.t, word.text) for word in words] == [
        (1.5, "Hello"),
        (1.5, "there"),
        (2.0, "late"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"ahead": None},
        {"ahead": float("nan")},
        {"text": 3},
        {"begins": "no"},
        {"type": "lag", "lag_ms": "1"},
        {"type": "device", "side": "up", "name": "USB"},
    ],
)
def test_a_damaged_record_is_named(tmp_path, wrong):
    damaged = record(1.0, "text", token=1, text="Hi", begins=True) | wrong
    with pytest.raises(MoshiTuiError, match=f"{tmp_path}: event 2: "):
        read_story(Sparse(tmp_path, 2.0, [record(0.5, "input_end"), damaged]))
