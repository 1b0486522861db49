import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from moshi_tui.config import RecordingOptions, Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording import folder as folder_module
from moshi_tui.recording.folder import base_folder, broken_off, check_recording


def settings(folder=None, *, record=True):
    return Settings(recording=RecordingOptions(record=record, record_folder=folder))


def refused(folder=None):
    with pytest.raises(MoshiTuiError) as info:
        check_recording(settings(folder))
    return info.value


def free(monkeypatch, count):
    usage = SimpleNamespace(free=count)
    monkeypatch.setattr(folder_module.shutil, "disk_usage", lambda path: usage)


def test_what_can_be_recorded_to_is_not_refused_and_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_recording(settings())
    check_recording(settings(Path("new/talks")))
    check_recording(settings(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_refused_beforehand(tmp_path, monkeypatch):
    free(monkeypatch, 49_000_000)
    error = refused(tmp_path / "new")
    assert error.message.endswith(": 49 MB are free, 50 MB are needed.")
    assert "Make room" in error.hint
    free(monkeypatch, 1_200_000)
    assert "1 MB is free" in refused(tmp_path).message


def test_without_record_nothing_is_checked(tmp_path, monkeypatch):
    free(monkeypatch, 0)
    check_recording(settings(tmp_path, record=False))


def test_a_file_in_the_place_of_the_folder_is_refused_beforehand(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        assert refused(folder).message == f"{folder}: Not a directory."


def test_a_folder_that_may_not_be_written_is_refused_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    assert refused(tmp_path / "new").message == f"{tmp_path / 'new'}: Permission denied."


def test_a_current_folder_that_was_deleted_is_refused_unless_another_is_named(
    tmp_path, monkeypatch
):
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path / "x")
    (tmp_path / "x").rmdir()
    assert refused().message == "The current folder has been deleted."
    assert refused(Path("talks")).hint == "Choose another folder with --record DIR."
    check_recording(settings(tmp_path))


def test_the_folder_is_absolute_and_a_tilde_is_the_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    folders = (None, Path("a"), Path("~/b"), tmp_path / "c")
    found = [base_folder(RecordingOptions(record_folder=folder)) for folder in folders]
    assert found == [tmp_path, tmp_path / "a", tmp_path / "home" / "b", tmp_path / "c"]


def test_a_home_that_is_nowhere_is_refused():
    assert "no such home" in refused(Path("~nobody-of-this-name/talks")).message


def test_what_ended_a_recording_is_told_in_sentences(tmp_path):
    errors = (
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error"),
        KeyError("text"),
    )
    for error in errors:
        told = broken_off(tmp_path, error)
        assert told.message.endswith(".")
        assert told.hint
