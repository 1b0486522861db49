import io
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moshi_tui import __version__, cli, headless, paths
from moshi_tui.arguments import flags, parse
from moshi_tui.config import OPTIONS, SamplingOptions, Settings
from moshi_tui.demo.user import load_lines
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import (
    Notice,
    RecordingStarted,
    RecordingStopped,
    Skipped,
    TextPiece,
    Underrun,
)
from moshi_tui.session.stats import Skips, Stats
from moshi_tui.settings.layers import Given, merge
from moshi_tui.settings.load import load
from moshi_tui.ui.keys import as_text

ROOT = Path(__file__).parents[1]


def moshi(*options, **more):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "moshi_tui", *map(str, options)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, **more)


@pytest.fixture
def inside(monkeypatch):
    """The program without a process of its own: gives its exit status."""

    def leave(status):
        raise AssertionError(f"the process would have been ended, with {status}")

    def start(*options):
        try:
            return cli.main([str(option) for option in options])
        except SystemExit as end:
            return end.code

    monkeypatch.setattr(os, "_exit", leave)
    return start


@pytest.fixture
def speech(tmp_path):
    """0.8 seconds of something, stereo at 44.1 kHz."""
    time_axis = np.arange(8 * 4_410) / 44_100
    tone = 0.3 * np.sin(2 * np.pi * 220 * time_axis) * (np.sin(2 * np.pi * 3 * time_axis) > 0)
    path = tmp_path / "in.flac"
    soundfile.write(path, np.stack([tone, 0.5 * tone], axis=1), 44_100)
    return path


