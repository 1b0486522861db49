"""The command line: options to `Settings`, then the screen, a file, or live sound without a screen.

Kept light: what is heavy (NumPy, MLX, Textual, PortAudio) is imported by the command that needs it,
so that `--help` and `--version` answer at once and on any machine.
"""

from __future__ import annotations

import argparse
import difflib
import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from moshi_tui import __version__, paths
from moshi_tui.config import AudioOptions, CheckpointOptions, SamplingOptions, Settings
from moshi_tui.errors import MoshiTuiError

DESCRIPTION = """Talk with Moshi, a speech model that listens and speaks at the same time, running
on your own machine. Without a command: the screen."""

EPILOG = """examples:
  moshi-tui --demo                     try it: no download, no microphone needed
  moshi-tui --quant 4                  talk with Moshi (5.2 GB, downloaded once)
  moshi-tui run in.wav --output out.wav --quant 4
  moshi-tui --headless --quant 4 | tee talk.txt
"""

BENCHES = """moshi-tui bench lag    how well lag is kept small: a simulation, no model and no sound
                       card needed (about a minute)
"""
LAG_SCENARIOS = "steady, stall, freeze, hiccups, slow, jitter, stall-sweep, freeze-sweep"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    # NumPy's OpenBLAS spins on every core between its calls, which starves the other stages: on 2
    # cores `run --demo` went at 0.9 instead of 2.9 times real time. Must precede NumPy's import.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _mend_streams()
    return _leave(_run_command(argv))


