"""The grammar of the command line: commands and options, made from the tree in `config`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from moshi_tui import __version__, paths
from moshi_tui.clean import clean
from moshi_tui.config import OPTIONS, RUNNERS, SECTIONS, Option
from moshi_tui.errors import MoshiTuiError
from moshi_tui.parsing import (
    Parser,
    Switch,
    count,
    know_each_other,
    path,
    place,
    positive,
    reader,
    speed,
)
from moshi_tui.settings.layers import Given

DESCRIPTION = """Talk with Moshi, a speech model that listens and speaks at the same time,
running on your own machine. Without a command: the screen."""

EPILOG = """examples:
  moshi-tui --demo           try it: no download, no microphone needed
  moshi-tui doctor           what this machine can run, before you download
  moshi-tui --quant 4        talk with Moshi (5.2 GB, downloaded once)
  moshi-tui run in.wav --output out.wav --quant 4
  moshi-tui --headless --quant 4 | tee talk.txt
  moshi-tui --quant 4 --record
  moshi-tui replay moshi-20261123-120000

Whatever stands under checkpoint to screen above may also be set by a variable
(MOSHI_TUI_QUANT=4), which is weaker than an option, and all but --demo,
--input, --output and --trace in the settings file, which is weaker still.
MOSHI_TUI_CONFIG names another file, as --config does.

settings  {config}
log       {log}
"""

SPEED_ONLY = {
    "shape": "--shape",
    "quant": "--quant",
    "runner": "--runner",
    "against": "--against",
    "steps": "--steps",
    "limit_s": "--seconds",
    "no_codec": "--no-codec",
}
"""Options of `bench` that `bench lag` does not have: where argparse puts them, and their flags."""
LAG_SCENARIOS = "steady, stall, freeze, hiccups, slow, jitter, stall-sweep, freeze-sweep"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line (None: this process's); ends the process with a line if it is wrong.

    What the tree has stands in the namespace as `section.name`, if it was given: see `flags`.
    """
    return parser().parse_args(argv)


def flags(args: argparse.Namespace) -> dict[str, Given]:
    """The layer of the command line."""
    given = vars(args)
    layer = {}
    for option in OPTIONS:
        if option.key in given:
            value = given[option.key]
            if option.kind == "dict[str, str]":
                value = dict(value)
            layer[option.key] = Given(value, _origin(option))
    if given.get("greedy"):
        for key in ("sampling.text_temperature", "sampling.audio_temperature"):
            layer[key] = Given(0.0, "--greedy")
    return layer


def said(args: argparse.Namespace, *begins: str) -> list[str]:
    """The flags that were given of those settings whose keys begin so, e.g. "audio."."""
    return list(dict.fromkeys(e.origin for key, e in flags(args).items() if key.startswith(begins)))


def parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    top = Parser(
        prog="moshi-tui",
        usage="moshi-tui [options] [command]",
        description=DESCRIPTION,
        epilog=EPILOG.format(config=_config_words(), log=paths.shown(paths.log_file())).replace(
            "%", "%%"
        ),
    )
    commands = top.add_subparsers(
        dest="command", title="commands", metavar="", prog="moshi-tui", parser_class=Parser
    )
    top.set_defaults(command=None)
    _add_run(commands)
    _add_replay(commands)
    _add_doctor(commands)
    _add_config(commands)
    _add_keys(commands)
    _add_bench(commands)
    _add_settings(top, SECTIONS)
    other = top.add_argument_group("other")
    other.add_argument("--headless", action="store_true", help="no screen: the words on stdout")
    other.add_argument(
        "--seconds", type=positive, metavar="S", help="with --headless: end after so long"
    )
    _add_others(other)
    other.add_argument(
        "--version", action="version", version=f"moshi-tui {__version__}", help="print the version"
    )
    know_each_other(top)
    return top


def _config_words() -> str:
    """Where the settings file is; help is there whatever is wrong with its name."""
    try:
        return clean(paths.shown(paths.config_file()))
    except MoshiTuiError as error:
        return error.message


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        usage="moshi-tui run IN [options]",
        help="let Moshi answer a sound file, as fast as it can",
        description="Let Moshi answer a sound file, as fast as the machine can. The output is as\n"
        "long as the input and lies beside it in time.",
    )
    files = run.add_argument_group("files")
    add = files.add_argument
    add("input", metavar="IN", type=path, help="any sound file that libsndfile reads")
    add("-o", "--output", metavar="OUT.wav", type=path, help="Moshi's voice, 24 kHz mono")
    add("--text", metavar="OUT.txt", type=path, help="what Moshi says; else on stdout")
    _add_options(files, ("recording.trace",))
    _add_settings(run, ("checkpoint", "sampling", "compute"))
    _add_others(run.add_argument_group("other"))


