"""The last lines: what works on this machine, and what to type next.

They agree with the findings: whatever is bad is named, and the command gets by without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from moshi_tui.checkpoint import size_words, usual_bytes
from moshi_tui.doctor.chosen import Chosen
from moshi_tui.doctor.findings import Finding, gigabytes
from moshi_tui.doctor.sound import NO_PORTAUDIO

BASIC = ("python", "packages")
"""Without these nothing runs, not even the demo."""
MODEL = ("device", "memory", "checkpoint", "disk")
SPEED = ("speed", "codec")
DEMO_SPEED = "demo speed"
LIVE = ("sound", "speaker", "microphone")

Bad = Mapping[str, Finding]


def conclude(findings: Sequence[Finding], chosen: Chosen) -> tuple[str, str]:
    """A sentence or two, and the next command."""
    bad = {finding.check: finding for finding in findings if finding.verdict == "bad"}
    broken = [name for name in BASIC if name in bad]
    if broken:
        return f"Nothing runs yet: first mend {_listed(broken)}.", "moshi-tui doctor"
    if chosen.demo:
        return _demo(bad, chosen)
    hindered = [name for name in MODEL if name in bad]
    slow = [name for name in SPEED if name in bad]
    if hindered or slow:
        return _instead(bad, chosen, hindered, slow)
    what, command = _full(findings, bad, chosen)
    return what + _bare_default(findings, chosen), command


def _demo(bad: Bad, chosen: Chosen) -> tuple[str, str]:
    if "speed" in bad:
        return "The demo is too slow for a talk here; it can answer files.", chosen.run_command()
    live = _live(bad, chosen, demo=True)
    hindered = [name for name in MODEL if name in bad]
    if hindered:
        live = replace(live, mend=(*hindered, *live.mend))
        return f"The demo works here{live.words}.", chosen.doctor_command()
    return f"The demo works here{live.words}.", live.command


def _instead(
    bad: Bad, chosen: Chosen, hindered: Sequence[str], slow: Sequence[str]
) -> tuple[str, str]:
    """The model does not do, so what does?"""
    live = _live(bad, chosen, demo=True)
    works = f"the demo works{live.words}"
    command = live.command
    if DEMO_SPEED in bad:
        works, command = "the demo is too slow as well", chosen.run_command(demo=True)
    if hindered:
        what = f"{chosen.label} does not work here yet ({_listed(hindered)}); {works}."
        return what, command
    files = f"sound files can be answered: {chosen.run_command()}"
    what = f"Too slow for a talk with {chosen.label} ({_listed(slow)}); {works}, and {files}"
    return what, command


def _full(findings: Sequence[Finding], bad: Bad, chosen: Chosen) -> tuple[str, str]:
    """The chosen model does, so what of the rest?"""
    if any(each.check == "sound" and each.verdict == "careful" for each in findings):
        what = f"{chosen.label} works here, but without a sound card it can only answer files."
        return what, chosen.run_command()
    live = _live(bad, chosen, demo=False)
    timed = any(each.check == "speed" and "median_ms" in each.data for each in findings)
    quick = "" if timed else ", if it is quick enough: that was not measured"
    until = " Until then it can answer files." if "sound" in live.mend else ""
    return f"{chosen.label} works here{live.words}{quick}.{until}", live.command


@dataclass(frozen=True)
class _Live:
    """What stands between a model that works and a talk with it."""

    without: tuple[str, ...]
    """What it has to do without."""
    mend: tuple[str, ...]
    """What has to be mended first."""
    command: str
    """What works even now."""

    @property
    def words(self) -> str:
        """To be said behind "works here"."""
        verb = "is" if len(self.mend) == 1 else "are"
        without = f" without {_listed(self.without)}" if self.without else ""
        return without + (f" once {_listed(self.mend)} {verb} mended" if self.mend else "")


def _live(bad: Bad, chosen: Chosen, *, demo: bool) -> _Live:
    in_bad = {name: bad[name].data for name in LIVE if name in bad}
    options = {str(data["option"]) for data in in_bad.values() if "option" in data}
    without = [chosen.device_words(option) for option in sorted(options)]
    mend = [name for name, data in in_bad.items() if "option" not in data]
    if demo and in_bad.get("sound", {}).get("error") == NO_PORTAUDIO:
        without.append("sound")
        mend.remove("sound")
    if "terminal" in bad:
        without.append("the screen")
    if "sound" in mend:  # whoever asks for a device may wait for ever
        command = chosen.run_command(demo=demo)
    else:
        command = chosen.command(demo=demo, without=options, headless="terminal" in bad)
    return _Live(tuple(without), tuple(mend), command)


def _bare_default(findings: Sequence[Finding], chosen: Chosen) -> str:
    """What `moshi-tui` alone would take, where the doctor has looked at something smaller."""
    if not chosen.suggested:
        return ""
    options = replace(chosen.settings.checkpoint, quant=None)
    needs = [f"{size_words(usual_bytes(options) or 0)} of files"]
    memory = next((each.data for each in findings if each.check == "memory"), {})
    fits = ""
    if "need_bytes" in memory:
        needs.append(f"{gigabytes(memory['need_bytes']['bf16'])} of memory")
        fits = ", which fits" if memory["fits"]["bf16"] else ", which does not fit here"
    flag = f"--quant {chosen.bits}"
    return f" That is with {flag}: moshi-tui alone takes bf16, {' and '.join(needs)}{fits}."


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