def _run_command(argv: Sequence[str] | None) -> int:
    """Parse, check, run; every error that a person can meet ends as lines on stderr."""
    try:
        args = _parser().parse_args(argv)
        settings = _settings(args)
        _check_files(args, settings)
        _start_log(getattr(args, "verbose", False))
        status = _command(args)(args, settings)
        sys.stdout.flush()
    except MoshiTuiError as error:
        print(f"moshi-tui: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        # Our output can't be written: whoever read it has gone (no error), or the disk is full.
        # Python must not try to flush it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 141
        print(f"moshi-tui: {error.strerror}: {error.filename or 'stdout'}", file=sys.stderr)
        return 1
    return status


def _mend_streams() -> None:
    """A closed stdout, or one without the letters of a word, is no reason to end a talk."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as we run
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _command(args: argparse.Namespace) -> Callable[[argparse.Namespace, Settings], int]:
    if args.command == "run":
        return _run
    if args.command == "bench":
        return _bench
    return _headless if getattr(args, "headless", False) else _screen


def _screen(args: argparse.Namespace, settings: Settings) -> int:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise MoshiTuiError(
            "No terminal",
            "the screen needs one for its keys (stdin) and its picture (stderr)",
            "Without a screen: moshi-tui --headless, or moshi-tui run.",
        )
    from moshi_tui.session.ends import check_ends
    from moshi_tui.ui.app import run_app
    from moshi_tui.ui.engine_port import EngineLike, Listener

    check_ends(settings)

    def make_engine(listener: Listener) -> EngineLike:
        # Imported once the first screen is painted: MLX and the codec take a while.
        from moshi_tui.session.ends import live_ends
        from moshi_tui.session.engine import Engine

        return Engine(settings, listener, partial(live_ends, settings))

    outcome = run_app(make_engine)
    if outcome.failure is not None:
        print(f"moshi-tui: {outcome.failure}", file=sys.stderr)
    return outcome.status


def _headless(args: argparse.Namespace, settings: Settings) -> int:
    from moshi_tui.headless import talk

    return talk(settings, seconds=getattr(args, "seconds", None))


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from moshi_tui.headless import answer_file

    return answer_file(
        settings, args.input, getattr(args, "output", None), getattr(args, "text", None)
    )


def _bench(args: argparse.Namespace, settings: Settings) -> int:
    given = vars(args)
    if given.get("bench") is None:
        print(BENCHES, end="")
        return 0
    from moshi_tui.bench.command import LagOptions, lag

    return lag(LagOptions(**{k: given[k] for k in LagOptions.__dataclass_fields__ if k in given}))


def _leave(status: int) -> int:
    """The exit status; ends the process at once if the engine is still inside a long model step.

    Such a step can't be interrupted, and MLX aborts a process that exits meanwhile.
    """
    if not any(thread.name == "inference" for thread in threading.enumerate()):
        return status
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _check_files(args: argparse.Namespace, settings: Settings) -> None:
    """Refuse now what would only fail after minutes of loading, or destroy something."""
    audio = settings.audio
    source = getattr(args, "input", None) or audio.input_file
    output = getattr(args, "output", None) or audio.output_file
    text = getattr(args, "text", None)
    for target in (output, text):
        if target is None:
            continue
        if source is not None and source.exists() and target.exists() and target.samefile(source):
            raise MoshiTuiError("Output is the input", f"{target}", "Name another file.")
        if target.is_dir() or not target.parent.is_dir():
            what = "is a folder" if target.is_dir() else "is in a folder that does not exist"
            raise MoshiTuiError("Cannot write the output", f"{target} {what}", "Name a file.")
    if output is not None and text is not None and output.resolve() == text.resolve():
        raise MoshiTuiError("Two outputs in one file", f"{text}", "Name another file for --text.")
    if output is not None and output.suffix.lower() != ".wav":
        raise MoshiTuiError("Not a WAV file", f"--output {output}", "Name it like out.wav.")
    if audio.input_file is not None:
        from moshi_tui.audio.files import AudioReader

        AudioReader(audio.input_file).close()


def _start_log(verbose: bool) -> None:
    """To a file only: the terminal belongs to the screen."""
    path = paths.log_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    except OSError as error:
        print(f"moshi-tui: no log: {path}: {error.strerror}", file=sys.stderr)
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(threadName)s %(name)s: %(message)s"))
    root = logging.getLogger("moshi_tui")
    root.handlers[:] = [handler]
    root.propagate = False
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.captureWarnings(True)


def _settings(args: argparse.Namespace) -> Settings:
    given = vars(args)

    def fill(kind: type[Any]) -> Any:
        return kind(**{k: given[k] for k in kind.__dataclass_fields__ if k in given})

    _check_live_options(given)
    if given.get("greedy"):
        given |= {"text_temperature": 0.0, "audio_temperature": 0.0}
    given["conditions"] = dict(given.get("conditions", ()))
    checkpoint = fill(CheckpointOptions)
    others = [
        "--" + name.replace("_", "-")
        for name in CheckpointOptions.__dataclass_fields__
        if name in given and name != "demo"
    ]
    if checkpoint.demo and others:
        raise MoshiTuiError(
            "Contradicting options",
            f"--demo brings its own checkpoint; {', '.join(others)} names another",
            "Leave one of them out.",
        )
    return Settings(checkpoint, fill(SamplingOptions), fill(AudioOptions))


def _check_live_options(given: dict[str, Any]) -> None:
    """Options that the chosen way of running would ignore are refused."""
    live = {
        "headless": "--headless",
        "seconds": "--seconds",
        "input_device": "--input-device",
        "output_device": "--output-device",
        "input_file": "--input",
        "output_file": "--output",
    }
    named = [option for name, option in live.items() if name in given]
    command = given["command"]
    if command is not None and named:
        ways = {"run": "moshi-tui run IN --output OUT.wav", "bench": "moshi-tui bench lag"}
        raise MoshiTuiError(
            "Contradicting options",
            f"{', '.join(named)} before `{command}` is for live sound",
            f"Write: {ways[command]}",
        )
    if "seconds" in given and "headless" not in given:
        raise MoshiTuiError(
            "Contradicting options", "--seconds goes with --headless", "Add --headless."
        )


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and where help is."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As the base class, but a mistyped option is found before its value is taken for more."""
        known = set(self._option_string_actions)
        for action in self._actions:
            if isinstance(action.choices, dict):  # the commands
                for command in action.choices.values():
                    known.update(_all_options(command))
        for word in sys.argv[1:] if args is None else args:
            name = word.partition("=")[0]
            if name.startswith("--") and len(name) > 2 and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                also = f" (did you mean {near[0]}?)" if near else ""
                self.error(f"no option {name}{also}")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"moshi-tui: {message}\nSee {self.prog} --help\n")


def _all_options(parser: argparse.ArgumentParser) -> set[str]:
    """Those of a command and of the commands below it."""
    known = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for command in action.choices.values():
                known |= _all_options(command)
    return known


