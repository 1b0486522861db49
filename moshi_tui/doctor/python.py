"""Python and the packages that the program is made of."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata

from moshi_tui.clean import clean
from moshi_tui.doctor.child import Answer, ask
from moshi_tui.doctor.findings import Finding

OLDEST, NEWEST = (3, 10), (3, 13)
IMPORT_SECONDS = 60.0

PACKAGES = {
    "mlx.core": "mlx",
    "numpy": "numpy",
    "rustymimi": "rustymimi",
    "sentencepiece": "sentencepiece",
    "safetensors": "safetensors",
    "huggingface_hub": "huggingface_hub",
    "sounddevice": "sounddevice",
    "soundfile": "soundfile",
    "textual": "textual",
    "resvg_py": "resvg-py",
    "platformdirs": "platformdirs",
    "tomlkit": "tomlkit",
}
"""What is imported, and the package that brings it. As pyproject.toml has them."""

BACKENDS = ("mlx-metal", "mlx-cuda-13", "mlx-cuda-12", "mlx-cpu")
"""Packages that bring MLX's library; on Linux `mlx` alone has none."""

TO_CUDA = "pip uninstall -y mlx-cpu && pip install --force-reinstall --no-deps mlx-cuda-13"
"""Both backends bring the same file, so the order matters."""


@dataclass(frozen=True)
class Interpreter:
    """The Python that runs this."""

    version: tuple[int, int, int]
    system: str
    """"Linux", "Darwin", "Windows"."""
    machine: str
    """"x86_64", "arm64", "aarch64"."""
    translated: bool
    """Whether Rosetta translates it: a Python for Intel on Apple silicon."""


def this_interpreter() -> Interpreter:
    """Ours."""
    system, machine = platform.system(), platform.machine()
    return Interpreter(
        version=sys.version_info[:3],
        system=system,
        machine=machine,
        translated=system == "Darwin" and machine == "x86_64" and _is_translated(),
    )


def _is_translated() -> bool:
    words = ["sysctl", "-in", "sysctl.proc_translated"]
    return subprocess.run(words, capture_output=True, timeout=5).stdout.strip() == b"1"


def check_python(found: Interpreter) -> list[Finding]:
    """Is it a Python for which everything has wheels?"""
    version = ".".join(map(str, found.version))
    summary = f"Python {version} on {found.system} {found.machine}"
    data = asdict(found) | {"version": version}
    oldest, newest = (".".join(map(str, each)) for each in (OLDEST, NEWEST))
    if not OLDEST <= found.version[:2] <= NEWEST:
        return [
            Finding(
                "python",
                "bad",
                f"{summary}: the codec has wheels for {oldest} to {newest} only",
                advice=f"Make the virtual environment with another one, e.g. python{newest}.",
                data=data,
            )
        ]
    if found.translated:
        return [
            Finding(
                "python",
                "bad",
                f"{summary}: made for Intel, translated by Rosetta, so MLX can't use the GPU",
                advice="Install a Python for Apple silicon (arm64): python.org's, or `brew install "
                f"python@{newest}` in a terminal that does not run under Rosetta.",
                data=data,
            )
        ]
    if found.system == "Darwin" and found.machine != "arm64":
        why, advice = (
            "MLX has no wheels for Macs with Intel",
            "Take an Apple silicon Mac, or Linux.",
        )
        return [Finding("python", "bad", f"{summary}: {why}", advice=advice, data=data)]
    if found.system not in ("Darwin", "Linux"):
        advice = "On Windows it runs inside WSL 2."
        why = "made for macOS and Linux"
        return [Finding("python", "careful", f"{summary}: {why}", advice=advice, data=data)]
    return [Finding("python", "ok", summary, data=data)]


def ask_imports() -> Answer:
    """Import all of `PACKAGES` in a process of its own."""
    return ask("imports", {"modules": list(PACKAGES)}, IMPORT_SECONDS)


def installed() -> dict[str, str]:
    """The versions of all installed packages that matter here."""
    found = {}
    for name in (*PACKAGES.values(), *BACKENDS):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def check_packages(
    system: str,
    versions: Mapping[str, str],
    imports: Callable[[], Answer] = ask_imports,
) -> list[Finding]:
    """Is every package there, and can it be imported?"""
    backends = [name for name in BACKENDS if name in versions]
    answer = imports()
    problems = _problems(answer, versions)
    data = {"versions": dict(versions), "backends": backends, "problems": problems}
    if system == "Linux" and not backends:
        return [
            Finding(
                "packages",
                "bad",
                "MLX has no backend: on Linux the package mlx alone brings no library",
                tuple(problems),
                "pip install 'mlx[cpu]', or with an NVIDIA GPU: pip install 'mlx[cuda13]'",
                data,
            )
        ]
    if problems:
        several = "" if len(problems) == 1 else f" (and {len(problems) - 1} more)"
        return [
            Finding(
                "packages",
                "bad",
                f"{problems[0]}{several}",
                tuple(problems[1:]),
                "Install the program once more, into a fresh virtual environment: pip install .",
                data,
            )
        ]
    words = f"all {len(PACKAGES)} import; MLX {versions.get('mlx', '?')}"
    words += f" with {', '.join(backends)}" if backends else ""
    if "mlx-cpu" in backends and len(backends) > 1:
        return [
            Finding(
                "packages",
                "careful",
                f"{words}: both bring the same file, and the one installed last is used",
                advice=f"For the GPU: {TO_CUDA}",
                data=data,
            )
        ]
    return [Finding("packages", "ok", words, data=data)]


def _problems(answer: Answer, versions: Mapping[str, str]) -> list[str]:
    told = {line["module"]: line for line in answer.lines if "module" in line}
    problems = []
    for module, package in PACKAGES.items():
        line = told.get(module)
        if line is None and answer.lines and answer.lines[-1].get("importing") == module:
            why = answer.error.message if answer.error else "no result"
            problems.append(f"{package} can't be imported: {clean(why)}")
        elif package not in versions and line is not None and line["failed"]:
            problems.append(f"{package} is not installed")
        elif line is not None and line["failed"] and not _is_portaudio(line):
            reason = clean(line["failed"].splitlines()[0] if line["failed"] else "")
            problems.append(f"{package} can't be imported: {line['kind']}: {reason}")
    if not told and not problems and answer.error is not None:
        problems.append(f"Python can't be started again: {clean(answer.error.message)}")
    return problems


def _is_portaudio(line: Mapping[str, object]) -> bool:
    """sounddevice is there but the library is not: the check of the sound says more."""
    return line["module"] == "sounddevice" and line["kind"] == "OSError"
