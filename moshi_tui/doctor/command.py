"""`moshi-tui doctor`: all checks, in the order in which they matter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import partial

from moshi_tui import __version__
from moshi_tui.config import Settings
from moshi_tui.doctor import files, machine, sound, speed, terminal
from moshi_tui.doctor.chosen import Chosen, choose
from moshi_tui.doctor.conclusion import conclude
from moshi_tui.doctor.findings import Check, Finding, findings_of, worst
from moshi_tui.doctor.python import check_packages, check_python, installed, this_interpreter
from moshi_tui.doctor.show import Printer, busy_stream, document
from moshi_tui.ram import ram
from moshi_tui.session.pocket import POCKET_MOSHI
from moshi_tui.settings.layers import Layer


def run(settings: Settings, as_json: bool, bench: bool, given: Layer | None = None) -> int:
    """Check everything and tell.

    Args:
        settings: what the person wants to run.
        as_json: one JSON document on stdout instead of lines.
        bench: also time the model and the codec (about 20 s; a minute on a slow CPU).
        given: who said what of the settings. If nobody said anything of weights, the doctor looks
            at the smallest model, and tells what the program's own default would need.

    Returns the exit status: 1 if something is bad.
    """
    chosen = choose(settings, given)
    out = sys.stdout
    # Libraries print to stdout when an import fails; that must not get into the document.
    with redirect_stdout(sys.stderr):
        printer = None if as_json else Printer(out, busy_stream())
        if printer is not None:
            printer.line(f"moshi-tui {__version__} doctor, looking at {_wanted(chosen)}")
            printer.line()
        tell = _Teller(printer)
        examine(quick_checks(chosen), tell.doing, tell.finding)
        if bench:
            for check in speed_checks(chosen, tell.findings):
                tell.doing(check.doing)
                for finding in findings_of(check):
                    tell.finding(finding)
    conclusion, command = conclude(tell.findings, chosen)
    if printer is None:
        print(document(tell.findings, chosen.label, conclusion, command), file=out)
    else:
        printer.line()
        printer.line(conclusion)
        printer.line(f"Next: {command}")
    return 1 if worst(tell.findings) == "bad" else 0


def _wanted(chosen: Chosen) -> str:
    if chosen.suggested:
        return f"{chosen.label}: no model was chosen, so the smallest"
    return f"the demo, {POCKET_MOSHI}" if chosen.demo else chosen.label


class _Teller:
    """Keeps the findings and prints them as they come, if there is a printer."""

    def __init__(self, printer: Printer | None) -> None:
        self._printer = printer
        self.findings: list[Finding] = []

    def doing(self, what: str) -> None:
        if self._printer is not None:
            self._printer.doing(what)

    def finding(self, finding: Finding) -> None:
        self.findings.append(finding)
        if self._printer is not None:
            self._printer.finding(finding)


def examine(
    checks: Sequence[Check],
    doing: Callable[[str], None],
    tell: Callable[[Finding], None],
) -> None:
    """Run all checks at once, and tell what they found in their order."""
    with ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="check") as pool:
        running: list[tuple[Check, Future[list[Finding]]]] = [
            (check, pool.submit(findings_of, check)) for check in checks
        ]
        for check, future in running:
            if not future.done():
                doing(check.doing)
            for finding in future.result():
                tell(finding)


def quick_checks(chosen: Chosen) -> list[Check]:
    """Everything but the benchmarks: a few seconds."""
    python = this_interpreter()
    audio = chosen.settings.audio

    def device_and_memory() -> list[Finding]:
        answer = machine.ask_device()
        return [
            machine.check_device(answer, chosen),
            machine.check_memory(answer, ram(), chosen),
        ]

    return [
        Check("python", "looking at Python", lambda: check_python(python)),
        Check(
            "packages",
            "importing all packages",
            lambda: check_packages(python.system, installed()),
        ),
        Check("device", "asking MLX for its device", device_and_memory),
        Check(
            "checkpoint",
            "asking the hub what is to be fetched",
            partial(files.check_files, chosen),
        ),
        Check(
            "sound",
            "opening microphone and speaker; say something",
            partial(sound.check_sound, audio, python.system),
        ),
        Check(
            "terminal",
            "looking at the terminal",
            lambda: terminal.check_terminal(terminal.this_terminal()),
        ),
    ]


def speed_checks(chosen: Chosen, so_far: Sequence[Finding]) -> list[Check]:
    """The benchmarks, to be run one after the other and with nothing beside them."""
    memory = next((each for each in so_far if each.check == "memory"), None)
    steps = Check(
        "speed",
        f"timing steps of {chosen.label} with random weights (up to a minute on a CPU)",
        partial(speed.check_steps, chosen, memory),
    )
    codec = Check("codec", "timing the codec", speed.check_codec)
    return [steps] if chosen.demo else [steps, codec]