def _add_replay(commands: Any) -> None:
    replay = commands.add_parser(
        "replay",
        usage="moshi-tui replay DIR [options]",
        help="play a recording, draw it, run the model on it",
        description="Play a recording again, on the same screen: space pauses, the arrows seek.\n"
        "Or do one of the things under `instead` with it.",
    )
    add = replay.add_argument_group("recording").add_argument
    add("folder", metavar="DIR", type=path, help="a folder that --record has made")
    add = replay.add_argument_group("instead").add_argument
    add("--render", metavar="OUT", type=path, help="draw it as one picture: talk.svg or talk.png")
    add("--model", action="store_true", help="run the model on it: does it say the same?")
    add("--rebuild", action="store_true", help="make the files again that follow from the others")
    playing = replay.add_argument_group("playing")
    add = playing.add_argument
    add("--from", metavar="TIME", type=place, help="begin there: seconds or MM:SS")
    add("--speed", metavar="X", type=speed, help="0.5 to 4 times as fast, at the same pitch")
    add("--no-sound", action="store_true", help="only show it")
    help = {
        "audio.output_device": "speaker: its number or part of its name",
        "audio.output_file": "play into this WAV file",
        "audio.volume_db": "how loud it is, -40 to 12 (default 0)",
    }
    _add_options(playing, help)
    _add_settings(replay, ("screen",))
    title = "checkpoint for --model (default: that which was recorded)"
    _add_settings(replay, {"checkpoint": title})
    _add_others(replay.add_argument_group("other"))


def _add_doctor(commands: Any) -> None:
    help = "check this machine before anything is downloaded"
    doctor = commands.add_parser(
        "doctor",
        usage="moshi-tui doctor [options]",
        help=help,
        description=f"{help.capitalize()}: wheels, memory, sound,\n"
        "disk, terminal, and whether the model would be fast enough.",
    )
    checks = doctor.add_argument_group("checks")
    checks.add_argument("--json", action="store_true", help="the findings for programs")
    checks.add_argument(
        "--no-bench",
        action="store_true",
        help="leave out timing model and codec (a minute on a slow CPU)",
    )
    _add_settings(doctor, ("checkpoint",))
    sound = doctor.add_argument_group(SECTIONS["audio"])
    _add_options(sound, ("audio.input_device", "audio.output_device"))
    _add_others(doctor.add_argument_group("other"))


def _add_config(commands: Any) -> None:
    config = commands.add_parser(
        "config",
        usage="moshi-tui config path|show|edit",
        help="the settings file: where it is, what holds, edit it",
        description="The settings file. What it says is weaker than an option or a variable.",
    )
    parts = config.add_subparsers(
        dest="part", title="commands", metavar="", prog="moshi-tui config", parser_class=Parser
    )
    config.set_defaults(part=None, print_help=config.print_help)
    for name, help in (
        ("path", "print where it is"),
        ("show", "print all settings and where each comes from"),
        ("edit", "open it in your editor ($VISUAL, $EDITOR), then check it"),
    ):
        part = parts.add_parser(
            name,
            usage=f"moshi-tui config {name} [options]",
            help=help,
            description=f"{help.capitalize()}.",
        )
        group = part.add_argument_group("other")
        if name == "show":
            group.add_argument("--defaults", action="store_true", help="a new file, to fill in")
        _add_config_option(group)
        _add_help(group)
    other = config.add_argument_group("other")
    _add_config_option(other)
    _add_help(other)


def _add_keys(commands: Any) -> None:
    help = "print the keys of the screen"
    keys = commands.add_parser(
        "keys", usage="moshi-tui keys", help=help, description=f"{help.capitalize()}."
    )
    _add_help(keys.add_argument_group("other"))


