from __future__ import annotations

from pathlib import Path

import pytest

from moshi_tui.checkpoint import Plan, PlannedFile
from moshi_tui.config import CheckpointOptions, Settings
from moshi_tui.doctor import files
from moshi_tui.doctor.chosen import choose
from moshi_tui.doctor.files import check_files
from moshi_tui.doctor.findings import Finding
from moshi_tui.errors import MoshiTuiError
from tests.doctor.conftest import GB

CHOSEN = choose(Settings())
MODEL = PlannedFile("model.q4.safetensors", "kyutai/moshiko-mlx-q4", 5 * GB, GB, cached=False)
MIMI = PlannedFile("mimi.safetensors", "", 400_000_000, 400_000_000, cached=True)


def look(*planned: PlannedFile, free: int = 100 * GB) -> dict[str, Finding]:
    plan = Plan(planned, "moshiko", Path("/cache"), "https://hub")
    found = check_files(CHOSEN, lambda _: plan, lambda _: free)
    return {finding.check: finding for finding in found}


def test_what_is_there_and_what_is_not() -> None:
    found = look(MODEL, MIMI)
    checkpoint = found["checkpoint"]
    assert checkpoint.verdict == "ok"
    assert checkpoint.summary == "moshiko: 4.0 GB in 1 file still to be fetched, at the first start"
    assert checkpoint.details == (
        "model.q4.safetensors: 5.0 GB, 1.0 GB of it here",
        "mimi.safetensors: 0.4 GB, here",
        "from https://hub to /cache",
    )
    assert found["disk"].summary == "100.0 GB free, 4.0 GB needed"
    assert checkpoint.data["to_fetch_bytes"] == 4 * GB


def test_a_complete_cache_needs_no_disk() -> None:
    found = look(MIMI, free=1000)
    assert found["checkpoint"].summary == "moshiko: all of it is here"
    assert found["disk"].verdict == "ok"


@pytest.mark.parametrize(
    ("free", "verdict"), [(4 * GB, "bad"), (5 * GB, "careful"), (7 * GB, "ok")]
)
def test_the_disk_must_hold_it(free: int, verdict: str) -> None:
    assert look(MODEL, free=free)["disk"].verdict == verdict


def test_an_unknown_size_is_said() -> None:
    unknown = PlannedFile("model.safetensors", "a/b", None, 0, cached=False)
    found = look(unknown)
    assert "an unknown size" in found["checkpoint"].summary
    assert found["disk"].verdict == "ok"
    assert look(unknown, free=5 * GB)["disk"].verdict == "careful"


def test_no_network_is_told_in_the_words_of_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def offline(options: CheckpointOptions) -> Plan:
        raise MoshiTuiError("Offline", "HF_HUB_OFFLINE is set.", "Unset it.")

    finding, disk = check_files(CHOSEN, offline, lambda _: 9 * GB)
    assert (disk.verdict, disk.summary) == ("ok", "9.0 GB free, about 5.2 GB needed")
    assert (finding.verdict, finding.summary) == ("bad", "Offline: HF_HUB_OFFLINE is set.")
    assert finding.details == ("HF_HUB_OFFLINE=1",)
    assert finding.advice == "Unset it."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (CheckpointOptions(quant=8), "about 8.6 GB needed"),
        (CheckpointOptions(hf_repo="kyutai/moshika-mlx-bf16"), "about 15.8 GB needed"),
        (CheckpointOptions(hf_repo="someone/else"), "what is needed is not known"),
        (CheckpointOptions(model_dir=Path("/m")), "what is needed is not known"),
    ],
)
def test_sizes_of_kyutais_repos_are_known_without_the_hub(
    options: CheckpointOptions, said: str
) -> None:
    def offline(options: CheckpointOptions) -> Plan:
        raise MoshiTuiError("Offline", "x")

    asked = choose(Settings(options))
    _, disk = check_files(asked, offline, lambda _: 99 * GB)
    assert (disk.verdict, said in disk.summary) == ("ok", True)
    _, disk = check_files(asked, offline, lambda _: GB)
    assert disk.verdict == "careful"


def test_a_hub_that_lets_us_wait_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ASK_SECONDS", -1.0)
    with pytest.raises(MoshiTuiError, match="has not answered"):
        files.plan_in_time(CheckpointOptions(quant=4))


def test_the_demo_downloads_nothing() -> None:
    demo = choose(Settings(CheckpointOptions(demo=True)))
    (checkpoint,) = check_files(demo)
    assert checkpoint.verdict == "ok"
    assert "Pocket Moshi" in checkpoint.summary
    assert "nothing to download" in checkpoint.summary


def test_damaged_files_of_the_demo_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moshi_tui.demo.checkpoint.FOLDER", tmp_path)
    (checkpoint,) = check_files(choose(Settings(CheckpointOptions(demo=True))))
    assert checkpoint.verdict == "bad"
    assert "Install moshi-tui again" in checkpoint.advice
