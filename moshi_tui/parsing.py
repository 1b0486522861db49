"""How the command line is read: argparse, taught to say one line that helps."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from moshi_tui.clean import clean
from moshi_tui.config import LARGEST_COUNT, Option
from moshi_tui.settings.nearest import did_you_mean
from moshi_tui.settings.values import BadValueError, from_text, pair

WIDEST = 98
"""Columns of help on a wide terminal: longer lines are hard to read."""


class Switch(argparse.Action):
    """Turns a truth value on; its flag may take a value, which goes to another field."""

    def __init__(self, *, option: Option, value_to: Option | None, **more: Any) -> None:
        self.can_be_off = option.about.in_file
        self._value_to = value_to
        if value_to is None:
            more["nargs"] = 0
        else:
            more |= {"nargs": "?", "type": reader(value_to), "metavar": option.about.metavar}
        super().__init__(**more)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """As argparse wants it."""
        setattr(namespace, self.dest, True)
        if self._value_to is not None and values is not None:
            setattr(namespace, self._value_to.key, values)


class Formatter(argparse.RawDescriptionHelpFormatter):
    """One line an option where 80 columns allow it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)
        self._width = min(self._width, WIDEST)

    def _format_action(self, action: argparse.Action) -> str:
        """The commands stand under their heading as options do."""
        if isinstance(action, argparse._SubParsersAction):
            return "".join(self._format_action(each) for each in action._get_subactions())
        return super()._format_action(action)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """`-q, --quant BITS` instead of `-q BITS, --quant BITS`; `--[no-]ascii`."""
        if not action.option_strings:
            return super()._format_action_invocation(action)
        names = ", ".join(action.option_strings)
        if isinstance(action, Switch) and action.can_be_off:
            names = names.replace("--", "--[no-]")
        if action.nargs == 0:
            return names
        return f"{names} {self._format_args(action, action.metavar or '')}"  # type: ignore[arg-type]


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and where help is."""

    of_others: frozenset[str] = frozenset()
    """Options of other commands: who gives them has not mistyped them."""

    def __init__(self, **more: Any) -> None:
        super().__init__(
            **{
                "formatter_class": Formatter,
                "argument_default": argparse.SUPPRESS,
                "allow_abbrev": False,
                "add_help": False,
                **more,
            }
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As the base class, but a mistyped option is found before its value is taken for more."""
        known = _all_options(self)
        words = list(sys.argv[1:] if args is None else args)
        if "--" in words:
            words = words[: words.index("--")]
        for word in words:
            name = word.partition("=")[0]
            if name in self.of_others and name not in known:
                self.error(f"{name} is no option of {self.prog.rpartition(' ')[2]}")
            if name.startswith("--") and name not in known:
                self.error(f"no option {clean(name)}{did_you_mean(name, known)}")
        self._refuse_command_as_value(words)
        return super().parse_known_args(args, namespace)

    def _refuse_command_as_value(self, words: Sequence[str]) -> None:
        """`--record doctor` would start a talk, and record it into a folder of that name."""
        commands = [
            name
            for action in self._actions
            if isinstance(action, argparse._SubParsersAction)
            for name in action.choices
        ]
        for word, value in pairwise(words):
            action = self._option_string_actions.get(word)
            if isinstance(action, Switch) and action.nargs == "?" and value in commands:
                self.error(
                    f"{word} {value}: {value} is a command; for a folder write {word}=./{value}, "
                    f"for the command leave {word} out"
                )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As the base class, but a mistyped command gets the nearest."""
        if isinstance(action.choices, dict) and value not in action.choices:
            near = did_you_mean(value, action.choices)
            self.error(
                f"no command {clean(value)}{near or '; there are ' + ', '.join(action.choices)}"
            )
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"moshi-tui: {message}\nSee {self.prog} --help\n")


def know_each_other(parser: argparse.ArgumentParser) -> None:
    """Tell each command of this one which options there are elsewhere."""
    options = frozenset(_all_options(parser))
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                command.of_others = options


def _all_options(parser: argparse.ArgumentParser) -> set[str]:
    """Those of a command and of the commands below it."""
    known = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for command in action.choices.values():
                known |= _all_options(command)
    return known


def reader(option: Option) -> Callable[[str], Any]:
    """Reads a value of the option, for argparse."""
    read = pair if option.kind == "dict[str, str]" else from_text

    def value(text: str) -> Any:
        try:
            return read(option, text)
        except BadValueError as error:
            raise argparse.ArgumentTypeError(f"{clean(text)}: expected {error}") from None

    return value


def path(text: str) -> Path:
    """`--option=~/file` is not expanded by every shell."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(
            f"{clean(text)}: expected a path of a person who has a home folder"
        ) from None


def positive(text: str) -> float:
    """A number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{clean(text)}: expected a number above 0")
    return value


def count(text: str) -> int:
    """A whole number, for argparse."""
    if not re.fullmatch(r"\d{1,10}", text) or int(text) > LARGEST_COUNT:
        raise argparse.ArgumentTypeError(
            f"{clean(text)}: expected a whole number from 0 to {LARGEST_COUNT}"
        )
    return int(text)


def speed(text: str) -> float:
    """How fast to play, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.5 <= value <= 4:
        raise argparse.ArgumentTypeError(f"{clean(text)}: expected a number from 0.5 to 4")
    return value


def place(text: str) -> float:
    """A place in a recording, in seconds, for argparse: "90", "1:30" or "0:01:30.0"."""
    found = re.fullmatch(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,6}(?:\.\d{0,6})?)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{clean(text)}: expected seconds or MM:SS")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