def _add_bench(commands: Any) -> None:
    bench = commands.add_parser(
        "bench",
        usage="moshi-tui bench [options] | bench lag [options]",
        help="measure how fast this machine is, before a download",
        description="Measure how fast a model runs on this machine: warm-up, a step at the start\n"
        "of a talk and with a full context, codec, memory. Its weights are random, so\n"
        "nothing is downloaded. `bench lag` measures how well lag is kept small.",
    )
    bench.set_defaults(bench=None)
    benches = bench.add_subparsers(
        dest="bench", title="commands", metavar="", prog="moshi-tui bench", parser_class=Parser
    )
    _add_bench_options(bench.add_argument_group("options"))
    lag = benches.add_parser(
        "lag",
        usage="moshi-tui bench lag [options]",
        help="how well lag is kept small: a simulation of a minute and a half",
        description="Simulate stalls and slow models on a virtual clock, with recorded speech on\n"
        "both sides and the real decisions; beside what other clients do.",
    )
    options = lag.add_argument_group("options")
    add = options.add_argument
    add("--scenario", metavar="NAME", help="only one of: " + LAG_SCENARIOS)
    add("--policy", metavar="NAME", help="only one of: ours, none, web, cli")
    add("--svg", metavar="FILE", type=path, help="draw lag over time")
    add("--json", metavar="FILE", type=path, help="all figures")
    add("--seed", type=count, metavar="N", help="other talks (default 1)")
    add("--quick", action="store_true", help="shorter, for a first look")
    add("--check", action="store_true", help="status 1 if a bar is missed")
    _add_help(options)


def _add_bench_options(options: argparse._ArgumentGroup) -> None:
    add = options.add_argument
    shapes = "of 7b, 2b, 1b, demo (default: what fits; on a CPU demo)"
    add("--shape", metavar="NAME", help=f"sizes of the model, one {shapes}")
    add(
        "--quant",
        metavar="BITS",
        help="4, 8 or bf16, which a CPU computes in float32 (default 4; demo: 8)",
    )
    runners = f"what computes the steps: {', '.join(RUNNERS)} (default: the fastest)"
    add("--runner", metavar="NAME", help=runners)
    add("--against", metavar="NAME", help="moshi_mlx: that too, in turns, on the same weights")
    add("--steps", type=count, metavar="N", help="steps at the start (default 500)")
    seconds = "end each measurement after so long (default 60)"
    add("--seconds", dest="limit_s", type=positive, metavar="S", help=seconds)
    add("--quick", action="store_true", help="fewer of all, for a first look")
    add("--no-codec", action="store_true", help="leave out the codec and the pipeline")
    add("--json", metavar="FILE", type=path, help="all figures")
    add("--seed", type=count, metavar="N", help="other weights (default 1)")
    add("--check", action="store_true", help="status 1 if a frame takes more than 80 ms")
    _add_help(options)


def _add_others(group: argparse._ArgumentGroup) -> None:
    _add_config_option(group)
    group.add_argument("--verbose", action="store_true", help="write more into the log")
    _add_help(group)


def _add_config_option(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--config", metavar="FILE", type=path, help="another settings file")


def _add_help(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-h", "--help", action="help", help="print this help")


def _add_settings(
    parser: argparse.ArgumentParser, sections: Sequence[str] | Mapping[str, str]
) -> None:
    titles = sections if isinstance(sections, Mapping) else SECTIONS
    for section in sections:
        group = parser.add_argument_group(titles[section])
        for option in OPTIONS:
            if option.section == section and option.flags:
                _add_option(group, option)
        if section == "sampling":
            group.add_argument("--greedy", action="store_true", help="both temperatures 0")


def _add_options(group: argparse._ArgumentGroup, keys: Sequence[str] | Mapping[str, str]) -> None:
    """Some of a section; with their help, if it is another one here."""
    for option in OPTIONS:
        if option.key in keys:
            _add_option(group, option, keys[option.key] if isinstance(keys, Mapping) else None)


def _add_option(group: argparse._ArgumentGroup, option: Option, help: str | None = None) -> None:
    about = option.about
    more: dict[str, Any] = {"dest": option.key, "help": help or about.help}
    if option.kind != "bool":
        more |= {"metavar": about.metavar, "type": reader(option)}
        if option.kind == "dict[str, str]":
            more["action"] = "append"
        group.add_argument(*option.flags, **more)
        return
    value_to = next((each for each in OPTIONS if each.name == about.value_to), None)
    group.add_argument(*option.flags, action=Switch, option=option, value_to=value_to, **more)
    if about.in_file:
        off = "--no-" + option.flags[-1].removeprefix("--")
        group.add_argument(
            off, dest=option.key, action="store_const", const=False, help=argparse.SUPPRESS
        )


def _origin(option: Option) -> str:
    """The flag that sets it."""
    if option.flags:
        return option.flags[-1]
    return next(each.flags[-1] for each in OPTIONS if each.about.value_to == option.name)
