import os
import sys
import types
from contextlib import closing
from pathlib import Path

import pytest

from moshi_tui import cli
from moshi_tui.config import AudioOptions, CheckpointOptions, Settings
from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.reader import Recording
from moshi_tui.replay import command
from moshi_tui.replay.command import Playing, make_player
from tests.recording.made import write_recording


@pytest.fixture
def folder(tmp_path):
    return write_recording(tmp_path / "talk", seconds=2)


@pytest.fixture
def screen(monkeypatch):
    """Starts the program in a terminal; keeps what the screen of a replay is started with."""
    calls = []

    def run_replay(make, options, **more):
        calls.append(types.SimpleNamespace(make=make, options=options, **more))
        return types.SimpleNamespace(failure=None, status=0)

    replaying = types.ModuleType("moshi_tui.ui.replaying")
    replaying.run_replay = run_replay
    monkeypatch.setitem(sys.modules, "moshi_tui.ui.replaying", replaying)

    def start(*options):
        # Not before the test runs: until then pytest puts its own stdin back.
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        return cli.main(["replay", *map(str, options)]), calls

    return start


@pytest.fixture
def ran(monkeypatch):
    """What the model is run on, without running it."""
    calls = []
    monkeypatch.setattr(command, "run_model", lambda *all: calls.append(all) or 0)
    return calls


def test_the_screen_gets_the_recording_and_how_to_play_it(screen, folder):
    options = ["--ascii", "--speed", "2", "--from", "1:30", "--no-sound"]
    status, (call,) = screen(folder, *options)
    assert status == 0
    assert call.options.ascii
    assert call.title == "talk"
    recording, settings, playing = call.make.args
    assert recording.folder == folder
    assert playing == Playing(sound=False, speed=2.0, start_s=90.0)
    assert settings.checkpoint == CheckpointOptions()


def test_where_sound_goes_to_is_a_setting(screen, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("MOSHI_TUI_INPUT", "no such file")
    monkeypatch.setenv("MOSHI_TUI_OUTPUT_DEVICE", "Headphones")
    monkeypatch.setenv("MOSHI_TUI_QUANT", "4")
    monkeypatch.setenv("MOSHI_TUI_DEMO", "no")
    _, calls = screen(folder, "--volume", "-6")
    assert calls[0].make.args[1].audio == AudioOptions(output_device="Headphones", volume_db=-6.0)
    screen(folder, "--output", tmp_path / "out.wav")
    assert calls[1].make.args[1].audio.output_file == tmp_path / "out.wav"


def test_the_player_is_made_of_it(folder, tmp_path, monkeypatch):
    settings = Settings(audio=AudioOptions(output_file=tmp_path / "out.wav", volume_db=-3.0))
    with closing(Recording(folder)) as recording:
        player = make_player(recording, settings, Playing(speed=2.0, start_s=1.0), print)
        assert (player.speed, player.stats.volume_db, player.length_s) == (2.0, -3.0, 2.0)
        assert player.stats.elapsed_s == 1.0
        sink = player._open_sink()
        assert "out.wav" in sink.name
        sink.close(drain=False)
        assert make_player(recording, settings, Playing(sound=False), print)._open_sink is None


def test_a_recording_that_cannot_be_opened_needs_no_screen(screen, tmp_path, capsys):
    status, calls = screen(tmp_path / "nothing")
    assert (status, calls) == (1, [])
    assert "nothing does not exist" in capsys.readouterr().err


def test_without_a_terminal_the_picture_is_named(folder, capsys, monkeypatch):
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert cli.main(["replay", str(folder)]) == 1
    error = capsys.readouterr().err
    assert "No terminal" in error
    assert "moshi-tui replay DIR --render talk.svg" in error


def test_a_broken_screen_is_told(screen, folder, monkeypatch, capsys):
    ended = types.SimpleNamespace(failure=MoshiTuiError("Broken", "so"), status=1)
    run_replay = sys.modules["moshi_tui.ui.replaying"]
    monkeypatch.setattr(run_replay, "run_replay", lambda *all, **more: ended)
    assert screen(folder)[0] == 1
    assert capsys.readouterr().err == "moshi-tui: Broken: so\n"


@pytest.mark.parametrize("name", ["talk.svg", "talk.PNG"])
def test_a_picture_is_drawn(folder, tmp_path, capsys, monkeypatch, name):
    drawn = []
    monkeypatch.setattr(
        "moshi_tui.replay.picture.render", lambda recording, out: drawn.append((recording, out))
    )
    out = tmp_path / name
    assert cli.main(["replay", str(folder), "--render", str(out)]) == 0
    assert [(recording.folder, to) for recording, to in drawn] == [(folder, out)]
    assert capsys.readouterr().out == f"{out}\n"


def test_files_are_made_anew(folder, capsys):
    (folder / "transcript.vtt").unlink(missing_ok=True)
    assert cli.main(["replay", str(folder), "--rebuild"]) == 0
    written = capsys.readouterr().out.splitlines()
    assert str(folder / "transcript.vtt") in written
    assert all(Path(line).exists() for line in written)


def test_the_model_of_the_recording_is_run_unless_one_is_named(folder, ran, monkeypatch):
    monkeypatch.setenv("MOSHI_TUI_QUANT", "4")
    monkeypatch.setenv("MOSHI_TUI_VOICE", "moshika")
    assert cli.main(["replay", str(folder), "--model"]) == 0
    assert cli.main(["replay", str(folder), "--model", "--quant", "8"]) == 0
    assert cli.main(["--demo", "replay", "--model", str(folder)]) == 0
    assert ran == [
        (folder, None),
        (folder, CheckpointOptions(quant=8, voice="moshika")),
        (folder, CheckpointOptions(demo=True)),
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--render", "x.svg", "--model"], "--render and --model are different"),
        (["--rebuild", "--render", "x.svg"], "Do one after the other"),
        (["--model", "--speed", "2"], "--speed is for the screen"),
        (["--model", "--from", "3", "--theme", "light"], "--theme, --from are for the screen"),
        (["--render", "x.png", "--volume", "3"], "Leave out --render"),
        (["--quant", "4"], "Add --model."),
        (["--rebuild", "--demo"], "Add --model. Leave out --rebuild."),
        (["--no-sound", "--volume", "3"], "--volume is for sound"),
        (["--render", "x.jpg"], "Not a picture: --render x.jpg"),
        (["--output", "x.mp3"], "Not a WAV file"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(options, said, capsys):
    assert cli.main(["replay", "no such folder", *options]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--headless"], "--headless before `replay`"),
        (["--seed", "3", "--greedy"], "--seed, --greedy before `replay`"),
        (["--record=x"], "--record before `replay`"),
        (["--input", "a.wav"], "Write: moshi-tui replay DIR"),
    ],
)
def test_what_is_for_a_talk_is_refused(options, said, capsys):
    assert cli.main([*options, "replay", "talk"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["replay"], "DIR"),
        (["replay", "x", "--speed", "5"], "--speed: 5: expected a number from 0.5 to 4"),
        (["replay", "x", "--speed", "nan"], "nan: expected"),
        (["replay", "x", "--from", "1:xx"], "--from: 1:xx: expected seconds or MM:SS"),
        (["replay", "x", "--from", "-1"], "--from"),
        (["replay", "x", "--seed", "1"], "--seed is no option of replay"),
    ],
)
def test_mistyped_words_are_told(words, said, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "seconds"), [("90", 90), ("1:30", 90), ("0.5", 0.5), ("1:00:01.5", 3601.5)]
)
def test_a_place_is_seconds_or_minutes(screen, folder, words, seconds):
    _, (call,) = screen(folder, "--from", words)
    assert call.make.args[2].start_s == seconds


