"""What a check has found."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from moshi_tui import paths
from moshi_tui.clean import clean
from moshi_tui.errors import MoshiTuiError

log = logging.getLogger(__name__)

Verdict = Literal["ok", "careful", "bad"]


@dataclass(frozen=True)
class Finding:
    """One line of the report, with what belongs to it."""

    check: str
    """What was looked at, in a word or two: "memory"."""
    verdict: Verdict
    summary: str
    """One line."""
    details: tuple[str, ...] = ()
    """More lines, for a table or a list."""
    advice: str = ""
    """What to do about it; may have several lines."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same in numbers, for `--json`."""


@dataclass(frozen=True)
class Check:
    """Something to look at."""

    name: str
    """What its finding is called if it can't be made."""
    doing: str
    """What to say while it takes time."""
    look: Callable[[], list[Finding]]


def findings_of(check: Check) -> list[Finding]:
    """Run a check. One that fails is a finding itself."""
    try:
        return check.look()
    except MoshiTuiError as error:
        log.exception("check %s", check.name)
        return [failed(check.name, error)]
    except Exception as error:
        log.exception("check %s", check.name)
        return [
            Finding(
                check.name,
                "careful",
                f"could not be checked: {clean(f'{type(error).__name__}: {error}')}",
                advice=f"The log says more: {paths.log_file()}",
            )
        ]


def failed(name: str, error: MoshiTuiError, verdict: Verdict = "bad") -> Finding:
    """An error as a finding."""
    lines = [clean(line) for line in error.message.splitlines()]
    return Finding(
        name,
        verdict,
        f"{error.title}: {lines[0] if lines else ''}".removesuffix(": "),
        tuple(lines[1:]),
        "\n".join(clean(line) for line in error.hint.splitlines()),
        {"error": error.title},
    )


def worst(findings: list[Finding]) -> Verdict:
    """The verdict on all of them."""
    verdicts = {finding.verdict for finding in findings}
    return "bad" if "bad" in verdicts else "careful" if "careful" in verdicts else "ok"


def gigabytes(count: float) -> str:
    """Bytes to read: "8.1 GB"."""
    return f"{count / 1e9:.1f} GB"
