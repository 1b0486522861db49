"""What a download would bring, before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moshi_tui.checkpoint import Cancelled, plan, resolve
from moshi_tui.config import CheckpointOptions
from moshi_tui.errors import MoshiTuiError
from tests.checkpoint import hub_server
from tests.checkpoint.test_sources import DEFAULT, MIMI, OURS, Q4, REST, TOKENIZER, config, fill

SIZES = {name: len(data) for name, data in Q4.items() if name != "README.md"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    for hub in hub_server.serve(tmp_path, monkeypatch):
        hub.add(OURS, Q4)
        yield hub


def test_an_empty_cache_lacks_everything_and_nothing_is_downloaded(server: hub_server.Hub) -> None:
    found = plan(DEFAULT)
    assert {file.name: file.size for file in found.missing} == SIZES
    assert {file.repo for file in found.files} == {OURS}
    assert found.to_fetch == sum(SIZES.values())
    assert (found.cache, found.endpoint) == (server.cache, server.endpoint)
    assert server.downloads() == []
    assert {seen.method for seen in server.requests if "/resolve/" in seen.path} == {"HEAD"}
    assert not server.cache.exists()


def test_a_complete_cache_needs_no_request(server: hub_server.Hub) -> None:
    files = resolve(DEFAULT)
    server.requests.clear()
    found = plan(DEFAULT)
    assert found.missing == ()
    assert found.to_fetch == 0
    assert {file.name: file.there for file in found.files} == SIZES
    assert server.requests == []
    assert found.label == files.label


def test_what_arrived_before_is_not_fetched_again(
    server: hub_server.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = bytes(3 * hub_server.BLOCK)
    server.add(OURS, {**Q4, "model.q4.safetensors": big})
    monkeypatch.setattr("moshi_tui.checkpoint.transfer.RETRIES", 1)
    server.cut_at = [hub_server.BLOCK, 0]
    with pytest.raises(MoshiTuiError):
        resolve(DEFAULT)
    [model] = [file for file in plan(DEFAULT).files if file.name == "model.q4.safetensors"]
    assert (model.size, model.there, model.cached) == (len(big), hub_server.BLOCK, False)
    rest = sum(map(len, REST.values()))
    assert plan(DEFAULT).to_fetch == len(big) - hub_server.BLOCK + rest


def test_bytes_that_are_there_by_another_name_are_cached(server: hub_server.Hub) -> None:
    resolve(DEFAULT)
    server.add(OURS, {**Q4, "model.q4.safetensors": b"5" * 777})
    for ref in server.cache.glob("models--*/refs/main"):
        ref.unlink()
    found = plan(DEFAULT)
    assert [file.name for file in found.missing] == ["model.q4.safetensors"]
    assert found.to_fetch == 777


def test_files_of_other_repos_and_folders_are_told_apart(
    server: hub_server.Hub, tmp_path: Path
) -> None:
    server.add("owner/mimi", {MIMI: b"m" * 50})
    folder = fill(
        tmp_path / "folder",
        {
            "model.safetensors": b"w" * 9,
            TOKENIZER: b"t",
            "config.json": config(mimi_name=f"hf://owner/mimi/{MIMI}"),
        },
    )
    found = plan(CheckpointOptions(model_dir=folder))
    assert [(file.repo, file.name, file.size) for file in found.missing] == [
        ("owner/mimi", MIMI, 50)
    ]
    assert found.files[0].there == 9


def test_the_config_of_a_repo_names_the_files_of_the_plan(server: hub_server.Hub) -> None:
    files = {"other.safetensors": b"o" * 12, **REST}
    server.add("owner/name", {**files, "config.json": config(moshi_name="other.safetensors")})
    found = plan(CheckpointOptions(hf_repo="owner/name"))
    assert found.files[0].name == "other.safetensors"
    assert found.to_fetch == sum(map(len, files.values()))


def test_without_a_network_it_says_what_resolve_would_say(
    server: hub_server.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(MoshiTuiError) as planned:
        plan(DEFAULT)
    with pytest.raises(MoshiTuiError) as resolved:
        resolve(DEFAULT)
    assert planned.value.args == resolved.value.args


def test_a_plan_can_be_given_up(server: hub_server.Hub) -> None:
    with pytest.raises(Cancelled):
        plan(DEFAULT, cancelled=lambda: True)
