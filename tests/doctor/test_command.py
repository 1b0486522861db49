from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from moshi_tui.config import AudioOptions, CheckpointOptions, Settings
from moshi_tui.doctor import command, conclusion
from moshi_tui.doctor.chosen import Chosen, choose
from moshi_tui.doctor.conclusion import conclude
from moshi_tui.doctor.findings import Check, Finding, findings_of
from moshi_tui.doctor.show import Printer, document
from moshi_tui.doctor.sound import NO_PORTAUDIO
from moshi_tui.errors import MoshiTuiError
from moshi_tui.settings.layers import Given

OK = Finding("python", "ok", "Python 3.12")
CAREFUL = Finding("terminal", "careful", "small", ("70x20",), "Make it larger.")
BAD = Finding("memory", "bad", "too little", advice="Take less.", data={"x": float("-inf")})


def use(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    checks = [Check(each.check, "looking", lambda each=each: [each]) for each in findings]

    def quick_checks(chosen: Chosen) -> list[Check]:
        return checks

    def speed_checks(chosen: Chosen, so_far: Sequence[Finding]) -> list[Check]:
        assert list(so_far) == list(findings)
        return [Check("speed", "timing", lambda: [Finding("speed", "ok", "31 of 80 ms")])]

    monkeypatch.setattr(command, "quick_checks", quick_checks)
    monkeypatch.setattr(command, "speed_checks", speed_checks)


# ---- the report


def test_findings_verdicts_and_the_next_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, OK, CAREFUL)
    assert command.run(Settings(), as_json=False, bench=True) == 0
    text = capsys.readouterr().out
    assert "OK       python      Python 3.12\n" in text
    assert "CAREFUL  terminal    small\n                     70x20\n" in text
    assert "→ Make it larger." in text
    assert "OK       speed       31 of 80 ms" in text
    assert text.endswith("Next: moshi-tui --quant 4\n")
    assert "\x1b" not in text


def test_something_bad_is_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, OK, BAD)
    assert command.run(Settings(), as_json=False, bench=False) == 1
    assert "Next: moshi-tui --demo\n" in capsys.readouterr().out


def test_json_is_one_document_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, OK, BAD)
    assert command.run(Settings(), as_json=True, bench=False) == 1
    said = capsys.readouterr()
    content = json.loads(said.out)
    assert said.err == ""
    assert (content["schema"], content["verdict"], content["checked_for"]) == (1, "bad", "q4")
    assert content["next_command"] == "moshi-tui --demo"
    assert content["findings"][1]["data"] == {"x": None}


def test_what_libraries_print_stays_out_of_the_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def noisy() -> list[Finding]:
        print("Error importing huggingface_hub.hf_api")
        return [OK]

    monkeypatch.setattr(command, "quick_checks", lambda chosen: [Check("a", "looking", noisy)])
    assert command.run(Settings(), as_json=True, bench=False) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["verdict"] == "ok"
    assert "Error importing" in said.err


def test_checks_run_at_once_and_are_told_in_order() -> None:
    second = threading.Event()

    def first_look() -> list[Finding]:
        assert second.wait(5)
        return [OK]

    def second_look() -> list[Finding]:
        second.set()
        return [CAREFUL]

    told: list[Finding] = []
    said: list[str] = []
    checks = [Check("python", "first", first_look), Check("terminal", "second", second_look)]
    command.examine(checks, said.append, told.append)
    assert told == [OK, CAREFUL]


def test_a_check_that_crashes_is_a_finding() -> None:
    def crash() -> list[Finding]:
        raise KeyError("surprise")

    def refuse() -> list[Finding]:
        raise MoshiTuiError("No device", "line one\nline two", "try this")

    [crashed] = findings_of(Check("sound", "", crash))
    assert (crashed.verdict, crashed.summary) == (
        "careful",
        "could not be checked: KeyError: 'surprise'",
    )
    [refused] = findings_of(Check("sound", "", refuse))
    assert (refused.summary, refused.details, refused.advice) == (
        "No device: line one",
        ("line two",),
        "try this",
    )


