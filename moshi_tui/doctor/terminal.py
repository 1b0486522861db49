"""What the terminal can do."""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from moshi_tui.clean import clean
from moshi_tui.doctor.findings import Finding, Verdict

COLUMNS, LINES = 80, 24
"""What the screen was drawn for; it can do with less."""
LEAST_COLUMNS, LEAST_LINES = 40, 12

REPEAT = "Whether held keys repeat can't be asked; where they don't, space toggles the microphone."


@dataclass(frozen=True)
class Terminal:
    """The terminal, as far as a program can know it."""

    interactive: bool
    """Whether keys come from a terminal and the picture goes to one."""
    size: tuple[int, int] | None
    """Columns and lines; None where it does not say."""
    encoding: str
    """Of text: "utf-8"."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The environment, as the terminal gave it."""


def this_terminal() -> Terminal:
    """Ours. The screen reads keys from stdin and paints on stderr."""
    interactive = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    size = os.get_terminal_size(2) if interactive else None
    # Some say 0x0: `docker run -t`, `script`.
    columns_and_lines = (size.columns, size.lines) if size and all(size) else None
    encoding = locale.getencoding() if sys.version_info >= (3, 11) else _preferred()
    return Terminal(interactive, columns_and_lines, encoding, as_started())


def as_started(kept: Path = Path("/proc/self/environ")) -> dict[str, str]:
    """The environment that this process was started with.

    Python itself adds LC_CTYPE=C.UTF-8 where the locale is C (PEP 538). Linux keeps what was there
    before; elsewhere it is what it is now.
    """
    try:
        pairs = os.fsdecode(kept.read_bytes()).split("\0")
    except OSError:
        return dict(os.environ)
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs) if name}


def _preferred() -> str:
    return locale.getpreferredencoding(False)


def check_terminal(found: Terminal) -> list[Finding]:
    """Can the screen be drawn, and how well?"""
    env = found.env
    term = clean(env.get("TERM", ""))
    colours = _colours(env)
    data = {
        **{key: value for key, value in asdict(found).items() if key != "env"},
        "term": term,
        "colours": colours,
        "utf8": _is_utf8(found),
    }
    if not found.interactive:
        return [
            Finding(
                "terminal",
                "careful",
                "none here: input or output is a pipe or a file",
                advice="The screen needs a terminal. Without one: moshi-tui --headless.",
                data=data,
            )
        ]
    if term in ("", "dumb"):
        return [
            Finding(
                "terminal",
                "bad",
                f"TERM={term or '(not set)'}: a screen can't be drawn here",
                advice="Use another terminal, or moshi-tui --headless.",
                data=data,
            )
        ]
    verdict, advice = _judge(found)
    size = "{}x{}".format(*found.size) if found.size else "size not known"
    summary = f"{size}, {term}, {colours}, {_letters(found)}"
    return [Finding("terminal", verdict, summary, _notes(env), advice, data)]


def _judge(found: Terminal) -> tuple[Verdict, str]:
    columns, lines = found.size or (COLUMNS, LINES)
    if not _is_utf8(found):
        return (
            "careful",
            "Bars and lines may be question marks: add --ascii, or set a UTF-8 LANG.",
        )
    if found.env.get("TERM") == "linux":
        return "careful", "The Linux console lacks most block characters: add --ascii."
    if columns < LEAST_COLUMNS or lines < LEAST_LINES:
        return "careful", f"Very small: {COLUMNS}x{LINES} or larger shows everything."
    if columns < COLUMNS or lines < LINES:
        return "ok", f"{COLUMNS}x{LINES} or larger shows everything at once."
    return "ok", ""


def _colours(env: Mapping[str, str]) -> str:
    if env.get("NO_COLOR"):
        return "no colours (NO_COLOR)"
    term = env.get("TERM", "")
    if env.get("COLORTERM", "") in ("truecolor", "24bit"):
        return "16 million colours"
    if "256" in term or "kitty" in term or "direct" in term:
        return "256 colours"
    return "16 colours"


def _locale(env: Mapping[str, str]) -> str:
    return env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or "C"


def _is_utf8(found: Terminal) -> bool:
    """By the locale that the person set: Python itself turns "C" into UTF-8."""
    named = _locale(found.env)
    if named in ("C", "POSIX"):
        return False
    if named == "UTF-8":  # as Macs have it
        return True
    if "." in named:
        return named.partition(".")[2].lower().replace("-", "").startswith("utf8")
    return found.encoding.lower().replace("-", "") == "utf8"


def _letters(found: Terminal) -> str:
    if _is_utf8(found):
        return "UTF-8"
    named = _locale(found.env)
    return f"locale {named}" if named in ("C", "POSIX") else clean(found.encoding)


def _notes(env: Mapping[str, str]) -> tuple[str, ...]:
    notes = []
    if env.get("TMUX"):
        notes.append("tmux: for all colours, set -as terminal-features ',*:RGB'")
    elif env.get("STY"):
        notes.append("GNU screen: 256 colours at most")
    if env.get("SSH_CONNECTION"):
        notes.append("ssh: microphone and speaker are those of this machine, not of yours")
    return (*notes, REPEAT)
