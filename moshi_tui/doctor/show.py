"""Findings on a terminal, and as one JSON document."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from moshi_tui import __version__
from moshi_tui.doctor.findings import Finding, Verdict, worst

SCHEMA = 1
"""Version of the JSON document; raised when a key changes its meaning."""

WORDS: dict[Verdict, str] = {"ok": "OK", "careful": "CAREFUL", "bad": "PROBLEM"}
_COLOURS: dict[Verdict, str] = {"ok": "32", "careful": "33", "bad": "31"}

_VERDICT, _CHECK = 9, 12
_LEAST, _MOST = 50, 100
"""Columns: lines are wrapped to the terminal's width within these bounds."""


class Printer:
    """Writes findings as they come.

    Args:
        out: usually stdout.
        busy: where to say what is being done; a terminal, or None.
    """

    def __init__(self, out: TextIO, busy: TextIO | None) -> None:
        self._out, self._busy = out, busy
        self._colour = out.isatty() and not os.environ.get("NO_COLOR")
        self._arrow = "→" if can_write(out, "→") else "->"
        columns = shutil.get_terminal_size((80, 24)).columns if out.isatty() else 80
        self._width = min(max(columns, _LEAST), _MOST) - 1
        self._busy_length = 0

    def doing(self, what: str) -> None:
        """Say on the terminal's last line what is being done; "" for nothing any more."""
        if self._busy is None or not (what or self._busy_length):
            return
        text = f"{what} ..." if what else ""
        self._busy.write("\r" + text.ljust(self._busy_length) + ("" if text else "\r"))
        self._busy.flush()
        self._busy_length = len(text)

    def line(self, text: str = "") -> None:
        """A paragraph."""
        self.doing("")
        self._out.write("\n".join(textwrap.wrap(text, self._width)) + "\n")
        self._out.flush()

    def finding(self, finding: Finding) -> None:
        """Verdict, name and summary; below them details and advice."""
        self.doing("")
        indent = " " * (_VERDICT + _CHECK)
        lines = textwrap.wrap(finding.summary, self._width - len(indent)) or [""]
        for text in finding.details:
            lines += textwrap.wrap(
                text, self._width - len(indent), subsequent_indent="  ", break_on_hyphens=False
            )
        lines += self._advice(finding.advice.splitlines(), self._width - len(indent))
        word = WORDS[finding.verdict].ljust(_VERDICT)
        if self._colour:
            word = f"\x1b[{_COLOURS[finding.verdict]}m{word}\x1b[0m"
        self._out.write(f"{word}{finding.check.ljust(_CHECK)}{lines[0]}\n")
        self._out.writelines(f"{indent}{line}\n" for line in lines[1:])
        self._out.flush()

    def _advice(self, paragraphs: Sequence[str], width: int) -> list[str]:
        """Behind an arrow; a line that is indented is a command, to be copied in one piece."""
        lines: list[str] = []
        for i, text in enumerate(paragraphs):
            first = f"{self._arrow} " if i == 0 else " " * (len(self._arrow) + 1)
            if text.startswith("  "):
                lines.append(first + text)
                continue
            lines += textwrap.wrap(
                text,
                width,
                initial_indent=first,
                subsequent_indent=" " * len(first),
                break_on_hyphens=False,
                break_long_words=False,
            )
        return lines


def can_write(out: TextIO, text: str) -> bool:
    """Whether the stream's encoding has these characters."""
    try:
        text.encode(out.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def busy_stream() -> TextIO | None:
    """stderr, if it is a terminal."""
    return sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None


def document(findings: Sequence[Finding], checked_for: str, conclusion: str, command: str) -> str:
    """All of it as JSON."""
    content = {
        "schema": SCHEMA,
        "program": "moshi-tui",
        "version": __version__,
        "checked_for": checked_for,
        "verdict": worst(list(findings)),
        "conclusion": conclusion,
        "next_command": command,
        "findings": [
            {
                "check": finding.check,
                "verdict": finding.verdict,
                "summary": finding.summary,
                "details": list(finding.details),
                "advice": finding.advice,
                "data": _plain(finding.data),
            }
            for finding in findings
        ],
    }
    return json.dumps(content, indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    """Without what JSON does not have: infinities and "not a number" are null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