@pytest.fixture
def question(tmp_path):
    """A line of the demo's user, and three seconds in which to answer it."""
    line = load_lines()[1].blocks.ravel()
    path = tmp_path / "question.wav"
    soundfile.write(path, np.append(line, np.zeros(3 * 24_000)), 24_000)
    return path


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option):
    code = (
        "import sys\n"
        "from moshi_tui.cli import main\n"
        f"try: main([{option!r}])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'numpy', 'mlx', 'textual', 'rich', 'sounddevice', 'huggingface_hub',\n"
        "    'tomlkit', 'tomllib', 'difflib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert __version__ in done.stdout or "usage" in done.stdout


def settings(*options):
    return load(flags(parse([str(option) for option in options]))).settings


def test_options_reach_the_settings():
    chosen = settings("--quant", "4", "--voice", "moshika", "--seed", "7", "--input", "a.wav")
    assert chosen.checkpoint.quant == 4
    assert chosen.checkpoint.voice == "moshika"
    assert chosen.sampling.seed == 7
    assert chosen.audio.input_file == Path("a.wav")
    assert settings().checkpoint.voice == "moshiko"
    assert settings().sampling == SamplingOptions()


def test_options_before_and_after_the_command_are_the_same():
    before = settings("--demo", "--seed", "3", "run", "in.wav", "--output", "out.wav")
    after = settings("run", "in.wav", "--output", "out.wav", "--demo", "--seed", "3")
    assert before == after
    assert before.checkpoint.demo
    assert before.sampling.seed == 3


def test_greedy_and_conditions():
    chosen = settings("--greedy", "--condition", "description=good", "--condition", "a=b=c")
    assert chosen.sampling.text_temperature == chosen.sampling.audio_temperature == 0
    assert chosen.sampling.conditions == {"description": "good", "a": "b=c"}


@pytest.mark.parametrize(
    "options",
    [["--quant", "5"], ["--text-temperature", "-1"], ["--condition", "x"], ["--nonsense"], ["run"]],
)
def test_bad_options_say_so(options, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(options)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert "--help" in error
    assert len(error.splitlines()) == 2


def test_a_mistyped_option_gets_the_nearest(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--qant", "4"])
    assert "did you mean --quant?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["doktor"], "no command doktor (did you mean doctor?)"),
        (["config", "sho"], "no command sho (did you mean show?)"),
        (["zzz"], "no command zzz; there are run, replay, doctor, config, keys, bench"),
        (["--no-asci"], "did you mean --no-ascii?"),
        (["--volume", "20"], "--volume: 20: expected a number from -40 to 12"),
        (["--theme", "pink"], "expected dark, light or contrast"),
        (["--no-demo"], "no option --no-demo"),
        (["--record", "doctor"], "--record doctor: doctor is a command"),
        (["--demo", "--record", "run", "in.wav"], "write --record=./run"),
        (["run", "in.wav", "--output=~nobody-of-this-name/x"], "home folder"),
    ],
)
def test_a_mistyped_word_is_told_what_there_is(words, said, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [[], ["run"], ["replay"], ["doctor"], ["config"], ["keys"], ["bench"]]
)
def test_help_fits_80_columns(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main([*words, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    if not words:
        for option in OPTIONS:
            assert not option.flags or any(option.flags[-1][2:] in line for line in lines)
        assert "  --[no-]record [DIR]     record from the start; into DIR instead of here" in lines
        assert any(line.endswith("config.toml") for line in lines)
        assert any(line.endswith(".log") for line in lines)
        assert not any(line.startswith("   ") for line in lines)


def test_a_folder_may_be_called_as_a_command_is():
    assert settings("--record=doctor").recording.record_folder == Path("doctor")
    assert settings("--record", "./doctor").recording.record_folder == Path("doctor")
    assert settings("run", "record", "--demo").checkpoint.demo


def test_the_help_says_what_may_not_stand_in_the_file(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    *most, last = [option.flags[-1] for option in OPTIONS if not option.about.in_file]
    assert f"all but {', '.join(most)} and {last} in the settings file" in said
    assert "MOSHI_TUI_CONFIG" in said
    with pytest.raises(SystemExit):
        cli.main(["bench", "--help"])
    assert "a minute and a half" in " ".join(capsys.readouterr().out.split())


def test_keys_prints_the_table_of_keys(capsys):
    assert cli.main(["keys"]) == 0
    assert capsys.readouterr().out == as_text()


def test_doctor_gets_the_settings_and_what_to_do(monkeypatch):
    command = types.ModuleType("moshi_tui.doctor.command")
    calls = []
    command.run = lambda settings, **more: calls.append((settings, more)) or 1
    monkeypatch.setitem(sys.modules, "moshi_tui.doctor", types.ModuleType("moshi_tui.doctor"))
    monkeypatch.setitem(sys.modules, "moshi_tui.doctor.command", command)
    assert cli.main(["doctor"]) == 1
    assert cli.main(["doctor", "--json", "--no-bench", "-q", "4", "--input-device", "USB"]) == 1
    assert calls[0] == (Settings(), {"as_json": False, "bench": True, "given": {}})
    assert calls[1][0] == settings("-q", "4", "--input-device", "USB")
    assert calls[1][1].pop("given")["checkpoint.quant"] == Given(4, "--quant")
    assert calls[1][1] == {"as_json": True, "bench": False}


@pytest.fixture
def screen(monkeypatch):
    """Starts the program in a terminal, with a screen that ends at once."""

    def run_app(*everything, **more):
        return types.SimpleNamespace(failure=None, status=0, recorded=())

    def start(*options):
        # Not before the test runs: until then pytest puts its own stdin back.
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        return cli.main(options)

    monkeypatch.setattr("moshi_tui.ui.app.run_app", run_app)
    monkeypatch.setattr("moshi_tui.session.ends.check_ends", lambda settings: None)
    return start


def test_a_theme_that_is_asked_for_is_remembered(screen, tmp_path, monkeypatch, capsys):
    path = tmp_path / "config.toml"
    path.write_text("# mine\n")
    monkeypatch.setenv(paths.CONFIG_VARIABLE, str(path))
    monkeypatch.setenv("MOSHI_TUI_THEME", "contrast")
    assert screen("--demo") == 0
    assert path.read_text() == "# mine\n"
    assert screen("--demo", "--theme", "light") == 0
    monkeypatch.delenv("MOSHI_TUI_THEME")
    assert settings().screen.theme == "light"
    assert path.read_text().startswith("# mine\n")
    assert capsys.readouterr().err == ""


def test_a_theme_that_cannot_be_remembered_is_one_line(screen, monkeypatch, capsys):
    monkeypatch.setenv(paths.CONFIG_VARIABLE, os.devnull)
    assert screen("--demo", "--theme", "light") == 0
    error = capsys.readouterr().err
    assert error == "moshi-tui: theme not remembered: /dev/null: not a plain file\n"


def test_run_ignores_what_the_file_says_about_live_sound(speech, tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    path.write_text('[audio]\ninput_device = "none such"\n[recording]\nrecord = true\n')
    monkeypatch.setenv("MOSHI_TUI_INPUT", "nothing.wav")
    monkeypatch.setenv("MOSHI_TUI_OUTPUT", "no/such/folder/out.wav")
    seen = []
    monkeypatch.setattr("moshi_tui.headless.answer_file", lambda *all: seen.append(all) or 0)
    assert cli.main(["run", str(speech), "--config", str(path), "--demo"]) == 0
    assert seen == [(settings_of("--demo"), speech, None, None)]
    assert not list(tmp_path.glob("*.wav"))


def settings_of(*options):
    """What the options alone say."""
    return merge(flags(parse(options))).settings


@pytest.mark.parametrize(
    ("options", "said", "status"),
    [
        (["--output", "x.wav", "run", "in.wav"], "--output before `run`", 2),
        (["--headless", "run", "in.wav"], "--headless before `run`", 2),
        (["--volume", "-3", "run", "in.wav"], "--volume before `run`", 2),
        (["--record=x", "run", "in.wav"], "--record before `run`", 2),
        (["--headless", "doctor"], "Write: moshi-tui doctor", 2),
        (["--seconds", "3", "--demo"], "--headless", 2),
        (["--headless", "--input", "nothing.wav"], "nothing.wav", 1),
        (["--headless", "--output", "x.mp3"], "x.mp3", 2),
        (["--headless", "--output", "no/such/x.wav"], "no/such", 1),
        (["--model-dir", "/m", "--hf-repo", "a/b"], "both say where", 2),
        (["--hf-repo", "a"], "OWNER/NAME", 2),
        (["--demo"], "No terminal", 1),
    ],
)
def test_what_cannot_work_is_refused_before_loading(options, said, status, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115
    assert cli.main(options) == status
    assert said in capsys.readouterr().err
    sys.stdin.close()


def test_a_live_talk_does_not_overwrite_what_it_hears(speech, capsys):
    before = speech.read_bytes()
    wav = speech.with_suffix(".wav")
    wav.write_bytes(before)
    assert cli.main(["--demo", "--headless", "--input", str(wav), "--output", str(wav)]) == 2
    assert "Output is the input" in capsys.readouterr().err
    assert wav.read_bytes() == before


def test_demo_with_another_checkpoint_is_refused(capsys):
    assert cli.main(["--demo", "--quant", "4"]) == 2
    error = capsys.readouterr().err
    assert "--demo" in error
    assert "--quant" in error


def test_run_answers_a_file(question, tmp_path, inside, capsys):
    out, text = tmp_path / "out.wav", tmp_path / "out.txt"
    done = moshi("run", question, "--output", out, "--text", text, "--demo", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    sound, rate = soundfile.read(out)
    assert (rate, len(sound), sound.ndim) == (24_000, soundfile.info(question).frames, 1)
    assert 0.05 < np.abs(sound[-3 * 24_000 :]).max() < 0.99
    assert len(text.read_text().split()) >= 2
    # The same again, to the sample; the transcript on stdout now.
    assert inside("--demo", "--seed", "1", "run", question, "--output", tmp_path / "again.wav") == 0
    assert capsys.readouterr().out == text.read_text()
    assert (soundfile.read(tmp_path / "again.wav")[0] == sound).all()
    assert inside("run", question, "--output", tmp_path / "other.wav", "--demo", "--seed", "2") == 0
    assert (soundfile.read(tmp_path / "other.wav")[0] != sound).any()


def test_run_greedy_needs_no_seed(question, tmp_path, inside):
    for name in ("a.wav", "b.wav"):
        assert inside("run", question, "--output", tmp_path / name, "--demo", "--greedy") == 0
    a, b = (soundfile.read(tmp_path / name)[0] for name in ("a.wav", "b.wav"))
    assert (a == b).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["run", "nothing.wav", "--demo"], "nothing.wav"),
        (["run", "nothing.wav", "--demo", "--output", "{old}"], "nothing.wav"),
        (["run", "{speech}", "--demo", "--output", "out.mp3"], "out.mp3"),
        (["run", "{speech}", "--demo", "--output", "{old}", "--condition", "a=b"], "a"),
        (["run", "{broken}", "--demo", "--output", "{old}"], "broken.flac"),
        (["run", "{broken}", "--demo", "--text", "{old}"], "broken.flac"),
        (["run", "{speech}", "--demo", "--output", "x.wav", "--text", "x.wav"], "Two outputs"),
        (["run", "{text}", "--demo"], "note.txt"),
        (["run", "{old}", "--demo", "--output", "{old}"], "Output is the input"),
        (["run", "{speech}", "--demo", "--output", "no/such/folder/out.wav"], "no/such/folder"),
        (["run", "{speech}", "--demo", "--text", "no/such/folder/out.txt"], "no/such/folder"),
        (["run", "{speech}", "--model-dir", "no-such-folder"], "no-such-folder"),
        (["run", "{speech}", "--demo", "--condition", "mood=good"], "mood"),
    ],
)
def test_what_goes_wrong_is_said_in_words(
    options, said, speech, tmp_path, inside, monkeypatch, capfd
):
    note = tmp_path / "note.txt"
    note.write_text("no sound")
    old = tmp_path / "old.wav"
    soundfile.write(old, np.zeros(3000), 24_000)
    kept = old.read_bytes()
    broken = tmp_path / "broken.flac"
    broken.write_bytes(speech.read_bytes()[:9000] + bytes(9000))
    names = {"speech": speech, "text": note, "old": old, "broken": broken}
    filled = [option.format(**names) for option in options]
    monkeypatch.chdir(tmp_path)
    status = inside(*filled)
    error = capfd.readouterr().err
    assert old.read_bytes() == kept
    assert not list(tmp_path.glob("*.part"))
    usage = ("out.mp3", "Two outputs", "Output is the input")
    assert status == (2 if said in usage else 1)
    assert said in error
    assert "Traceback" not in error
    assert len(error.splitlines()) < 12
    assert "b'" not in error


def test_what_goes_wrong_ends_the_process_in_words(speech, tmp_path):
    broken = tmp_path / "broken.flac"
    broken.write_bytes(speech.read_bytes()[:9000] + bytes(9000))
    done = moshi("run", broken, "--demo", "--output", tmp_path / "out.wav")
    assert done.returncode == 1
    assert "broken.flac" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < 12
    assert [path.name for path in tmp_path.glob("out*")] == []


def test_headless_with_files_for_ears_and_mouth(question, tmp_path):
    out = tmp_path / "out.wav"
    done = moshi("--demo", "--headless", "--input", question, "--output", out, "--seed", "1")
    assert done.returncode == 0, done.stderr
    sound, _ = soundfile.read(out)
    # The input, and three seconds more for the answer.
    more = len(sound) / 24_000 - soundfile.info(question).duration
    assert 2.0 < more < 6.0
    assert 0.05 < np.abs(sound).max() < 0.99


def test_headless_says_what_became_of_its_recording(speech, tmp_path):
    options = ("--demo", "--headless", "--input", speech, "--output", tmp_path / "out.wav")
    done = moshi(*options, "--record", tmp_path / "talks", "--seconds", "1")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "talks").iterdir()
    assert f"moshi-tui: recording to {folder}\n" in done.stderr
    assert f" s: {folder}\n" in done.stderr.split("moshi-tui: recorded ")[1]


def test_headless_that_cannot_record_is_refused_before_loading(speech, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "talks"
    options = ["--demo", "--headless", "--input", str(speech), "--output", str(tmp_path / "o.wav")]
    assert cli.main([*options, "--record", str(folder)]) == 1
    error = capsys.readouterr().err
    assert f"moshi-tui: Cannot record: {folder}: Not a directory.\n" in error
    assert "recording to" not in error


def test_raw_sound_without_a_recording_is_refused_where_no_key_can_begin_one(capsys):
    assert cli.main(["--demo", "--headless", "--record-raw", "--output", "/nowhere/x"]) == 1
    assert cli.main(["--demo", "--headless", "--record-raw"]) == 2
    assert "Add --record." in capsys.readouterr().err


def test_wrong_words_have_one_status_wherever_they_stand(tmp_path, monkeypatch, capsys):
    (tmp_path / "c.toml").write_text("[checkpoint]\nquant = 5\n")
    assert cli.main(["--config", str(tmp_path / "c.toml"), "--headless"]) == 2
    monkeypatch.setenv("MOSHI_TUI_QUANT", "5")
    assert cli.main(["--headless"]) == 2
    assert capsys.readouterr().err.count("expected 4, 8 or") == 2
    for words in (["--quant", "5"], ["run", "in.wav", "--record"]):
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        assert end.value.code == 2
    assert "--record is no option of run" in capsys.readouterr().err


def test_a_device_is_not_replaced_by_a_file(speech, tmp_path, capsys):
    os.mkfifo(tmp_path / "out")
    assert cli.main(["run", str(speech), "--demo", "--text", str(tmp_path / "out")]) == 1
    assert "is no regular file" in capsys.readouterr().err


class LosingEngine:
    """Its recording fails, or is completed, while it stops."""

    stats = Stats()
    ending = None

    def __init__(self, settings, listener, ends):
        self._tell = listener

    def start(self):
        self._tell(RecordingStarted(0, Path("/talks/moshi\x1b[31m")))
        self._tell(Notice("Slow", "the disk is slow", "Take another."))

    def stop(self, timeout):
        threading.Timer(0.2, self._tell, [self.ending]).start()


@pytest.mark.parametrize("fails", [False, True])
def test_the_end_of_a_recording_is_waited_for_and_told(monkeypatch, capsys, fails):
    error = MoshiTuiError("Recording has ended", "/talks: disk full", "Make room.")
    ending = RecordingStopped(9, Path("/talks/moshi"), 4.4, error if fails else None)
    monkeypatch.setattr(LosingEngine, "ending", ending)
    monkeypatch.setattr(headless, "Engine", LosingEngine)
    monkeypatch.setattr(headless, "check_ends", lambda settings: None)
    monkeypatch.setattr(headless, "_follow", lambda *all: None)
    assert headless.talk(Settings()) == int(fails)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "moshi-tui: recording to /talks/moshi"
    if fails:
        assert said[1] == "moshi-tui: Recording has ended: /talks: disk full. Make room."
    else:
        assert said[1] == "moshi-tui: recorded 4 s: /talks/moshi"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_headless_ends_by_a_signal(number, speech):
    command = [sys.executable, "-m", "moshi_tui", "--demo", "--headless", "--input", str(speech)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/"
    )
    for line in process.stderr:
        if "hearing" in line:
            break
    time.sleep(0.5)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_stdout_that_cannot_be_written(speech):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "moshi_tui", "run", str(speech), "--demo", "--seed", "1"]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=env, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_need_not_be_unicode(speech, tmp_path):
    name = os.fsencode(tmp_path) + b"/bad\xff.flac"
    os.rename(speech, name)
    done = moshi("run", os.fsdecode(name), "--output", tmp_path / "out.wav", "--demo")
    assert done.returncode == 0, done.stderr


def test_a_closed_stdout_and_one_without_the_letters(speech):
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    command = f"{sys.executable} -m moshi_tui run {speech} --demo"
    for more in (">&-", "--text-temperature 5 --text-top-k 0"):
        done = subprocess.run(
            f"{command} {more}", shell=True, env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr


def test_no_escape_sequence_reaches_stdout():
    out = io.StringIO()
    transcript = headless._Transcript(out)
    events = queue.Queue()
    for frame, text in enumerate([" hello\x1b", "[31m world\x1b]0;title\x07", " \x07!"]):
        events.put(TextPiece(frame, 5, text))
    transcript.add(TextPiece(0, 5, " Oh,"))
    transcript.finish(events)
    assert out.getvalue() == "Oh, hello world !\n"


@pytest.mark.parametrize("fails", [False, True])
def test_a_step_that_goes_on_does_not_hold_up_the_end(monkeypatch, fails):
    """Neither after success nor after an error: MLX would abort the process."""
    over = threading.Event()
    ends = []

    def command(args):
        threading.Thread(target=over.wait, name="inference", daemon=True).start()
        if fails:
            raise MoshiTuiError("Broken", "while a step was under way")
        return 0

    monkeypatch.setattr(cli, "_command", lambda args: command)
    monkeypatch.setattr(os, "_exit", ends.append)
    cli.main(["--demo"])
    over.set()
    assert ends == [int(fails)]


def test_what_is_skipped_is_told_every_five_seconds():
    lines = headless._CatchUps()
    assert list(lines.due(100.0)) == []
    for n in range(24):
        lines.take(Skipped(n, "user", "speech" if n < 4 else "silence", 80.0), 100.0 + n / 10)
    lines.take(Underrun(3, 2000.0), 102.0)
    assert list(lines.due(104.9)) == []
    assert list(lines.due(105.0)) == [
        "Moshi was interrupted for 2.0 s (the model was late)",
        "skipped 1.9 s (0.3 s of it your speech) to catch up",
    ]
    assert list(lines.due(200.0)) == []
    lines.take(Skipped(30, "moshi", "silence", 40.0), 200.0)
    assert list(lines.due(206.0)) == []  # too little to tell
    lines.take(Skipped(31, "moshi", "silence", 400.0), 207.0)
    assert list(lines.due(211.0)) == []
    assert list(lines.due(212.0)) == ["cut 0.4 s out of Moshi's pauses to catch up"]


def test_a_slow_machine_gets_a_line_in_five_seconds_for_ever():
    lines = headless._CatchUps()
    told = []
    for frame in range(7500):
        if frame % 5 == 0:
            lines.take(Skipped(frame, "user", "silence", 80.0), frame * 0.08)
        told.extend(lines.due(frame * 0.08))
    assert 100 <= len(told) <= 120
    assert "skipped 1.0 s of silence to catch up" in told


@pytest.mark.parametrize(
    ("skips", "words"),
    [
        (Skips(), ""),
        (Skips(moshi_speed_ms=12.0), ""),
        (Skips(1600, 320), "; skipped in 1.9 s (0.3 s speech)"),
        (
            Skips(0, 0, 400, 0, 510),
            "; skipped out 0.4 s (0.0 s speech); played Moshi faster (0.5 s gained)",
        ),
        (Skips(80, 0, 0, 80), "; skipped in 0.1 s (0.0 s speech), out 0.1 s (0.1 s speech)"),
        (Skips(moshi_speed_ms=510), "; played Moshi faster (0.5 s gained)"),
    ],
)
def test_the_last_line_says_what_was_skipped(skips, words):
    stats = Stats(frames=750, encode_ms=21.4, step_ms=54.0, skips=skips)
    line = headless._times(stats)
    assert line == f"750 frames; encode 21 ms, step 54 ms, decode -{words}"


def test_skipped_frames_do_not_cut_a_word_of_the_transcript():
    out = io.StringIO()
    transcript = headless._Transcript(out)
    events = queue.Queue()
    for frame in range(8, 28):
        transcript.skip(Skipped(frame, "user", "silence", 80.0))
    transcript.add(TextPiece(7, 5, " Hel"))
    transcript.add(TextPiece(28, 5, "lo"))
    events.put(TextPiece(40, 5, " you"))
    for frame in range(41, 61):
        events.put(Skipped(frame, "user", "silence", 80.0))
    events.put(TextPiece(62, 5, " there"))
    events.put(TextPiece(75, 5, " Well"))
    transcript.finish(events)
    assert out.getvalue() == "Hello you there\nWell\n"


def test_follow_tells_what_happens_on_stderr(monkeypatch, capsys):
    monkeypatch.setattr(headless, "CATCH_UP_LINE_SECONDS", 0.1)
    events = queue.Queue()
    for frame in range(24):
        events.put(Skipped(frame, "user", "silence", 80.0))
    events.put(Underrun(1, 2000.0))
    asked = threading.Event()
    out = io.StringIO()
    threading.Timer(1.0, asked.set).start()
    headless._follow(events, headless._Transcript(out), headless._Recordings(), asked, None)
    assert capsys.readouterr().err.splitlines() == [
        "moshi-tui: Moshi was interrupted for 2.0 s (the model was late)",
        "moshi-tui: skipped 1.9 s of silence to catch up",
    ]
    assert out.getvalue() == ""
