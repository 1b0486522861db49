from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from moshi_tui.checkpoint import Cancelled
from moshi_tui.config import CheckpointOptions, ComputeOptions, SamplingOptions, Settings
from moshi_tui.demo.checkpoint import demo_config, demo_folder
from moshi_tui.errors import MoshiTuiError
from moshi_tui.recording.weights import describe_weights
from moshi_tui.session.events import Loading
from moshi_tui.session.loading import load_parts
from tests.checkpoint import hub_server

REPO = "owner/small"


@cache
def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    for hub in hub_server.serve(tmp_path, monkeypatch):
        hub.add(REPO, contents(demo_folder()))
        yield hub


def test_loading_tells_files_weights_and_steps(server: hub_server.Hub) -> None:
    told: list[Loading] = []
    settings = Settings(CheckpointOptions(hf_repo=REPO))
    parts = load_parts(settings, told.append, lambda: False)
    assert list(dict.fromkeys(event.stage for event in told)) == list(Loading.STAGES[:-1])
    downloads = [event.download for event in told if event.download is not None]
    sizes = {file.name: file.total for file in downloads[-1].files}
    paths = (parts.files.moshi, parts.files.mimi, parts.files.tokenizer)
    assert sizes == {path.name: path.stat().st_size for path in paths}
    assert all(file.done == file.total for file in downloads[-1].files)
    weights = [event for event in told if event.stage == "weights"]
    assert weights[-1].fraction == 1.0
    assert weights[-1].detail.startswith("model.q8.safetensors, ")
    warm_up = [event.detail for event in told if event.stage == "warm-up"]
    assert warm_up[1] == "step 1 of 1"
    assert parts.runner == "numpy"
    assert parts.host_bytes == parts.generator.host_bytes > 0
    assert all(event.download is None for event in told if event.stage != "files")
    # What the checkpoint suggests, and the defaults.
    suggested = demo_config().get("lm_gen_config", {})
    assert parts.sampling == {
        "text_temperature": suggested.get("temp_text", 0.7),
        "text_top_k": suggested.get("top_k_text", 25),
        "audio_temperature": suggested.get("temp", 0.8),
        "audio_top_k": suggested.get("top_k", 250),
    }
    assert parts.weights == describe_weights(parts.files.moshi)


def sampled(folder: Path, sampling: SamplingOptions) -> dict[str, float]:
    settings = Settings(CheckpointOptions(model_dir=folder), sampling=sampling)
    return load_parts(settings, lambda _: None, lambda: False).sampling


def test_what_the_checkpoint_suggests_is_taken_but_options_win(tmp_path: Path) -> None:
    for path in demo_folder().iterdir():
        (tmp_path / path.name).symlink_to(path)
    suggested = {"temp": 0.5, "temp_text": 0.25, "top_k": 30, "top_k_text": 7}
    config = tmp_path / "config.json"
    config.unlink()
    config.write_text(json.dumps({**demo_config(), "lm_gen_config": suggested}))
    assert sampled(tmp_path, SamplingOptions()) == {
        "text_temperature": 0.25,
        "text_top_k": 7,
        "audio_temperature": 0.5,
        "audio_top_k": 30,
    }
    chosen = SamplingOptions(
        text_temperature=0.1, text_top_k=3, audio_temperature=0.2, audio_top_k=4
    )
    assert sampled(tmp_path, chosen) == {
        "text_temperature": 0.1,
        "text_top_k": 3,
        "audio_temperature": 0.2,
        "audio_top_k": 4,
    }


def test_the_runner_can_be_chosen() -> None:
    settings = Settings(CheckpointOptions(demo=True), compute=ComputeOptions(runner="mlx"))
    parts = load_parts(settings, lambda _: None, lambda: False)
    assert (parts.runner, parts.host_bytes) == ("mlx", 0)


def test_a_runner_that_cannot_run_here_is_refused_before_anything_is_loaded() -> None:
    settings = Settings(CheckpointOptions(demo=True), compute=ComputeOptions(runner="kernel"))
    told: list[Loading] = []
    with pytest.raises(MoshiTuiError, match="The kernel can't run here") as caught:
        load_parts(settings, told.append, lambda: False)
    assert "--runner auto" in caught.value.hint
    assert not told


def test_what_is_cached_is_no_download(server: hub_server.Hub) -> None:
    settings = Settings(CheckpointOptions(hf_repo=REPO))
    load_parts(settings, lambda _: None, lambda: False)
    told: list[Loading] = []
    load_parts(settings, told.append, lambda: False)
    assert [event.detail for event in told if event.stage == "files"] == [
        "Looking for the checkpoint"
    ]


def test_quitting_ends_the_download(server: hub_server.Hub) -> None:
    server.hold_at = hub_server.BLOCK
    told: list[Loading] = []
    with pytest.raises(Cancelled):
        load_parts(Settings(CheckpointOptions(hf_repo=REPO)), told.append, lambda: len(told) > 3)
    assert told[-1].stage == "files"
    assert not list(server.cache.glob("models--*/snapshots/*/*.safetensors"))
