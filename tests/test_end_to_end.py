"""A person at a terminal, as far as a machine can be one: speech into a real PortAudio microphone,
keys through tmux, and an ear at the speaker."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moshi_tui.demo.checkpoint import TOKENIZER, demo_file
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.model.tokenizer import TextTokenizer
from tests.pulse import pulse, running_pulse  # noqa: F401 - a fixture

pytestmark = pytest.mark.pulse

ROOT = Path(__file__).parents[1]
SENTENCE = "Hello Moshi. How are you today? I would like to talk about the sea."


class Terminal:
    """A shell in tmux."""

    def __init__(self, env, columns=120, rows=60):
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not installed (apt: tmux)")
        self._env = env
        self._socket = f"moshi-tui-{os.getpid()}"
        shell = "env PS1='$ ' bash --norc --noprofile"
        self._tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), shell)

    def _tmux(self, *args):
        command = ["tmux", "-L", self._socket, "-f", "/dev/null", *args]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=True)
        return done.stdout

    def type(self, text):
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def press(self, key):
        self._tmux("send-keys", key)

    def screen(self):
        return self._tmux("capture-pane", "-p")

    def in_alternate_screen(self):
        return self._tmux("display-message", "-p", "#{alternate_on}").strip() == "1"

    def wait_for(self, pattern, seconds=60.0):
        """Until the screen shows `pattern`; returns after how many seconds."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            if re.search(pattern, self.screen()):
                return time.monotonic() - start
            time.sleep(0.05)
        raise AssertionError(f"{pattern!r} did not appear:\n{self.screen()}")

    def close(self):
        self._tmux("kill-server")


@pytest.fixture
def terminal(pulse, tmp_path):  # noqa: F811
    env = pulse.env | {
        "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"],
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }
    terminal = Terminal(env)
    yield terminal
    terminal.close()


@pytest.fixture
def speech(tmp_path):
    path = tmp_path / "speech.wav"
    if shutil.which("flite"):
        subprocess.run(["flite", "-voice", "slt", "-t", SENTENCE, "-o", str(path)], check=True)
    elif shutil.which("espeak-ng"):
        subprocess.run(["espeak-ng", "-w", str(path), SENTENCE], check=True)
    else:
        pytest.skip("no program for speech (apt: flite or espeak-ng)")
    return path


def command(*options):
    return shlex.join([sys.executable, "-m", "moshi_tui", *options])


def moshi_lines(screen):
    """The words of Moshi in the conversation panel, without times, names and line breaks."""
    words, speaker = [], ""
    for line in screen.splitlines():
        match = re.match(r"│ (?:\d\d:\d\d (\S+) *)?(.*?)\s*▐?│", line)
        if match is None:
            continue
        speaker = match[1] or speaker
        if speaker == "Moshi":
            words.append(match[2])
    return "".join("".join(words).replace("▌", "").split())


def logged(tmp_path):
    log = (tmp_path / "state" / "moshi-tui" / "log" / "moshi-tui.log").read_text()
    pieces = re.findall(r"frame (\d+) text token (-?\d+) (.*)", log)
    return log, [(int(frame), int(token)) for frame, token, _ in pieces]