class Tty(io.StringIO):
    encoding = "ascii"

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_colours_unless_it_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Tty()
    Printer(out, None).finding(BAD)
    assert out.getvalue().startswith("\x1b[31mPROBLEM  \x1b[0mmemory")
    assert "-> Take less." in out.getvalue()
    assert out.getvalue().isascii()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Tty()
    Printer(plain, None).finding(BAD)
    assert "\x1b" not in plain.getvalue()


def test_what_is_being_done_is_wiped_away() -> None:
    out, busy = io.StringIO(), Tty()
    printer = Printer(out, busy)
    printer.doing("listening")
    printer.finding(OK)
    assert busy.getvalue() == "\rlistening ...\r" + " " * len("listening ...") + "\r"


def test_commands_in_advice_are_not_broken_into_lines() -> None:
    out = io.StringIO()
    long = "  hf download " + "name " * 30
    Printer(out, None).finding(Finding("checkpoint", "bad", "x", advice=f"Fetch it:\n{long}"))
    assert long.strip() in out.getvalue()


def test_no_line_is_wider_than_80_columns() -> None:
    out = io.StringIO()
    printer = Printer(out, None)
    printer.finding(Finding("disk", "ok", "word " * 60, ("detail " * 40,), "advice " * 40))
    assert max(map(len, out.getvalue().splitlines())) < 80


def test_the_document_has_no_numbers_that_json_lacks() -> None:
    nested = Finding("a", "ok", "b", data={"list": [float("nan"), {"deep": float("inf")}]})
    content = json.loads(document([nested], "q4", "", ""))
    assert content["findings"][0]["data"] == {"list": [None, {"deep": None}]}


# ---- what is looked at, and what comes next


def test_without_a_choice_the_smallest_model_is_looked_at() -> None:
    assert (choose(Settings()).label, choose(Settings()).suggested) == ("q4", True)
    bits = {"checkpoint.quant": Given(None, "--quant")}
    given = choose(Settings(), bits)
    command_line = "moshi-tui --quant bf16"
    assert (given.label, given.suggested, given.command()) == ("bf16", False, command_line)
    named = Settings(CheckpointOptions(hf_repo="kyutai/moshika-mlx-q8"))
    assert choose(named).label == "q8"
    assert choose(named).command() == "moshi-tui --hf-repo kyutai/moshika-mlx-q8"


def test_the_command_repeats_what_was_chosen() -> None:
    settings = Settings(
        CheckpointOptions(voice="moshika", model_dir=None, moshi_weight=Path("my model")),
        audio=AudioOptions(input_device="USB mic"),
    )
    chosen = choose(settings)
    assert chosen.command() == (
        "moshi-tui --voice moshika --moshi-weight 'my model' --input-device 'USB mic'"
    )
    assert chosen.command(demo=True) == "moshi-tui --demo --input-device 'USB mic'"


@pytest.mark.parametrize(
    ("check", "verdict", "words", "next_command"),
    [
        ("packages", "bad", "Nothing runs yet", "moshi-tui doctor"),
        ("disk", "bad", "does not work here yet (disk)", "moshi-tui --demo"),
        ("speed", "bad", "Too slow for a talk with q4 (speed)", "moshi-tui --demo"),
        ("microphone", "bad", "once microphone is mended", "moshi-tui --quant 4"),
        ("sound", "careful", "without a sound card", "moshi-tui run"),
        ("terminal", "careful", "that was not measured", "moshi-tui --quant 4"),
    ],
)
def test_conclusions(check: str, verdict: str, words: str, next_command: str) -> None:
    finding = Finding(check, verdict, "x")  # type: ignore[arg-type]
    sentence, typed = conclude([OK, finding], choose(Settings()))
    assert words in sentence
    assert typed.startswith(next_command)


def test_the_demo_is_judged_for_itself() -> None:
    demo = choose(Settings(CheckpointOptions(demo=True)))
    assert conclude([OK], demo) == ("The demo works here.", "moshi-tui --demo")


NO_SUCH = Finding("microphone", "bad", "x", data={"option": "input_device"})
HUNG = Finding("sound", "bad", "No answer", data={"error": "No answer"})


def talk(demo: bool, origin: str = "--input-device") -> Chosen:
    """Chosen with a microphone that is not there."""
    settings = Settings(
        CheckpointOptions(quant=None if demo else 4, demo=demo), audio=AudioOptions("nosuch")
    )
    return choose(settings, {"audio.input_device": Given("nosuch", origin)})


