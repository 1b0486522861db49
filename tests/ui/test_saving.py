from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from moshi_tui.errors import MoshiTuiError
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.saving import save

NOW = datetime(2026, 3, 4, 15, 6, 7)


def talk() -> Conversation:
    talk = Conversation()
    talk.add_piece(0, " Café \x1b[31m日本語\ud800")
    talk.add_event(100, "Muted")
    return talk


def test_saved_as_text(tmp_path: Path) -> None:
    path = save(talk(), tmp_path / "new", "moshiko \x1b[2J· q4", now=NOW)
    assert path == tmp_path / "new" / "moshi-talk-20260304-150607.txt"
    assert path.read_text(encoding="utf-8") == (
        "moshi-tui · moshiko · q4 · 2026-03-04 15:06\n\n"
        "00:00 Moshi  Café 日本語\n"
        "00:08 -      Muted\n"
    )


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    paths = [save(talk(), tmp_path, now=NOW) for _ in range(3)]
    assert [path.name for path in paths] == [
        "moshi-talk-20260304-150607.txt",
        "moshi-talk-20260304-150607-2.txt",
        "moshi-talk-20260304-150607-3.txt",
    ]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MoshiTuiError) as raised:
        save(talk(), tmp_path / "file", now=NOW)
    assert str(tmp_path / "file") in raised.value.message
    assert raised.value.hint


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(MoshiTuiError, match="No space left"):
        save(talk(), tmp_path, now=NOW)
    assert list(tmp_path.iterdir()) == []
