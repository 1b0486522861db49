"""Downloads against a hub of our own: whole, broken, left, refused."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from moshi_tui.checkpoint import transfer
from moshi_tui.checkpoint.hub import Cancelled, Hub, Listing, Progress, RepoFile
from moshi_tui.checkpoint.hub_errors import NoNetworkError
from moshi_tui.errors import MoshiTuiError
from tests.checkpoint import hub_server

REPO = "owner/name"
DATA = random.Random(1).randbytes(20 * hub_server.BLOCK + 7)
OTHER = random.Random(2).randbytes(3 * hub_server.BLOCK)
FILES = {"model.safetensors": DATA, "sub/mimi.safetensors": OTHER, "config.json": b"{}"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    for hub in hub_server.serve(tmp_path, monkeypatch):
        hub.add(REPO, FILES)
        yield hub


def all_files(hub: Hub) -> tuple[Listing, list[RepoFile]]:
    listing = hub.listing(REPO, "main")
    return listing, [RepoFile(REPO, listing.commit, name) for name in FILES]


def model(hub: Hub) -> list[RepoFile]:
    return [RepoFile(REPO, hub.listing(REPO, "main").commit, "model.safetensors")]


def part(server: hub_server.Hub) -> Path:
    [path] = server.cache.glob("models--owner--name/blobs/*.incomplete")
    return path


def test_a_download_is_where_the_library_finds_it(server: hub_server.Hub) -> None:
    hub = Hub()
    listing, files = all_files(hub)
    paths = hub.fetch(files)
    hub.remember(listing, absent=["nothing.json"])
    for path, (name, data) in zip(paths, FILES.items(), strict=True):
        assert path.read_bytes() == data
        assert huggingface_hub.hf_hub_download(REPO, name, local_files_only=True) == str(path)
    absent = huggingface_hub.try_to_load_from_cache(REPO, "nothing.json")
    assert absent is huggingface_hub._CACHED_NO_EXIST
    assert hub.known_absent(REPO, "main", "nothing.json")
    assert not hub.known_absent(REPO, "main", "config.json")


def test_nothing_is_written_on_the_screen(server: hub_server.Hub, tmp_path: Path) -> None:
    script = (
        "from moshi_tui.checkpoint.hub import Hub, RepoFile\n"
        f"commit = Hub().listing({REPO!r}, 'main').commit\n"
        f"Hub().fetch([RepoFile({REPO!r}, commit, 'model.safetensors')])\n"
    )
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root), "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert len(server.downloads()) == 1


def test_what_the_library_downloaded_is_found(server: hub_server.Hub) -> None:
    huggingface_hub.utils.disable_progress_bars()
    path = huggingface_hub.hf_hub_download(REPO, "model.safetensors", endpoint=server.endpoint)
    hub = Hub()
    snapshot = hub.snapshot(REPO, "main")
    assert snapshot is not None
    assert Path(path) == snapshot / "model.safetensors"
    assert hub.snapshot(REPO, "other") is None
    files = model(hub)
    server.requests.clear()
    assert hub.fetch(files) == [Path(path)]
    assert server.requests == []


def test_progress_ends_with_every_byte(server: hub_server.Hub) -> None:
    seen: list[Progress] = []
    hub = Hub(progress=seen.append)
    hub.fetch(all_files(hub)[1])
    total = sum(map(len, FILES.values()))
    assert seen[-1].overall_done == seen[-1].overall_total == total
    assert {each.file: each.done for each in seen} == {
        name: len(data) for name, data in FILES.items()
    }
    overall = [each.overall_done for each in seen]
    assert overall == sorted(overall)
    assert {file.name: (file.done, file.total) for file in seen[-1].files} == {
        name: (len(data), len(data)) for name, data in FILES.items()
    }
    seen.clear()
    hub.fetch(all_files(hub)[1])
    assert seen == []


def test_a_broken_connection_is_taken_up_where_it_broke(server: hub_server.Hub) -> None:
    server.cut_at = [5 * hub_server.BLOCK, 2 * hub_server.BLOCK]
    hub = Hub()
    [path] = hub.fetch(model(hub))
    assert path.read_bytes() == DATA
    assert [seen.range for seen in server.downloads()] == [
        None,
        f"bytes={5 * hub_server.BLOCK}-",
        f"bytes={7 * hub_server.BLOCK}-",
    ]


def test_a_download_that_failed_goes_on_the_next_time(server: hub_server.Hub) -> None:
    server.cut_at = [5 * hub_server.BLOCK] + [0] * transfer.RETRIES
    hub = Hub()
    with pytest.raises(NoNetworkError):
        hub.fetch(model(hub))
    assert part(server).read_bytes() == DATA[: 5 * hub_server.BLOCK]
    server.requests.clear()
    seen: list[Progress] = []
    again = Hub(progress=seen.append)
    [path] = again.fetch(model(again))
    assert path.read_bytes() == DATA
    assert [seen.range for seen in server.downloads()] == [f"bytes={5 * hub_server.BLOCK}-"]
    assert not list(server.cache.rglob("*.incomplete"))
    assert seen[-1].done == len(DATA)


def test_a_server_without_ranges_starts_over(server: hub_server.Hub) -> None:
    server.ranges = False
    server.cut_at = [5 * hub_server.BLOCK]
    hub = Hub()
    [path] = hub.fetch(model(hub))
    assert path.read_bytes() == DATA


def test_a_part_that_is_already_whole_needs_no_request(server: hub_server.Hub) -> None:
    server.cut_at = [BIG := 2 * hub_server.BLOCK] + [0] * transfer.RETRIES
    hub = Hub()
    with pytest.raises(NoNetworkError):
        hub.fetch(model(hub))
    assert part(server).stat().st_size == BIG
    part(server).write_bytes(DATA)
    server.requests.clear()
    [path] = hub.fetch(model(hub))
    assert path.read_bytes() == DATA
    assert server.downloads() == []


@pytest.mark.parametrize("resumed", [False, True])
def test_a_damaged_download_is_removed(server: hub_server.Hub, resumed: bool) -> None:
    if resumed:
        server.cut_at = [2 * hub_server.BLOCK]
    server.spoil = True
    hub = Hub()
    with pytest.raises(MoshiTuiError, match=r"damaged: model\.safetensors"):
        hub.fetch(model(hub))
    assert not list(server.cache.rglob("*.incomplete"))
    server.spoil = False
    [path] = hub.fetch(model(hub))
    assert path.read_bytes() == DATA


def test_quitting_keeps_what_has_arrived(server: hub_server.Hub) -> None:
    server.hold_at = 4 * hub_server.BLOCK
    arrived: list[Progress] = []
    hub = Hub(progress=arrived.append, cancelled=lambda: bool(arrived and arrived[-1].done))
    listing = Hub().listing(REPO, "main")
    with pytest.raises(Cancelled):  # although the connection says nothing
        hub.fetch([RepoFile(REPO, listing.commit, "model.safetensors")])
    server.hold_at = None
    server.go.set()
    server.requests.clear()
    [path] = Hub().fetch(model(Hub()))  # waits for the lock until the first has let go
    assert path.read_bytes() == DATA
    [seen] = server.downloads()
    assert seen.range is not None
    assert int(seen.range.removeprefix("bytes=").removesuffix("-")) >= arrived[-1].done


def test_quitting_before_the_first_byte(server: hub_server.Hub) -> None:
    with pytest.raises(Cancelled):
        Hub(cancelled=lambda: True).listing(REPO, "main")
    assert server.requests == []


def test_too_small_a_disk_is_said_before_the_first_byte(
    server: hub_server.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=200_000))
    hub = Hub()
    with pytest.raises(MoshiTuiError, match=r"0\.3 MB are still .* needs 0\.3 GB free; 0\.2 MB"):
        hub.fetch(model(hub))
    assert server.downloads() == []
    assert not list(server.cache.rglob("blobs/*"))


def test_what_has_arrived_needs_no_space(
    server: hub_server.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.cut_at = [19 * hub_server.BLOCK] + [0] * transfer.RETRIES
    hub = Hub()
    with pytest.raises(NoNetworkError):
        hub.fetch(model(hub))
    monkeypatch.setattr("moshi_tui.checkpoint.hub.MARGIN", 0)
    usage = shutil.disk_usage("/")
    free = len(DATA) - 19 * hub_server.BLOCK
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=free))
    assert hub.fetch(model(hub))[0].read_bytes() == DATA


def test_a_disk_that_fills_up_is_named(
    server: hub_server.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: transfer.Transfer) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transfer.Transfer, "_receive", full)
    hub = Hub()
    with pytest.raises(MoshiTuiError, match=r"Disk is full.*model\.safetensors") as caught:
        hub.fetch(model(hub))
    assert "HF_HUB_CACHE" in caught.value.hint


def test_a_cache_that_cannot_be_written_is_named(server: hub_server.Hub) -> None:
    hub = Hub()
    files = model(hub)
    server.cache.write_text("a file in the way")
    with pytest.raises(MoshiTuiError, match="Cache can't be used"):
        hub.fetch(files)


def test_a_file_system_without_links_gets_the_file_itself(
    server: hub_server.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: str) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    hub = Hub()
    [path] = hub.fetch(model(hub))
    assert not path.is_symlink()
    assert path.read_bytes() == DATA
    assert hub.fetch(model(hub)) == [path]


def test_the_token_goes_to_the_hub_and_nowhere_else(
    server: hub_server.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.repos[REPO].gated = True
    hub = Hub()
    with pytest.raises(MoshiTuiError, match="gated") as caught:
        hub.fetch(model(hub))
    assert "hf auth login" in caught.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert hub.fetch(model(hub))[0].read_bytes() == DATA
    [download] = server.downloads()
    assert download.token is None
    assert server.requests[-2].token == "Bearer hf_secret"


@pytest.mark.parametrize(
    ("repo", "revision", "says"),
    [
        ("owner/none", "main", "Repo not found.*owner/none"),
        (REPO, "v9", "Revision not found.*v9"),
        ("a/b/c", "main", "Not a repo.*a/b/c"),
    ],
)
def test_what_does_not_exist_is_named(
    server: hub_server.Hub, repo: str, revision: str, says: str
) -> None:
    with pytest.raises(MoshiTuiError, match=says) as caught:
        Hub().listing(repo, revision)
    assert caught.value.hint


def test_a_file_that_is_not_in_the_repo_is_named(server: hub_server.Hub) -> None:
    hub = Hub()
    commit = hub.listing(REPO, "main").commit
    with pytest.raises(MoshiTuiError, match=r"owner/name has no none\.bin"):
        hub.fetch([RepoFile(REPO, commit, "none.bin")])


@pytest.mark.parametrize(
    ("status", "says"),
    [(503, "busy.*503"), (429, "too many"), (403, "token"), (418, "failed.*418")],
)
def test_a_server_in_trouble_is_named(server: hub_server.Hub, status: int, says: str) -> None:
    server.status = status
    with pytest.raises(MoshiTuiError, match=says):
        Hub().listing(REPO, "main")


def test_a_login_page_is_no_hub(server: hub_server.Hub) -> None:
    server.login_page = True
    with pytest.raises(MoshiTuiError, match="Not a hub"):
        Hub().listing(REPO, "main")


def test_no_network(server: hub_server.Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(NoNetworkError, match="can't be reached"):
        Hub().listing(REPO, "main")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(NoNetworkError, match="HF_HUB_OFFLINE is set"):
        Hub().listing(REPO, "main")


def test_the_old_snapshot_stays_until_the_new_one_is_whole(server: hub_server.Hub) -> None:
    hub = Hub()
    old, files = all_files(hub)
    hub.fetch(files)
    hub.remember(old)
    server.add(REPO, {**FILES, "model.safetensors": OTHER + DATA})
    new, files = all_files(hub)
    hub.fetch(files[:1])
    assert (
        hub.snapshot(REPO, "main") == server.cache / f"models--owner--name/snapshots/{old.commit}"
    )
    hub.remember(new)
    assert (
        hub.snapshot(REPO, "main") == server.cache / f"models--owner--name/snapshots/{new.commit}"
    )
