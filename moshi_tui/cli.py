"""The command line: options to `Settings`, then the screen, a file, or live sound without a screen.

Kept light: what is heavy (NumPy, MLX, Textual, PortAudio) is imported by the command that needs it,
so that `--help` and `--version` answer at once and on any machine.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from moshi_tui import __version__, paths
from moshi_tui.config import AudioOptions, CheckpointOptions, SamplingOptions, Settings
from moshi_tui.errors import MoshiTuiError

DESCRIPTION = """Talk with Moshi, a speech model that listens and speaks at the same time, running
on your own machine. Without a command: the screen."""

EPILOG = """examples:
  moshi-tui --demo                     try it: no download, no microphone needed
  moshi-tui --quant 4                  talk with Moshi (4.8 GB, downloaded once)
  moshi-tui run in.wav --output out.wav --quant 4
  moshi-tui --headless --quant 4 | tee talk.txt
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    # NumPy's OpenBLAS spins on every core between its calls, which starves the other stages: on 2
    # cores `run --demo` went at 0.9 instead of 2.9 times real time. Must precede NumPy's import.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    args = _parser().parse_args(argv)
    try:
        settings = _settings(args)
        _start_log(getattr(args, "verbose", False))
        return _command(args)(args, settings)
    except MoshiTuiError as error:
        print(f"moshi-tui: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output has gone: not an error, but Python must not try to flush it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _command(args: argparse.Namespace) -> Callable[[argparse.Namespace, Settings], int]:
    if args.command == "run":
        return _run
    return _headless if getattr(args, "headless", False) else _screen


def _screen(args: argparse.Namespace, settings: Settings) -> int:
    from moshi_tui.ui.app import run_app
    from moshi_tui.ui.engine_port import EngineLike, Listener

    def make_engine(listener: Listener) -> EngineLike:
        # Imported once the first screen is painted: MLX and the codec take a while.
        from moshi_tui.session.ends import live_ends
        from moshi_tui.session.engine import Engine

        return Engine(settings, listener, partial(live_ends, settings))

    outcome = run_app(make_engine)
    if outcome.failure is not None:
        print(f"moshi-tui: {outcome.failure}", file=sys.stderr)
    return _leave(outcome.status, outcome.stopped)


def _headless(args: argparse.Namespace, settings: Settings) -> int:
    from moshi_tui.headless import talk

    return _leave(*talk(settings, seconds=getattr(args, "seconds", None)))


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from moshi_tui.headless import answer_file

    return _leave(
        *answer_file(
            settings, args.input, getattr(args, "output", None), getattr(args, "text", None)
        )
    )


def _leave(status: int, stopped: bool) -> int:
    """End the process even if a thread is still inside a long model step (see Engine.stop)."""
    if stopped:
        return status
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


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


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    _add_checkpoint_options(shared)
    _add_sampling_options(shared)
    shared.add_argument("--verbose", action="store_true", help="write more into the log")
    parser = argparse.ArgumentParser(
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
    return parser


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
    add("--seed", type=int, metavar="N", help="the same talk again (default: a fresh one)")
    add("--greedy", action="store_true", help="always the likeliest token")
    add("--text-temperature", type=_at_least_zero, metavar="T", help="default 0.7")
    add("--text-top-k", type=int, metavar="K", help="default 25; 0 for all")
    add("--audio-temperature", type=_at_least_zero, metavar="T", help="default 0.8")
    add("--audio-top-k", type=int, metavar="K", help="default 250; 0 for all")
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
    add("--seconds", type=float, metavar="S", help="with --headless: stop after so long")
    add("--input-device", metavar="NAME", help="microphone: number or part of its name")
    add("--output-device", metavar="NAME", help="speaker, likewise")
    add("--input", dest="input_file", metavar="FILE", type=Path, help="hear this file instead")
    add("--output", dest="output_file", metavar="FILE", type=Path, help="speak into this WAV file")


def _at_least_zero(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text}: expected 0 or more")
    return value


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text}: expected NAME=VALUE")
    return name, value