def test_the_recording_itself_is_not_overwritten(screen, folder, tmp_path, capsys):
    before = (folder / "audio.wav").read_bytes()
    assert screen(folder, "--output", folder / "audio.wav")[0] == 2
    picture = tmp_path / "out.svg"
    picture.symlink_to(folder / "events.jsonl")
    assert screen(folder, "--render", picture)[0] == 2
    error = capsys.readouterr().err
    assert error.count("Output is part of the recording") == 2
    assert (folder / "audio.wav").read_bytes() == before
    (folder / "talk.svg").write_text("an older picture")
    command.spare_recording(folder, folder / "talk.svg")
    command.spare_recording(folder, folder / "new.png")


def test_a_device_is_no_place_for_a_picture(folder, tmp_path, capsys):
    os.mkfifo(tmp_path / "talk.svg")
    assert cli.main(["replay", str(folder), "--render", str(tmp_path / "talk.svg")]) == 1
    assert "talk.svg is no regular file" in capsys.readouterr().err
    assert (tmp_path / "talk.svg").is_fifo()


def test_a_name_in_an_error_cannot_steer_the_terminal(tmp_path, capsys):
    assert cli.main(["replay", str(tmp_path / "\x1b[31mtalk")]) == 1
    error = capsys.readouterr().err
    assert "/talk does not exist.\nName a folder" in error
    assert "\x1b" not in error


def test_an_output_in_no_folder_is_refused(folder, tmp_path, capsys):
    assert cli.main(["replay", str(folder), "--render", str(tmp_path / "no/x.svg")]) == 1
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("way", [["--rebuild"], ["--render", "talk.svg"]])
def test_lines_that_are_damaged_are_told(folder, capsys, monkeypatch, tmp_path, way):
    monkeypatch.chdir(tmp_path)
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    (folder / "events.jsonl").write_text("".join([*lines[:2], "{torn\n", *lines[2:]]))
    assert cli.main(["replay", str(folder), *way]) == 0
    told = f"moshi-tui: {folder / 'events.jsonl'}: 1 line is damaged and left out\n"
    assert capsys.readouterr().err == told
