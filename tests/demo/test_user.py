"""When the demo's user speaks, on a clock of blocks, beside a Moshi that is written down."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest

from moshi_tui.audio.virtual import MIC_BLOCK
from moshi_tui.demo import user
from moshi_tui.demo.user import DemoUser, Line, load_lines
from moshi_tui.errors import MoshiTuiError

BLOCK = 0.02
LOUD, SILENT = -20.0, float("-inf")


def line(text, seconds=1.0, *, interrupts=False):
    return Line(text, np.full((round(seconds / BLOCK), MIC_BLOCK), 0.1, np.float32), interrupts)


class Room:
    """Both, on one clock. `moshi(now, ended)`: does it sound? `ended`: when the user fell silent
    last, None as long as it speaks or before it has."""

    def __init__(self, lines, moshi, seed=1):
        self.user = DemoUser(lines, seed)
        self.user.meet(self.hear, self.told)
        self.moshi = moshi
        self.now = 0.0
        self.ended = None
        self.said = []
        """(when, text)"""

    def hear(self):
        return LOUD if self.moshi(self.now, self.ended) else SILENT

    def told(self, text):
        self.said.append((round(self.now, 2), text))

    def run(self, seconds):
        speaking = False
        while self.now < seconds - 1e-9:
            spoke, speaking = speaking, bool(self.user.speak().any())
            if speaking:
                self.ended = None
            elif spoke:
                self.ended = self.now
            self.now += BLOCK
        return self

    @property
    def times(self):
        return [at for at, _ in self.said]


def never(now, ended):
    return False


def always(now, ended):
    return True


def answers(seconds, after=0.5):
    """Greets for as long, then answers each line."""

    def sounds(now, ended):
        since = now if ended is None and now < 3 else None if ended is None else now - ended
        return since is not None and after <= since < after + seconds

    return sounds


LINES = [line("one"), line("two"), line("three")]


def test_moshi_may_greet_and_has_time_to_answer():
    room = Room(LINES, never).run(18)
    first, second, third = room.times
    assert first == pytest.approx(2.5, abs=0.05)
    assert second - first == third - second == pytest.approx(1 + 6, abs=0.05)


def test_the_user_waits_until_moshi_has_finished_and_a_moment_more():
    room = Room(LINES, answers(2.0)).run(13.5)
    first, second, third = room.times
    assert 2.5 + 0.7 <= first <= 2.5 + 1.3 + 0.05  # the greeting ends at 2.5 s
    for before, after in ((first, second), (second, third)):
        pause = after - (before + 1 + 0.5 + 2.0)
        assert 0.7 - 0.03 <= pause <= 1.3 + 0.05


def test_a_short_greeting_leaves_time_for_another():
    room = Room(LINES, lambda now, ended: 0.3 < now < 0.6).run(3)
    assert room.times[0] == pytest.approx(2.5, abs=0.05)


def test_pauses_inside_a_sentence_are_no_turn():
    def sounds(now, ended):
        return ended is None or now - ended > 6 or (now - ended) % 1.0 < 0.5

    room = Room([line("one"), line("two")], lambda now, ended: now > 3 and sounds(now, ended))
    room.run(9)
    assert len(room.said) == 1


def test_an_interrupting_line_begins_while_moshi_speaks():
    lines = [line("one"), line("wait", interrupts=True), line("three")]
    room = Room(lines, answers(4.0, after=0.6)).run(14)
    first, second, third = room.times
    assert second - (first + 1 + 0.6) == pytest.approx(1.2, abs=0.05)
    assert third - (second + 1) > 4.6 + 0.7 - 0.05


def test_an_interrupting_line_comes_in_its_turn_if_there_is_nothing_to_interrupt():
    lines = [line("one"), line("wait", interrupts=True)]
    room = Room(lines, answers(0.5)).run(8)
    first, second = room.times
    assert 0.7 - 0.03 <= second - (first + 1 + 1.0) <= 1.3 + 0.05


def test_nobody_listens_for_ever():
    room = Room(LINES, always).run(34)
    assert room.times == pytest.approx([15.0, 31.0], abs=0.1)


def test_after_the_last_line_moshi_may_ask_something_then_all_comes_in_another_order():
    lines = [line(str(number)) for number in range(8)]
    room = Room(lines, answers(1.0)).run(70)
    texts = [text for _, text in room.said]
    assert texts[:8] == [str(number) for number in range(8)]
    again = texts[8:16]
    assert sorted(again) == sorted(texts[:8])
    assert again != texts[:8]
    gap = room.times[8] - (room.times[7] + 1 + 1.5)
    assert 8 + 0.7 - 0.05 <= gap <= 8 + 1.3 + 0.1
    assert all(a != b for a, b in pairwise(texts))


def test_a_question_in_the_rest_is_listened_to():
    def sounds(now, ended):
        return ended is not None and (0.5 < now - ended < 1 or 9 < now - ended < 12)

    room = Room([line("one"), line("two")], sounds).run(35)
    _, second, third, *_ = room.times
    assert 12 + 0.7 - 0.05 <= third - (second + 1) <= 12 + 1.3 + 0.1


def test_the_same_hearing_gives_the_same_talk():
    def said(seed):
        return Room(list(LINES), answers(1.0), seed).run(60).said

    assert said(1) == said(1) != said(2)


def test_a_line_goes_on_whatever_moshi_does_and_is_whole():
    blocks = np.random.default_rng(0).random((30, MIC_BLOCK), np.float32)
    speaker = DemoUser([Line("hello", blocks)])
    told = []
    speaker.meet(lambda: SILENT, told.append)
    heard = [speaker.speak().copy() for _ in range(round(2.5 / BLOCK) - 1)]
    assert not np.any(heard)
    speaker.meet(lambda: LOUD if told else SILENT, told.append)
    heard = [speaker.speak().copy() for _ in range(40)]
    start = next(i for i, block in enumerate(heard) if block.any())
    assert np.array_equal(heard[start : start + 30], blocks)
    assert told == ["hello"]


def test_a_single_line_and_none():
    assert len(Room([line("one")], never).run(40).said) >= 3
    with pytest.raises(ValueError, match="nothing"):
        DemoUser([])


def test_the_lines_that_come_with_the_package():
    lines = load_lines()
    assert len(lines) >= 3
    for each in lines:
        assert each.text.strip() == each.text != ""
        assert each.blocks.shape[1] == MIC_BLOCK
        assert each.blocks.dtype == np.float32
        assert 0.3 < len(each.blocks) * BLOCK < 12
        assert 0.05 < np.abs(each.blocks).max() <= 1
    assert any(each.interrupts for each in lines)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "3",
        "[1]",
        '[{"file": "none.ogg", "text": "a", "kind": "turn"}]',
        '[{"file": "lines.json", "text": "a", "kind": "turn"}]',
        '[{"file": "a.ogg", "text": "a", "kind": "shout"}]',
        '[{"file": "a.ogg", "kind": "turn"}]',
    ],
)
def test_damaged_lines_are_told(tmp_path, text):
    for path in user.FOLDER.iterdir():
        shutil.copy(path, tmp_path)
    (tmp_path / "lines.json").write_text(text)
    with pytest.raises(MoshiTuiError, match="Install moshi-tui again"):
        load_lines(tmp_path)


def test_every_sound_of_the_folder_is_said():
    entries = json.loads((user.FOLDER / "lines.json").read_text())
    named = [entry["file"] for entry in entries]
    assert sorted(named) == sorted(path.name for path in user.FOLDER.glob("*.ogg"))
