import os
import shlex
import sys

import pytest

from moshi_tui import cli, paths
from moshi_tui.settings import file
from moshi_tui.settings.listing import template


def parsed(text):
    return file.tables(text, paths.config_file())


@pytest.fixture
def path(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "config.toml"
    monkeypatch.setenv(paths.CONFIG_VARIABLE, str(path))
    return path


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """Sets an editor: a Python script that finds the file's name in sys.argv[-1]."""

    def editor(code, variable="EDITOR"):
        script = tmp_path / "my editor.py"
        script.write_text(f"import sys\npath = sys.argv[-1]\n{code}\n")
        monkeypatch.setenv(variable, shlex.join([sys.executable, str(script), "--wait"]))

    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    return editor


def test_path_prints_nothing_but_the_path(path, capsys):
    assert cli.main(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert not path.exists()


def test_config_names_another_file_before_and_after_the_command(tmp_path, capsys):
    for options in (["--config", "x.toml", "config", "path"], ["config", "path", "--config", "x"]):
        assert cli.main(options) == 0
        assert capsys.readouterr().out.startswith(f"{os.getcwd()}/x")


def test_a_home_is_found_whatever_the_shell_does(capsys, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert cli.main(["--config=~/c.toml", "config", "path"]) == 0
    assert capsys.readouterr().out == "/home/someone/c.toml\n"
    with pytest.raises(SystemExit) as end:
        cli.main(["--config=~nobody-of-this-name/c.toml", "config", "path"])
    assert end.value.code == 2
    assert "home folder" in capsys.readouterr().err


def test_a_home_of_nobody_locks_nobody_out(monkeypatch, capsys):
    monkeypatch.setenv(paths.CONFIG_VARIABLE, "~nobody-of-this-name/x")
    assert cli.main(["config", "path"]) == 1
    assert "MOSHI_TUI_CONFIG='~nobody-of-this-name/x'" in capsys.readouterr().err
    assert cli.main(["--config", "/c.toml", "config", "path"]) == 0
    assert capsys.readouterr().out == "/c.toml\n"
    monkeypatch.setenv(paths.CONFIG_VARIABLE, "~nobody-of-this-name/x")
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0


def test_the_usual_file_is_in_the_config_folder(capsys):
    assert cli.main(["config", "path"]) == 0
    assert capsys.readouterr().out.endswith("/moshi-tui/config.toml\n")


def test_show_prints_flags_variables_and_file(path, capsys, monkeypatch):
    path.parent.mkdir()
    path.write_text("[checkpoint]\nquant = 4\n[screen]\nascii = true\n")
    monkeypatch.setenv("MOSHI_TUI_THEME", "light")
    monkeypatch.setenv("MOSHI_TUI_THEM", "light")
    assert cli.main(["--volume", "-6", "--quant", "8", "config", "show"]) == 0
    said = capsys.readouterr()
    shown = parsed(said.out)
    assert shown["checkpoint"]["quant"] == 8
    assert shown["screen"] == {"theme": "light", "ascii": True, "compact": False}
    assert shown["audio"]["volume_db"] == -6
    assert said.err == ("moshi-tui: no setting MOSHI_TUI_THEM (did you mean MOSHI_TUI_THEME?)\n")


def test_show_defaults_is_a_new_file(path, capsys):
    path.parent.mkdir()
    path.write_text("broken")
    assert cli.main(["config", "show", "--defaults"]) == 0
    assert capsys.readouterr().out == template()


def test_config_alone_prints_its_help(capsys):
    assert cli.main(["config"]) == 0
    assert "edit" in capsys.readouterr().out


def test_edit_makes_the_file_and_opens_it(path, editor, capsys):
    editor("assert sys.argv[1] == '--wait'\nopen(path, 'a').write('ascii = true\\n')")
    assert cli.main(["config", "edit"]) == 0
    assert path.read_text() == template() + "ascii = true\n"
    assert capsys.readouterr().err == ""


def test_edit_prefers_visual_and_keeps_what_is_there(path, editor):
    path.parent.mkdir()
    path.write_text("# mine\n")
    editor("sys.exit('not this one')", "EDITOR")
    os.environ["EDITOR"] = "false"
    editor("open(path, 'a').write('# more\\n')", "VISUAL")
    assert cli.main(["config", "edit"]) == 0
    assert path.read_text() == "# mine\n# more\n"


def test_a_mistake_made_in_the_editor_is_said(path, editor, capsys):
    editor("open(path, 'a').write('theem = 1\\n')")
    assert cli.main(["config", "edit"]) == 2
    error = capsys.readouterr().err
    assert "did you mean theme?" in error
    assert "config edit" in error


def test_an_editor_that_fails_is_said(path, editor, monkeypatch, capsys):
    editor("sys.exit(3)")
    assert cli.main(["config", "edit"]) == 1
    assert "ended with status 3" in capsys.readouterr().err
    for command, said in (("no-such-editor -w", "No such file"), ("'", "No closing quotation")):
        monkeypatch.setenv("EDITOR", command)
        assert cli.main(["config", "edit"]) == 1
        assert said in capsys.readouterr().err


def test_without_a_named_editor_a_usual_one_is_taken(path, editor, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "linux")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    assert cli.main(["config", "edit"]) == 1
    assert "No editor" in capsys.readouterr().err
    nano = folder / "nano"
    nano.write_text('#!/bin/sh\necho "# by nano" >> "$1"\n')
    nano.chmod(0o755)
    assert cli.main(["config", "edit"]) == 0
    assert path.read_text().endswith("# by nano\n")


@pytest.mark.parametrize("options", [["config", "path"], ["config", "edit"], ["keys"], ["bench"]])
def test_a_broken_file_locks_nobody_out(options, path, editor, capsys):
    path.parent.mkdir()
    path.write_text("[broken")
    editor("open(path, 'w').write('')")
    assert cli.main(options) == 0
    assert cli.main(["--config", str(path), "config", "path"]) == 0


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_nor_out_of_the_help(option, path, capsys):
    path.parent.mkdir()
    path.write_text("[broken")
    with pytest.raises(SystemExit) as end:
        cli.main([option])
    assert end.value.code == 0
