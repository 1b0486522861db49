from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moshi_tui.doctor.child import Answer
from moshi_tui.doctor.python import (
    PACKAGES,
    Interpreter,
    check_packages,
    check_python,
    this_interpreter,
)
from tests.doctor.conftest import answer

GOOD = Interpreter((3, 12, 1), "Darwin", "arm64", translated=False)
VERSIONS = dict.fromkeys(PACKAGES.values(), "1.0")


def imported(**failed: tuple[str, str]) -> Answer:
    """All modules imported, but `failed` ones (module: kind and text of the error)."""
    lines: list[dict[str, Any]] = []
    for module in PACKAGES:
        kind, text = failed.get(module.replace(".", "_"), ("", None))
        lines += [{"importing": module}, {"module": module, "kind": kind, "failed": text}]
    return answer(*lines)


def packages(
    answer: Answer | None = None, system: str = "Linux", **versions: str
) -> tuple[str, str, str]:
    given = VERSIONS | {name.replace("_", "-"): version for name, version in versions.items()}
    [finding] = check_packages(system, given, lambda: answer or imported())
    return finding.verdict, finding.summary, finding.advice


def test_this_python_is_known() -> None:
    [finding] = check_python(this_interpreter())
    assert finding.summary.startswith("Python 3.")


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        ({}, "ok", "Python 3.12.1 on Darwin arm64"),
        ({"version": (3, 14, 0)}, "bad", "wheels for 3.10 to 3.13"),
        ({"version": (3, 9, 9)}, "bad", "wheels for 3.10 to 3.13"),
        ({"machine": "x86_64", "translated": True}, "bad", "Rosetta"),
        ({"machine": "x86_64"}, "bad", "Macs with Intel"),
        ({"system": "Linux", "machine": "x86_64"}, "ok", "Linux"),
        ({"system": "Windows", "machine": "AMD64"}, "careful", "made for macOS and Linux"),
    ],
)
def test_the_interpreter(change: dict[str, Any], verdict: str, words: str) -> None:
    [finding] = check_python(replace(GOOD, **change))
    assert finding.verdict == verdict
    assert words in finding.summary
    assert (finding.advice != "") == (verdict != "ok")


def test_all_packages_with_one_backend_are_fine() -> None:
    assert packages(mlx_cpu="1.0") == (
        "ok",
        f"all {len(PACKAGES)} import; MLX 1.0 with mlx-cpu",
        "",
    )
    assert packages(system="Darwin")[0] == "ok"


def test_mlx_without_a_backend_is_named() -> None:
    verdict, summary, advice = packages()
    assert (verdict, "no backend" in summary) == ("bad", True)
    assert "mlx[cuda13]" in advice


def test_two_backends_of_which_one_wins() -> None:
    verdict, summary, advice = packages(mlx_cpu="1.0", mlx_cuda_13="1.0")
    assert (verdict, "installed last" in summary) == ("careful", True)
    assert "pip uninstall -y mlx-cpu" in advice


def test_a_broken_wheel_is_named() -> None:
    broken = imported(rustymimi=("ImportError", "bad \x1b[31mABI"))
    verdict, summary, _ = packages(broken, mlx_cpu="1.0")
    assert (verdict, summary) == ("bad", "rustymimi can't be imported: ImportError: bad ABI")


def test_a_missing_package_is_named() -> None:
    missing = imported(textual=("ModuleNotFoundError", "No module named 'textual'"))
    versions = {name: "1.0" for name in VERSIONS if name != "textual"} | {"mlx-cpu": "1.0"}
    [finding] = check_packages("Linux", versions, lambda: missing)
    assert finding.summary == "textual is not installed"


def test_a_wheel_that_crashes_the_interpreter_is_named() -> None:
    crashed = answer(
        {"importing": "mlx.core"},
        {"module": "mlx.core", "kind": "", "failed": None},
        {"importing": "numpy"},
        error="It was ended by SIGILL.",
    )
    assert packages(crashed, mlx_cpu="1.0")[:2] == (
        "bad",
        "numpy can't be imported: It was ended by SIGILL.",
    )


def test_a_missing_portaudio_is_left_to_the_check_of_the_sound() -> None:
    without = imported(sounddevice=("OSError", "PortAudio library not found"))
    assert packages(without, mlx_cpu="1.0")[0] == "ok"


def test_every_dependency_is_looked_at() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    block = text.partition("\ndependencies = [")[2].partition("\n]")[0]
    lines = [line for line in block.splitlines() if "python_version" not in line]
    names = {found[1] for line in lines if (found := re.match(r'\s*"([\w-]+)', line))}
    assert names == set(PACKAGES.values())
