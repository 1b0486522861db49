"""The command line: settings from all layers, then the screen, a file, or another command.

Kept light: what is heavy (NumPy, MLX, Textual, PortAudio) is imported by the command that needs it,
so that `--help` and `--version` answer at once and on any machine. Commands that help to mend the
settings file don't read it.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from moshi_tui import paths
from moshi_tui.arguments import SPEED_ONLY, flags, parse, said
from moshi_tui.clean import clean
from moshi_tui.config import RecordingOptions, Settings
from moshi_tui.errors import MoshiTuiError, UsageError
from moshi_tui.settings.layers import Merged

if TYPE_CHECKING:
    from moshi_tui.session.desk import Desk
    from moshi_tui.session.engine import Engine
    from moshi_tui.session.events import Event
    from moshi_tui.ui.shell import Outcome

IGNORED = {
    "run": ("audio", "recording.record"),
    "bench": ("checkpoint", "sampling", "compute", "audio", "recording"),
    "replay": ("sampling", "compute", "audio.input", "recording"),
}
"""How the names of those settings begin that are nothing to a command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: done. 1: something failed, a check of `doctor` or `bench --check` among it, or the model says
    something else than it did (`replay --model`). 2: the words are wrong: an unknown option or
    name, a value that can't be, options that contradict each other (also a variable or the
    settings file). 130: interrupted. 141: whoever read our output has gone.
    """
    # NumPy's OpenBLAS spins on every core between its calls, which starves the other stages: on 2
    # cores `run --demo` went at 0.9 instead of 2.9 times real time. Must precede NumPy's import.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _mend_streams()
    return _leave(_run_command(argv))


def _run_command(argv: Sequence[str] | None) -> int:
    """Parse, check, run; every error that a person can meet ends as lines on stderr.

    A mistyped option raises SystemExit with status 2.
    """
    try:
        args = parse(argv)
        _refuse_ignored(args)
        if "config" in args:
            # As a variable, so that whoever asks `paths` later finds the same file.
            os.environ[paths.CONFIG_VARIABLE] = str(args.config.absolute())
        status = _command(args)(args)
        sys.stdout.flush()
    except MoshiTuiError as error:
        # It may name what stands in somebody else's file: only its own lines may be lines.
        print("moshi-tui:", "\n".join(map(clean, f"{error}".split("\n"))), file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
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


def _command(args: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "run": _run,
        "replay": _replay,
        "doctor": _doctor,
        "config": _config,
        "keys": _keys,
        "bench": _bench,
    }
    live = _headless if "headless" in args else _screen
    return commands.get(args.command, live)


def _screen(args: argparse.Namespace) -> int:
    settings = _load(args).settings
    _check_files(args, settings)
    from moshi_tui.recording.folder import check_recording
    from moshi_tui.session.trace import check_trace

    check_recording(settings)  # a full disk is better told before the screen is up
    check_trace(settings)
    _start_log(args)
    _require_terminal("Without a screen: moshi-tui --headless, or moshi-tui run.")
    _remember_theme(args)
    from moshi_tui.ui.app import run_app

    outcome = run_app(
        partial(_make_engine, settings),
        _make_desk,
        settings.screen,
        log=paths.log_file(),
        folder=settings.recording.record_folder,
        remember_theme=_remember,
    )
    _await_recordings()
    for recording in outcome.recorded:
        folder = clean(str(recording.folder))
        if recording.error is None:
            print(f"moshi-tui: recorded {recording.seconds:.0f} s: {folder}", file=sys.stderr)
        else:
            print(f"moshi-tui: {recording.error}", file=sys.stderr)
    return _ended(outcome)


def _await_recordings() -> None:
    """After hours of talk it takes a second or two until all files of a recording are there."""
    from moshi_tui.recording.recorder import COMPLETE_SECONDS, all_complete

    if not all_complete(1.0):
        print("moshi-tui: completing the recording (Ctrl-C leaves it as it is)", file=sys.stderr)
        all_complete(COMPLETE_SECONDS)


def _require_terminal(otherwise: str) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise MoshiTuiError(
            "No terminal",
            "the screen needs one for its keys (stdin) and its picture (stderr)",
            otherwise,
        )


def _ended(outcome: Outcome) -> int:
    """Say why the screen has ended, if it was a failure; returns the exit status."""
    if outcome.failure is not None:
        print(f"moshi-tui: {outcome.failure}", file=sys.stderr)
    return outcome.status


def _make_engine(settings: Settings, listener: Callable[[Event], None]) -> Engine:
    """On a thread of the app, once the first screen is painted: MLX and PortAudio take a while."""
    from moshi_tui.session.ends import check_ends, live_ends
    from moshi_tui.session.engine import Engine

    check_ends(settings)  # before minutes of loading
    return Engine(settings, listener, partial(live_ends, settings))


def _make_desk() -> Desk:
    from moshi_tui.session.desk import Desk

    return Desk()


def _remember(theme: str) -> None:
    from moshi_tui.settings.store import remember

    remember("screen", "theme", theme)


def _headless(args: argparse.Namespace) -> int:
    settings = _load(args).settings
    _check_files(args, settings)
    raw, record = settings.recording.record_raw, settings.recording.record
    if raw and not record and said(args, "recording.record_raw"):
        raise UsageError(
            "Nothing is recorded",
            "--record-raw is for a recording, which has no key here",
            "Add --record.",
        )
    _start_log(args)
    from moshi_tui.headless import talk

    return talk(settings, seconds=getattr(args, "seconds", None))


def _run(args: argparse.Namespace) -> int:
    merged = _load(args).settings
    # Nobody hears this talk or looks at it: what a file says about devices is not for it.
    recording = RecordingOptions(trace=merged.recording.trace)
    settings = Settings(merged.checkpoint, merged.sampling, merged.compute, recording=recording)
    _check_files(args, settings)
    _start_log(args)
    from moshi_tui.headless import answer_file

    return answer_file(
        settings, args.input, getattr(args, "output", None), getattr(args, "text", None)
    )


def _replay(args: argparse.Namespace) -> int:
    from moshi_tui.replay import command

    ways, playing = (
        [f"--{name.replace('_', '-')}" for name in names if name in args]
        for names in (command.WAYS, command.PLAYING)
    )
    sound, chosen = said(args, "audio."), said(args, "checkpoint.")
    command.refuse_contradictions(ways, [*sound, *said(args, "screen."), *playing], sound, chosen)
    if "render" in args:
        command.check_picture(args.render)
        _check_target(args.render)
        return command.draw(args.folder, args.render)
    if "rebuild" in args:
        return command.rebuild_files(args.folder)
    settings = _load(args).settings
    if "model" in args:
        _start_log(args)
        return command.run_model(args.folder, settings.checkpoint if chosen else None)
    return _replay_screen(args, settings)


def _replay_screen(args: argparse.Namespace, merged: Settings) -> int:
    from moshi_tui.recording.reader import Recording
    from moshi_tui.replay.command import Playing, make_player, spare_recording

    # Nobody speaks here: what a variable or a file says about a microphone is not for it.
    audio = replace(merged.audio, input_device=None, input_file=None)
    settings = Settings(audio=audio, recording=merged.recording, screen=merged.screen)
    _check_files(args, settings)
    recording = Recording(args.folder)  # left open: a thread that does not stop may read it
    if audio.output_file is not None:
        spare_recording(args.folder, audio.output_file)
    _start_log(args)
    _require_terminal("Without a screen: moshi-tui replay DIR --render talk.svg.")
    _remember_theme(args)
    from moshi_tui.ui.replaying import run_replay

    given = vars(args)
    playing = Playing("no_sound" not in args, given.get("speed", 1.0), given.get("from", 0.0))
    outcome = run_replay(
        partial(make_player, recording, settings, playing),
        settings.screen,
        title=args.folder.absolute().name,
        folder=settings.recording.record_folder or Path(),
        log=paths.log_file(),
        remember_theme=_remember,
    )
    return _ended(outcome)


def _doctor(args: argparse.Namespace) -> int:
    merged = _load(args)
    _start_log(args)
    from moshi_tui.doctor.command import run

    return run(
        merged.settings,
        as_json="json" in args,
        bench="no_bench" not in args,
        given=merged.given,
    )


def _config(args: argparse.Namespace) -> int:
    from moshi_tui.settings import command

    if args.part is None:
        args.print_help()
        return 0
    if args.part == "path":
        return command.print_path()
    if args.part == "show":
        return command.print_settings(partial(_load, args), "defaults" in args)
    return command.edit()


def _keys(args: argparse.Namespace) -> int:
    from moshi_tui.ui.keys import as_text

    print(as_text(), end="")
    return 0


def _bench(args: argparse.Namespace) -> int:
    given = vars(args)
    if given["bench"] == "lag":
        return _bench_lag(args)
    _start_log(args)
    from moshi_tui.bench.speed_command import speed
    from moshi_tui.bench.speed_plan import SpeedOptions

    names = SpeedOptions.__dataclass_fields__
    return speed(SpeedOptions(**{name: given[name] for name in names if name in given}))


def _bench_lag(args: argparse.Namespace) -> int:
    given = vars(args)
    ignored = [flag for name, flag in SPEED_ONLY.items() if name in given]
    if ignored:
        raise UsageError(
            "Contradicting options",
            f"{', '.join(ignored)}: `bench lag` runs no model",
            "Leave out `lag` to measure speed.",
        )
    _start_log(args)
    from moshi_tui.bench.command import LagOptions, lag

    return lag(LagOptions(**{k: given[k] for k in LagOptions.__dataclass_fields__ if k in given}))


_BUSY_THREADS = frozenset({"inference", "make"})


def _leave(status: int) -> int:
    """The exit status; ends the process at once if the engine is still inside a long model step,
    or still being made.

    Neither can be interrupted, and MLX aborts a process that exits meanwhile.
    """
    if not any(thread.name in _BUSY_THREADS for thread in threading.enumerate()):
        return status
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _load(args: argparse.Namespace) -> Merged:
    """All layers; a variable that nobody knows is told, not refused."""
    from moshi_tui.settings import environment
    from moshi_tui.settings.load import load

    for line in environment.unknown(os.environ):
        print(f"moshi-tui: {line}", file=sys.stderr)
    return load(flags(args))


def _remember_theme(args: argparse.Namespace) -> None:
    """`--theme` holds from now on; a file that can't be written is no reason not to talk."""
    theme = flags(args).get("screen.theme")
    if theme is None:
        return
    try:
        _remember(theme.value)
    except MoshiTuiError as error:
        print(f"moshi-tui: theme not remembered: {error.message}", file=sys.stderr)


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
            raise UsageError("Output is the input", f"{target}", "Name another file.")
        _check_target(target)
    if output is not None and text is not None and output.resolve() == text.resolve():
        raise UsageError("Two outputs in one file", f"{text}", "Name another file for --text.")
    if output is not None and output.suffix.lower() != ".wav":
        raise UsageError("Not a WAV file", f"--output {output}", "Name it like out.wav.")
    if audio.input_file is not None:
        from moshi_tui.audio.files import AudioReader

        AudioReader(audio.input_file).close()