def test_a_talk(terminal, pulse, speech, tmp_path):  # noqa: F811
    terminal.wait_for(r"^\$")
    terminal.type(f"cd {tmp_path}; stty -a > before; echo this was here before")
    terminal.wait_for(r"(?m)^this was here before$")
    terminal.type(
        command("--demo", "--seed", "4", "--verbose") + '; echo "status=$?"; stty -a > after'
    )
    terminal.wait_for("Levels")
    heard = tmp_path / "heard.wav"
    started = time.monotonic()
    with pulse.record(heard):
        voice = pulse.play(speech)
        terminal.wait_for(r"You +[█▏▎▍▌▋▊▉]+")
        assert voice.wait(30) == 0
        spoken = time.monotonic() - started
        said = len(logged(tmp_path)[1])
        terminal.wait_for(r"\d\d:\d\d Moshi ")
        time.sleep(3)  # it answers
        assert len(logged(tmp_path)[1]) >= said + 3
        terminal.press("m")
        terminal.wait_for(r"You +muted")
        terminal.wait_for(r"· +Muted")
        terminal.press("m")
        terminal.wait_for(r"· +Unmuted")
        terminal.press("r")
        terminal.wait_for(r"· +Reset")
        time.sleep(1)
        seconds = time.monotonic() - started
        assert terminal.in_alternate_screen()
        shown = moshi_lines(terminal.screen())
        at = len(logged(tmp_path)[1])
        terminal.press("q")
        assert terminal.wait_for(r"status=\d") < 3
    assert "status=0" in terminal.screen()
    assert not terminal.in_alternate_screen()
    terminal.wait_for(r"status=0\n\$")
    # The shell's screen is back (tmux redraws it in its own time).
    terminal.wait_for(r"(?m)^this was here before$", seconds=5)
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()

    # The transcript is what the tokens say: read once more from the log, piece by piece.
    log, tokens = logged(tmp_path)
    vocabulary = TextTokenizer(demo_file(TOKENIZER))
    expected = as_shown([vocabulary.piece(token) for _, token in tokens if token >= 0])
    assert shown
    assert expected.startswith(shown)
    assert len(tokens) - at < 25
    assert "Traceback" not in log

    sound, rate = soundfile.read(heard)
    check_sound(sound, rate, spoken, seconds)


def as_shown(pieces):
    """What the pieces spell, without spaces and control characters."""
    raw = b"".join(
        bytes([int(byte[1], 16)])
        if (byte := re.fullmatch(r"<0x(..)>", piece))
        else piece.replace("▁", "").encode()
        for piece in pieces
    )
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "", raw.decode("utf-8", errors="replace"))


def check_sound(sound, rate, spoken, seconds):
    """Not clipped; mostly silent while somebody speaks, for `spoken` seconds; then an answer within
    two seconds, and nothing after the talk."""
    blocks = sound[: len(sound) // (rate // 10) * (rate // 10)].reshape(-1, rate // 10)
    loudness = 20 * np.log10(np.sqrt(np.mean(blocks**2, axis=1)) + 1e-9)
    assert np.abs(sound).max() < 0.99
    heard = np.flatnonzero(loudness > -45) * 0.1
    assert np.count_nonzero(heard < spoken) * 0.1 < spoken / 2
    answer = heard[heard > spoken]
    assert answer.size
    assert answer[0] < spoken + 2
    assert len(answer) * 0.1 > 0.5
    assert answer[-1] < seconds + 1


def test_headless(pulse, speech, tmp_path):  # noqa: F811
    env = pulse.env | {
        "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"],
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": str(ROOT),
    }
    heard = tmp_path / "heard.wav"
    with pulse.record(heard):
        voice = pulse.play(speech)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "moshi_tui",
                "--demo",
                "--verbose",
                "--headless",
                "--seconds",
                "8",
                "--seed=4",
            ],
            env=env,
            capture_output=True,
            text=True,
            timeout=90,
        )
        voice.wait(30)
    assert done.returncode == 0, done.stderr
    _, tokens = logged(tmp_path)
    assert tokens
    assert done.stdout.strip()
    assert tokens[-1][0] * FRAME_SECONDS < 9
    sound, rate = soundfile.read(heard)
    answer = sound[round(soundfile.info(speech).duration * rate) :]
    assert 0.05 < np.abs(answer).max() < 0.99


def test_headless_goes_on_without_its_sound_and_says_so(tmp_path):
    with running_pulse() as server:
        env = server.env | {
            "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"],
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "PYTHONPATH": str(ROOT),
        }
        words = [sys.executable, "-m", "moshi_tui", "--demo", "--headless", "--seconds", "5"]
        words.append("--seed=4")
        with subprocess.Popen(
            words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as talk:
            while "speaking to" not in (line := talk.stderr.readline()):
                assert line, "it has ended"
            time.sleep(1)
            server.daemon.kill()
            out, err = talk.communicate(timeout=60)
    assert talk.returncode == 0, err
    assert out.strip()
    for side in ("microphone", "speaker"):
        assert len(re.findall(rf"moshi-tui: {side} \S+ is gone: .+ The talk goes on", err)) == 1
    frames = int(re.search(r"(\d+) frames", err)[1])
    assert frames * FRAME_SECONDS > 3  # well beyond the second after which the server died
