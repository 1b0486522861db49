from __future__ import annotations

import re
from pathlib import Path

import pytest

from moshi_tui.config import CheckpointOptions, Settings
from moshi_tui.doctor.chosen import Chosen, choose
from moshi_tui.doctor.machine import check_device, check_memory
from moshi_tui.ram import Ram
from moshi_tui.settings.layers import Given
from tests.doctor.conftest import GB, machine

LARGE = Ram(64 * GB, 60 * GB, limited=False)
NOWHERE = Path("/nowhere")


def chosen(quant: int | None = 4, **more: bool) -> Chosen:
    given = {"checkpoint.quant": Given(quant, "--quant")}
    return choose(Settings(CheckpointOptions(quant=quant, **more)), given)


def mac(memory: float, working_set: float) -> dict[str, object]:
    return machine("Metal", name="Apple M3", memory=memory, working_set=working_set)


def test_a_gpu_is_fine_and_named() -> None:
    finding = check_device(mac(16, 11), chosen(), NOWHERE)
    assert (finding.verdict, finding.summary) == ("ok", "Apple M3 (Metal)")


def test_a_cpu_is_doubtful_but_enough_for_the_demo(tmp_path: Path) -> None:
    cpu = machine("CPU", name="CPU (EPYC)")
    assert check_device(cpu, chosen(), NOWHERE).verdict == "careful"
    assert check_device(cpu, chosen(None, demo=True), NOWHERE).verdict == "ok"
    (tmp_path / "version").touch()
    finding = check_device(cpu, chosen(), tmp_path / "version")
    assert finding.verdict == "bad"
    assert "mlx-cuda-13" in finding.advice


@pytest.mark.parametrize(
    ("memory", "working_set", "fits"),
    [
        (8.6, 5.7, "bad bad bad"),
        (17.2, 11.5, "ok careful bad"),
        (25.8, 17.2, "ok ok bad"),
        (34.4, 22.9, "ok ok ok"),
    ],
)
def test_macs_as_the_readme_has_them(memory: float, working_set: float, fits: str) -> None:
    verdicts = [
        check_memory(mac(memory, working_set), LARGE, chosen(quant)).verdict
        for quant in (4, 8, None)
    ]
    assert verdicts == fits.split()


@pytest.mark.parametrize(
    ("free", "fits"), [(6, ""), (9.5, "q4"), (13.5, "q4 q8"), (20, "q4 q8"), (23.5, "q4 q8 bf16")]
)
def test_cards_as_the_readme_has_them(free: float, fits: str) -> None:
    card = machine("CUDA", memory=24, free=free)
    finding = check_memory(card, LARGE, chosen())
    assert [label for label, yes in finding.data["fits"].items() if yes] == fits.split()


def test_the_readme_and_the_doctor_say_the_same_of_memory() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    said = re.findall(r"^\| .* GB \| about (\d+) GB \|", readme, re.MULTILINE)
    finding = check_memory(mac(34.4, 22.9), LARGE, chosen())
    assert said == [f"{need / GB:.0f}" for need in finding.data["need_bytes"].values()]
    [of_cpu] = re.findall(r"(\d+), (\d+) and (\d+) GB in all", readme)
    needs = check_memory(machine("CPU"), LARGE, chosen()).data["need_bytes"]
    assert list(of_cpu) == [f"{need / GB:.0f}" for need in needs.values()]


def test_what_does_not_fit_names_the_next_smaller_one() -> None:
    finding = check_memory(mac(25.8, 17.2), LARGE, chosen(None))
    assert finding.verdict == "bad"
    assert finding.advice == "Take --quant 8."
    assert finding.details[2].startswith("bf16  19.5 GB  does not fit: ")
    assert check_memory(mac(8, 5), LARGE, chosen()).advice == "Close other programs."


def test_what_a_model_needs_is_told_in_parts() -> None:
    *_, parts = check_memory(mac(16, 11), LARGE, chosen()).details
    assert parts == (
        "q4: weights 4.8 GB, context 1.6 GB, MLX's reserve 0.5 GB, codec 1.7 GB, program 0.3 GB"
    )
    *_, parts, why = check_memory(machine("CPU"), LARGE, chosen()).details
    assert parts.startswith("q4: weights 5.8 GB, context 3.1 GB")
    assert why.startswith("on a CPU all is computed in float32")
    [parts] = check_memory(machine("CUDA", memory=24, free=20), LARGE, chosen()).details[3:]
    assert parts.endswith("CUDA 0.8 GB")
    bf16 = check_memory(machine("CUDA", memory=24, free=23), LARGE, chosen(None)).details[3]
    assert "for a moment, to lay weights together 4.3 GB" in bf16


def test_little_room_is_said() -> None:
    tight = Ram(16 * GB, round(11.9 * GB), limited=False)
    finding = check_memory(machine("CPU"), tight, chosen())
    assert (finding.verdict, "just fits" in finding.summary) == ("careful", True)


def test_the_demo_needs_next_to_nothing() -> None:
    small = Ram(2 * GB, GB, limited=False)
    assert check_memory(machine("CPU"), small, chosen(None, demo=True)).verdict == "ok"