@pytest.mark.parametrize(
    ("finding", "sentence", "typed"),
    [
        (NO_SUCH, " without --input-device nosuch", "moshi-tui --demo"),
        (
            Finding("terminal", "bad", "TERM=dumb"),
            " without the screen",
            "moshi-tui --demo --input-device nosuch --headless",
        ),
        (HUNG, " once sound is mended", "moshi-tui run in.wav --output out.wav --demo"),
        (
            Finding("sound", "bad", "x", data={"error": NO_PORTAUDIO}),
            " without sound",
            "moshi-tui --demo --input-device nosuch",
        ),
        (
            Finding("disk", "bad", "full"),
            " once disk is mended",
            "moshi-tui doctor --demo --input-device nosuch",
        ),
    ],
)
def test_what_is_bad_is_in_the_conclusion_on_the_demo(
    finding: Finding, sentence: str, typed: str
) -> None:
    assert conclude([OK, finding], talk(demo=True)) == (f"The demo works here{sentence}.", typed)


def test_a_slow_demo_is_said() -> None:
    said, typed = conclude([OK, Finding("speed", "bad", "x")], talk(demo=True))
    assert "too slow" in said
    assert typed.startswith("moshi-tui run in.wav")


@pytest.mark.parametrize("demo", [True, False])
@pytest.mark.parametrize(
    "check",
    [*conclusion.BASIC, *conclusion.MODEL, *conclusion.LIVE, "terminal", "speed"],
)
def test_nothing_bad_goes_unsaid(check: str, demo: bool) -> None:
    chosen = talk(demo)
    said, _ = conclude([OK, Finding(check, "bad", "x")], chosen)
    assert said.partition(",")[0].rstrip(".") not in ("The demo works here", "q4 works here")


def test_a_full_model_where_the_screen_can_not_be_drawn() -> None:
    findings = [OK, Finding("terminal", "bad", "TERM=dumb"), NO_SUCH]
    said, typed = conclude(findings, talk(demo=False))
    assert said.startswith("q4 works here without --input-device nosuch and the screen")
    assert typed == "moshi-tui --quant 4 --headless"
    said, typed = conclude([*findings, Finding("memory", "bad", "x")], talk(demo=False))
    assert "the demo works without --input-device nosuch and the screen" in said
    assert typed == "moshi-tui --demo --headless"
    assert conclude([HUNG], talk(demo=False))[1].startswith("moshi-tui run in.wav")


def test_a_device_of_the_file_is_undone_by_a_flag() -> None:
    said, typed = conclude([NO_SUCH], talk(demo=True, origin="config.toml"))
    assert said == "The demo works here without input_device nosuch (config.toml)."
    assert typed == "moshi-tui --demo --input-device default"


@pytest.mark.parametrize(("fits", "words"), [(True, "which fits."), (False, "which does not fit")])
def test_what_the_bare_command_would_need_is_told(fits: bool, words: str) -> None:
    data = {"need_bytes": {"bf16": 17_500_000_000}, "fits": {"bf16": fits}}
    findings = [Finding("memory", "ok", "x", data=data)]
    said, typed = conclude(findings, choose(Settings()))
    assert typed == "moshi-tui --quant 4"
    assert "moshi-tui alone takes bf16, 15.8 GB of files and 17.5 GB of memory, " + words in said
    assert "alone" not in conclude(findings, talk(demo=False))[0]


# ---- all of it


def test_the_whole_command_without_sound_and_network(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    env = {
        **os.environ,
        "PYTHONPATH": str(root),
        "HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(tmp_path / "hub"),
    }
    words = [sys.executable, "-m", "moshi_tui", "doctor", "--demo", "--json", "--no-bench"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120)
    content = json.loads(done.stdout)
    found = {finding["check"]: finding["verdict"] for finding in content["findings"]}
    assert {"python", "packages", "device", "memory", "checkpoint", "sound"} <= set(found)
    assert (found["python"], found["packages"], found["checkpoint"]) == ("ok", "ok", "ok")
    assert done.returncode == (1 if "bad" in found.values() else 0)
    assert done.stderr == ""