def _parser() -> argparse.ArgumentParser:
    shared = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    _add_checkpoint_options(shared)
    _add_sampling_options(shared)
    shared.add_argument("--verbose", action="store_true", help="write more into the log")
    parser = _Parser(
        prog="moshi-tui",
        description=DESCRIPTION,
        epilog=EPILOG + f"\nlog: {paths.log_file()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared],
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"moshi-tui {__version__}")
    _add_live_options(parser)
    commands = parser.add_subparsers(dest="command", metavar="command")
    parser.set_defaults(command=None)
    run = commands.add_parser(
        "run",
        help="let Moshi answer a sound file, as fast as the machine can",
        description="Let Moshi answer a sound file, as fast as the machine can. The output is as "
        "long as the input and lies beside it in time.",
        parents=[shared],
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    run.add_argument("input", metavar="IN", type=Path, help="any sound file that libsndfile reads")
    run.add_argument(
        "-o", "--output", metavar="OUT.wav", type=Path, help="Moshi's voice, 24 kHz mono"
    )
    run.add_argument("--text", metavar="OUT.txt", type=Path, help="what Moshi says; else on stdout")
    _add_bench(commands)
    return parser


def _add_bench(commands: Any) -> None:
    help = "measure how well this program does"
    bench = commands.add_parser(
        "bench",
        help=help,
        description=f"{help.capitalize()}:\n\n{BENCHES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    benches = bench.add_subparsers(dest="bench", metavar="what")
    lag = benches.add_parser(
        "lag",
        help="how well lag is kept small",
        description="Simulate stalls and slow models on a virtual clock, with recorded speech on "
        "both sides and the real decisions; beside what other clients do.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    add = lag.add_argument
    add("--scenario", metavar="NAME", help="only one of: " + LAG_SCENARIOS)
    add("--policy", metavar="NAME", help="only one of: ours, none, web, cli")
    add("--svg", metavar="FILE", type=Path, help="draw lag over time")
    add("--json", metavar="FILE", type=Path, help="all figures")
    add("--seed", type=_count, metavar="N", help="other talks (default 1)")
    add("--quick", action="store_true", help="shorter, for a first look")
    add("--check", action="store_true", help="status 1 if a bar is missed")


def _add_checkpoint_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("checkpoint")
    add = group.add_argument
    add("--demo", action="store_true", help="a tiny built-in model that babbles: no download")
    add("-q", "--quant", type=int, choices=(4, 8), help="4 or 8 bits (without: bfloat16)")
    add("--voice", choices=("moshiko", "moshika"), help="male (default) or female")
    add("--hf-repo", metavar="OWNER/NAME", help="another repo on the Hugging Face hub")
    add("--revision", metavar="REV", help="its branch, tag or commit")
    add("--model-dir", metavar="DIR", type=Path, help="a folder with the files of such a repo")
    add("--moshi-weight", metavar="FILE", type=Path, help="the model's safetensors file")
    add("--mimi-weight", metavar="FILE", type=Path, help="the codec's safetensors file")
    add("--tokenizer", metavar="FILE", type=Path, help="the sentencepiece model")
    add("--lm-config", metavar="FILE", type=Path, help="the model's config.json")


def _add_sampling_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("sampling")
    add = group.add_argument
    add("--seed", type=_count, metavar="N", help="the same talk again (default: a fresh one)")
    add("--greedy", action="store_true", help="always the likeliest token")
    add("--text-temperature", type=_at_least_zero, metavar="T", help="default 0.7")
    add("--text-top-k", type=_count, metavar="K", help="default 25; 0 for all")
    add("--audio-temperature", type=_at_least_zero, metavar="T", help="default 0.8")
    add("--audio-top-k", type=_count, metavar="K", help="default 250; 0 for all")
    add(
        "--condition",
        dest="conditions",
        action="append",
        type=_pair,
        metavar="NAME=VALUE",
        help="for models with conditions, e.g. description=very_good",
    )


def _add_live_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("live sound")
    add = group.add_argument
    add("--headless", action="store_true", help="no screen: the transcript on stdout")
    add("--seconds", type=_positive, metavar="S", help="with --headless: end after so long")
    add("--input-device", metavar="NAME", help="microphone: number or part of its name")
    add("--output-device", metavar="NAME", help="speaker, likewise")
    add("--input", dest="input_file", metavar="FILE", type=Path, help="hear this file instead")
    add("--output", dest="output_file", metavar="FILE", type=Path, help="speak into this WAV file")


def _at_least_zero(text: str) -> float:
    value = _number(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: expected 0 or more")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: expected a number") from error


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: expected a number above 0")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 0xFFFFFFFF:
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number from 0 to 4294967295")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text}: expected NAME=VALUE")
    return name, value