def _check_target(target: Path) -> None:
    """Files are written beside their place and moved there: a device would be lost by that."""
    if target.is_dir():
        what = "is a folder"
    elif target.exists() and not target.is_file():
        what = "is no regular file"
    elif not target.parent.is_dir():
        what = "is in a folder that does not exist"
    else:
        return
    raise MoshiTuiError("Cannot write the output", f"{target} {what}", "Name a file.")


def _refuse_ignored(args: argparse.Namespace) -> None:
    """Options that the chosen way of running would ignore are refused."""
    ways = {
        "run": "moshi-tui run IN --output OUT.wav",
        "bench": "moshi-tui bench lag" if "bench" in args and args.bench else "moshi-tui bench",
        "replay": "moshi-tui replay DIR",
    }
    named = [f"--{name}" for name in ("headless", "seconds") if name in args]
    ignored = IGNORED.get(args.command, ())
    named += said(args, *ignored)
    if args.command is not None and named:
        raise UsageError(
            "Contradicting options",
            f"{', '.join(named)} before `{args.command}` is for a talk",
            f"Write: {ways.get(args.command, 'moshi-tui ' + args.command)}",
        )
    if "seconds" in args and "headless" not in args:
        raise UsageError(
            "Contradicting options", "--seconds goes with --headless", "Add --headless."
        )


def _start_log(args: argparse.Namespace) -> None:
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
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.propagate = False
    root.setLevel(logging.DEBUG if "verbose" in args else logging.INFO)
    logging.captureWarnings(True)
