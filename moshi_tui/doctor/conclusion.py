"""The last line: what works on this machine, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence

from moshi_tui.doctor.chosen import Chosen
from moshi_tui.doctor.findings import Finding

BASIC = ("python", "packages")
"""Without these nothing runs, not even the demo."""
MODEL = ("device", "memory", "checkpoint", "disk", "speed", "codec")
"""What the full model needs and the demo does not."""
LIVE = ("sound", "speaker", "microphone")


def conclude(findings: Sequence[Finding], chosen: Chosen) -> tuple[str, str]:
    """A sentence and the next command."""
    bad = {finding.check: finding for finding in findings if finding.verdict == "bad"}
    no_card = any(each.check == "sound" and each.verdict == "careful" for each in findings)
    timed = any(each.check == "speed" and "median_ms" in each.data for each in findings)
    slow = [name for name in ("speed", "codec") if name in bad]
    broken = [name for name in BASIC if name in bad]
    if broken:
        return f"Nothing runs yet: first mend {_listed(broken)}.", "moshi-tui doctor"
    if chosen.demo:
        return "The demo works here.", chosen.command()
    hindered = [name for name in MODEL if name in bad and name not in slow]
    if hindered:
        what = f"{chosen.label} does not work here yet ({_listed(hindered)}); the demo does."
        return what, chosen.command(demo=True)
    if slow:
        what = f"Too slow for a talk with {chosen.label} ({_listed(slow)}); the demo works, and "
        return f"{what}sound files can be answered: {chosen.run_command()}", chosen.command(
            demo=True
        )
    silent = [name for name in LIVE if name in bad]
    if silent:
        return f"{chosen.label} works here once {_listed(silent)} is mended.", chosen.command()
    if no_card:
        what = f"{chosen.label} works here, but without a sound card it can only answer files."
        return what, chosen.run_command()
    quick = "" if timed else ", if it is quick enough: that was not measured"
    return f"{chosen.label} works here{quick}.", chosen.command()


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
