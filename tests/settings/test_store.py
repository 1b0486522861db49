import os
import stat
from pathlib import Path

import pytest

from moshi_tui import paths
from moshi_tui.errors import MoshiTuiError
from moshi_tui.settings import file
from moshi_tui.settings.store import remember, write

MINE = """\
# my settings
[screen]   # how it looks
ascii = true    # old terminal
theme = "dark"  # for now

[audio]
input_device = "USB"
"""


def parsed(text):
    return file.tables(text, paths.config_file())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config.toml"


def test_one_key_changes_and_every_comment_stays(path):
    path.write_text(MINE)
    remember("screen", "theme", "light", path)
    assert path.read_text() == MINE.replace('"dark"', '"light"')


def test_a_new_key_and_a_new_section(path):
    path.write_text(MINE)
    remember("audio", "volume_db", -6.0, path)
    remember("recording", "record_folder", Path("/talks"), path)
    text = path.read_text()
    assert text.startswith(MINE)
    assert parsed(text)["audio"] == {"input_device": "USB", "volume_db": -6.0}
    assert parsed(text)["recording"] == {"record_folder": "/talks"}


@pytest.mark.parametrize(
    "text",
    [
        "screen.ascii = true\r\n",
        "screen = { ascii = true }",
        "[screen]\nascii = true",
        '[screen]\nascii = true\n[sampling]\nconditions.a = """\n[screen]\n#theme = "dark"\n"""\n',
    ],
)
def test_however_the_file_is_written(text, path):
    path.write_text(text)
    before = file.read(path)
    remember("screen", "theme", "light", path)
    after = file.read(path)
    assert after.pop("screen.theme").value == "light"
    assert after == before


def test_a_new_file_has_everything_to_choose_from(path):
    path = path.parent / "new" / "folder" / "config.toml"
    remember("screen", "theme", "light", path)
    lines = path.read_text().splitlines()
    assert 'theme = "light"' in lines
    assert '#theme = "dark"' not in lines
    assert "#ascii = false" in lines
    assert {key: said.value for key, said in file.read(path).items()} == {"screen.theme": "light"}
    remember("checkpoint", "quant", 4, path)
    assert "quant = 4" in path.read_text().splitlines()


def test_nothing_is_written_that_holds_already(path):
    remember("screen", "theme", "dark", path)
    assert not path.exists()
    path.write_text(MINE)
    os.utime(path, (1, 1))
    remember("screen", "theme", "dark", path)
    assert path.stat().st_mtime == 1
    assert path.read_text() == MINE


def test_the_usual_file_is_the_one_that_is_read(path, monkeypatch):
    monkeypatch.setenv(paths.CONFIG_VARIABLE, str(path))
    remember("screen", "compact", True)
    assert file.read(paths.config_file())["screen.compact"].value is True


def test_a_broken_file_is_left_alone(path):
    path.write_text("[screen\n")
    with pytest.raises(MoshiTuiError, match="line 1"):
        remember("screen", "theme", "light", path)
    assert path.read_text() == "[screen\n"


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("screen", "theme", "pink"), ("screen", "thema", "dark"), ("checkpoint", "demo", True)],
)
def test_what_the_file_may_not_say_is_not_written(section, key, value, path):
    with pytest.raises(MoshiTuiError):
        remember(section, key, value, path)
    assert not path.exists()


def test_links_stay_links_and_permissions_stay(tmp_path, path):
    real = tmp_path / "dotfiles" / "real.toml"
    real.parent.mkdir()
    real.write_text(MINE)
    real.chmod(0o640)
    path.symlink_to(real)
    remember("screen", "theme", "contrast", path)
    assert path.is_symlink()
    assert 'theme = "contrast"' in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert os.listdir(real.parent) == ["real.toml"]


def test_the_old_text_stays_whole_if_writing_fails(path, monkeypatch):
    path.write_text(MINE)

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(MoshiTuiError, match="No space left"):
        write(path, "[screen]\n")
    assert path.read_text() == MINE
    assert os.listdir(path.parent) == [path.name]


def test_only_plain_files_are_replaced(tmp_path):
    for target in (tmp_path, Path(os.devnull)):
        with pytest.raises(MoshiTuiError, match="not a plain file"):
            write(target, "")
    (tmp_path / "file").touch()
    with pytest.raises(MoshiTuiError, match="Cannot write the settings"):
        write(tmp_path / "file" / "config.toml", "")
