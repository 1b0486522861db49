"""Which files a choice of options comes down to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest

from moshi_tui.checkpoint import Cancelled, Progress, resolve
from moshi_tui.config import CheckpointOptions
from moshi_tui.errors import MoshiTuiError
from tests.checkpoint import hub_server

MIMI = "tokenizer-e351c8d8-checkpoint125.safetensors"
TOKENIZER = "tokenizer_spm_32k_3.model"
REST = {MIMI: b"mimi" * 99, TOKENIZER: b"pieces"}
Q4 = {"model.q4.safetensors": b"4" * 999, **REST, "README.md": b"hello"}
OURS = "kyutai/moshiko-mlx-q4"
DEFAULT = CheckpointOptions(quant=4)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    for hub in hub_server.serve(tmp_path, monkeypatch):
        hub.add(OURS, Q4)
        yield hub


@pytest.fixture
def offline(server: hub_server.Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def config(**keys: object) -> bytes:
    return json.dumps({"dim": 8, **keys}).encode()


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def kyutais_client(server: hub_server.Hub, repo: str = OURS) -> None:
    """Fill the cache as moshi_mlx does, which never asks for a config.json."""
    huggingface_hub.utils.disable_progress_bars()
    for name in server.repos[repo].files[server.repos[repo].commits["main"]]:
        if name not in ("config.json", "README.md"):
            huggingface_hub.hf_hub_download(repo, name, endpoint=server.endpoint)
    server.requests.clear()


# ---- Kyutai's repos


@pytest.mark.parametrize("voice", ["moshiko", "moshika"])
@pytest.mark.parametrize(
    ("quant", "kind", "name"),
    [
        (None, "bf16", "model.safetensors"),
        (4, "q4", "model.q4.safetensors"),
        (8, "q8", "model.q8.safetensors"),
    ],
)
def test_voice_and_quant_choose_kyutais_repo(
    server: hub_server.Hub, voice: str, quant: int | None, kind: str, name: str
) -> None:
    server.add(f"kyutai/{voice}-mlx-{kind}", {name: f"{voice} {kind}".encode(), **REST})
    files = resolve(CheckpointOptions(quant=quant, voice=voice))
    assert files.moshi.name == name
    assert files.moshi.read_text() == f"{voice} {kind}"
    assert files.mimi.read_bytes() == REST[MIMI]
    assert files.tokenizer.read_bytes() == REST[TOKENIZER]
    assert (files.config, files.label, files.quantize) == (None, voice, None)


def test_cached_files_need_no_request(server: hub_server.Hub) -> None:
    first = resolve(DEFAULT)
    server.requests.clear()
    assert resolve(DEFAULT) == first
    assert server.requests == []


def test_what_kyutais_client_downloaded_needs_no_request(server: hub_server.Hub) -> None:
    kyutais_client(server)
    files = resolve(DEFAULT)
    assert files.moshi.read_bytes() == Q4["model.q4.safetensors"]
    assert files.config is None
    assert server.requests == []


def test_progress_and_quitting(server: hub_server.Hub) -> None:
    seen: list[Progress] = []
    resolve(DEFAULT, progress=seen.append)
    total = len(Q4["model.q4.safetensors"]) + sum(map(len, REST.values()))
    assert seen[-1].overall_total == seen[-1].overall_done == total
    with pytest.raises(Cancelled):
        resolve(CheckpointOptions(quant=8), cancelled=lambda: True)


def test_offline_with_nothing_cached_says_how_to_fetch(offline: None) -> None:
    with pytest.raises(MoshiTuiError) as caught:
        resolve(DEFAULT)
    error = caught.value
    assert "not downloaded" in error.title
    assert OURS in error.message
    assert f"hf download {OURS} model.q4.safetensors {MIMI} {TOKENIZER}\n" in error.hint
    assert "--model-dir needs the language model (model.q4.safetensors," in error.hint


def test_offline_by_choice_keeps_the_hint_of_the_choice(
    server: hub_server.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(MoshiTuiError) as caught:
        resolve(DEFAULT)
    error = caught.value
    assert error.title == "Offline, and the checkpoint is not downloaded yet"
    assert error.hint.startswith("Unset it to download. Or fetch it on a machine with a network:\n")
    assert f"hf download {OURS} model.q4" in error.hint


def test_offline_with_a_part_cached_says_what_to_fetch(
    server: hub_server.Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(DEFAULT)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    next(server.cache.glob(f"models--*/snapshots/*/{MIMI}")).unlink()
    with pytest.raises(MoshiTuiError, match="not complete") as caught:
        resolve(DEFAULT)
    assert f"hf download {OURS} " in caught.value.hint
    given = fill(tmp_path, {"mimi.bin": b"m"}) / "mimi.bin"
    assert resolve(CheckpointOptions(quant=4, mimi_weight=given)).mimi == given


def test_offline_names_repo_and_revision(offline: None) -> None:
    with pytest.raises(MoshiTuiError) as caught:
        resolve(CheckpointOptions(hf_repo="someone/finetune", revision="v2"))
    assert "hf download someone/finetune --revision v2\n" in caught.value.hint


# ---- other repos


def test_a_repo_as_kyutai_makes_them_for_pytorch(server: hub_server.Hub) -> None:
    server.add("kyutai/moshiko-pytorch-bf16", {"model.safetensors": b"pt", **REST})
    options = CheckpointOptions(hf_repo="kyutai/moshiko-pytorch-bf16", quant=8)
    files = resolve(options)
    assert files.moshi.read_bytes() == b"pt"
    assert (files.config, files.label, files.quantize) == (None, "moshiko-pytorch-bf16", 8)
    server.requests.clear()
    assert resolve(options) == files  # that there is no config is remembered too
    assert server.requests == []


def test_the_config_names_the_files_also_in_other_repos(server: hub_server.Hub) -> None:
    server.add("kyutai/shared", {"audio/mimi.safetensors": b"shared mimi"})
    names = config(
        moshi_name="weights/lm.safetensors",
        mimi_name="hf://kyutai/shared/audio/mimi.safetensors",
        tokenizer_name="text.model",
    )
    files = {"config.json": names, "weights/lm.safetensors": b"lm", "text.model": b"t", **REST}
    server.add("someone/finetune", files)
    options = CheckpointOptions(hf_repo="someone/finetune")
    found = resolve(options)
    assert found.moshi.read_bytes() == b"lm"
    assert found.mimi.read_bytes() == b"shared mimi"
    assert found.tokenizer.read_bytes() == b"t"
    assert found.config is not None
    assert found.config.read_bytes() == names
    assert (found.label, found.quantize) == ("finetune", None)
    server.requests.clear()
    assert resolve(options) == found
    assert server.requests == []


def test_without_a_config_the_only_fitting_names_are_taken(server: hub_server.Hub) -> None:
    files = {"model-v2.q8.safetensors": b"lm", "mimi_v2.safetensors": b"m", "pieces.model": b"p"}
    server.add("someone/odd", files)
    found = resolve(CheckpointOptions(hf_repo="someone/odd"))
    assert [found.moshi.name, found.mimi.name, found.tokenizer.name] == list(files)


def test_without_a_config_several_fitting_names_are_a_question(server: hub_server.Hub) -> None:
    two = {"model-a.safetensors": b"a", "model-b.safetensors": b"b", **REST}
    server.add("someone/two", two)
    with pytest.raises(MoshiTuiError, match=r"model-a\.safetensors, model-b") as caught:
        resolve(CheckpointOptions(hf_repo="someone/two"))
    assert "--moshi-weight" in caught.value.hint


def test_quant_prefers_a_quantised_file(server: hub_server.Hub) -> None:
    server.add("someone/both", {**Q4, "model.safetensors": b"16", "model.q8.safetensors": b"8"})
    names = [
        resolve(CheckpointOptions(hf_repo="someone/both", quant=quant)).moshi.name
        for quant in (None, 4, 8)
    ]
    assert names == ["model.safetensors", "model.q4.safetensors", "model.q8.safetensors"]


def test_a_revision_is_a_checkpoint_of_its_own(server: hub_server.Hub) -> None:
    commit = server.add(OURS, {**Q4, "model.q4.safetensors": b"first"}, "v1")
    newest = resolve(DEFAULT)
    for revision in ("v1", commit):
        options = CheckpointOptions(quant=4, revision=revision)
        assert resolve(options).moshi.read_bytes() == b"first"
        server.requests.clear()
        assert resolve(options).moshi.read_bytes() == b"first"
        assert server.requests == []
    assert resolve(DEFAULT) == newest
    with pytest.raises(MoshiTuiError, match="v9"):
        resolve(CheckpointOptions(quant=4, revision="v9"))


def test_an_unknown_config_is_asked_for_if_that_is_possible(
    server: hub_server.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("someone/finetune", {"model.safetensors": b"lm", "config.json": config(), **REST})
    kyutais_client(server, "someone/finetune")
    options = CheckpointOptions(hf_repo="someone/finetune")
    with monkeypatch.context() as away:
        away.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        assert resolve(options).config is None
    found = resolve(options)
    assert found.config is not None
    assert server.downloads() == []  # the large files were there


def test_a_repo_that_became_gated_is_still_used_from_the_cache(server: hub_server.Hub) -> None:
    server.add("someone/finetune", {"model.safetensors": b"lm", "config.json": config(), **REST})
    kyutais_client(server, "someone/finetune")
    server.repos["someone/finetune"].gated = True
    assert resolve(CheckpointOptions(hf_repo="someone/finetune")).moshi.read_bytes() == b"lm"


def test_refusals_of_the_hub_reach_the_person(server: hub_server.Hub) -> None:
    with pytest.raises(MoshiTuiError, match="Repo not found"):
        resolve(CheckpointOptions(hf_repo="someone/none"))
    server.add("someone/gated", Q4, gated=True)
    with pytest.raises(MoshiTuiError, match="gated"):
        resolve(CheckpointOptions(hf_repo="someone/gated"))
    server.add("someone/half", {"model.safetensors": b"lm", TOKENIZER: b"t"})
    with pytest.raises(MoshiTuiError, match=f"no codec Mimi .*{MIMI}.* It holds model") as caught:
        resolve(CheckpointOptions(hf_repo="someone/half"))
    assert "--mimi-weight" in caught.value.hint
    assert server.downloads() == []


# ---- single files


def test_three_single_files_need_neither_network_nor_library(tmp_path: Path) -> None:
    fill(tmp_path, {"lm.safetensors": b"", "mimi.safetensors": b"", "t.model": b"", "c.json": b""})
    script = (
        "import sys; from pathlib import Path\n"
        "from moshi_tui.config import CheckpointOptions\n"
        "from moshi_tui.checkpoint import resolve\n"
        "files = resolve(CheckpointOptions(moshi_weight=Path('lm.safetensors'), quant=4,"
        " mimi_weight=Path('mimi.safetensors'), tokenizer=Path('t.model'), lm_config=Path('c.json')"
        "))\n"
        "assert files.config == Path('c.json') and files.label == 'lm' and files.quantize == 4\n"
        "assert 'huggingface_hub' not in sys.modules\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": str(root)}, check=True
    )


def test_a_single_file_replaces_one_of_the_repo(server: hub_server.Hub, tmp_path: Path) -> None:
    weight = fill(tmp_path, {"my.safetensors": b"mine"}) / "my.safetensors"
    files = resolve(CheckpointOptions(quant=4, moshi_weight=weight))
    assert files.moshi == weight
    assert files.mimi.read_bytes() == REST[MIMI]
    assert (files.label, files.quantize) == ("my", 4)
    assert len(server.downloads()) == 2


def test_lm_config_replaces_that_of_the_repo(server: hub_server.Hub, tmp_path: Path) -> None:
    server.add(
        "someone/finetune",
        {"model.safetensors": b"1", "lm.safetensors": b"2", "config.json": b"broken", **REST},
    )
    mine = fill(tmp_path, {"mine.json": config(moshi_name="lm.safetensors")}) / "mine.json"
    files = resolve(CheckpointOptions(hf_repo="someone/finetune", lm_config=mine))
    assert files.config == mine
    assert files.moshi.read_bytes() == b"2"


@pytest.mark.parametrize("option", ["moshi_weight", "mimi_weight", "tokenizer", "lm_config"])
def test_a_single_file_must_be_there(tmp_path: Path, option: str) -> None:
    flag = "--" + option.replace("_", "-")
    missing: dict[str, Path] = {option: tmp_path / "none"}
    with pytest.raises(MoshiTuiError, match=f"{flag}: there is no .*none"):
        resolve(CheckpointOptions(**missing))  # type: ignore[arg-type]
    folder: dict[str, Path] = {option: tmp_path}
    with pytest.raises(MoshiTuiError, match=f"{flag}: .* is a folder"):
        resolve(CheckpointOptions(**folder))  # type: ignore[arg-type]


# ---- folders


@pytest.mark.parametrize("with_config", [False, True])
def test_a_folder_with_the_files(tmp_path: Path, offline: None, with_config: bool) -> None:
    files = {**Q4, "config.json": config()} if with_config else Q4
    folder = fill(tmp_path / "my-moshi", files)
    found = resolve(CheckpointOptions(model_dir=folder, quant=8))
    assert found.moshi == folder / "model.q4.safetensors"
    assert found.mimi == folder / MIMI
    assert found.tokenizer == folder / TOKENIZER
    assert found.config == (folder / "config.json" if with_config else None)
    assert (found.label, found.quantize) == ("my-moshi", 8)


def test_a_folder_whose_config_names_the_files(tmp_path: Path, server: hub_server.Hub) -> None:
    server.add("kyutai/shared", {"a/mimi.safetensors": b"from the hub"})
    names = config(moshi_name="lm.bin", mimi_name="hf://kyutai/shared/a/mimi.safetensors")
    folder = fill(tmp_path / "m", {"config.json": names, "lm.bin": b"lm", TOKENIZER: b"t"})
    options = CheckpointOptions(model_dir=folder)
    assert resolve(options).moshi == folder / "lm.bin"
    assert resolve(options).mimi.read_bytes() == b"from the hub"
    fill(folder, {"a/mimi.safetensors": b"from here"})
    assert resolve(options).mimi.read_bytes() == b"from here"


def test_a_folder_that_needs_the_hub_says_so_offline(tmp_path: Path, offline: None) -> None:
    names = config(mimi_name="hf://kyutai/shared/mimi.safetensors")
    folder = fill(tmp_path / "m", {**Q4, "config.json": names})
    with pytest.raises(MoshiTuiError) as caught:
        resolve(CheckpointOptions(model_dir=folder))
    assert "hf download kyutai/shared mimi.safetensors\n" in caught.value.hint


def test_what_a_folder_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(MoshiTuiError, match=r"no folder .*none") as caught:
        resolve(CheckpointOptions(model_dir=tmp_path / "none"))
    assert "model.q4.safetensors" in caught.value.hint
    folder = fill(tmp_path, {TOKENIZER: b"t", "notes.txt": b""})
    with pytest.raises(MoshiTuiError) as caught:
        resolve(CheckpointOptions(model_dir=folder))
    assert "lacks the language model (model.safetensors) and the codec Mimi" in str(caught.value)
    assert f"It holds notes.txt, {TOKENIZER}." in str(caught.value)


def test_a_single_file_fills_a_gap_in_a_folder(tmp_path: Path) -> None:
    folder = fill(tmp_path / "m", {"model.safetensors": b"lm", TOKENIZER: b"t"})
    mimi = fill(tmp_path / "elsewhere", {"m.safetensors": b"m"}) / "m.safetensors"
    assert resolve(CheckpointOptions(model_dir=folder, mimi_weight=mimi)).mimi == mimi


# ---- what can't be meant


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (b"{", "config.json"),
        (b"\xff\xfe", "config.json"),
        (b"[]", "no JSON object"),
        (config(moshi_name="/etc/passwd"), "moshi_name"),
        (config(moshi_name="../secret"), "moshi_name"),
        (config(moshi_name="hf://owner/repo"), "moshi_name"),
        (config(moshi_name="file:///etc/passwd"), "moshi_name"),
        (config(moshi_name=3), "moshi_name is 3"),
        (config(lora_name="lora.safetensors"), "LoRA"),
    ],
)
def test_a_config_that_cannot_be_followed(tmp_path: Path, broken: bytes, says: str) -> None:
    folder = fill(tmp_path, {**Q4, "config.json": broken})
    with pytest.raises(MoshiTuiError, match=says):
        resolve(CheckpointOptions(model_dir=folder))


def test_what_is_no_repo_is_said() -> None:
    for name in ("moshiko", "../../etc"):
        with pytest.raises(MoshiTuiError, match="Not the name of a repo") as caught:
            resolve(CheckpointOptions(hf_repo=name))
        assert name in caught.value.message


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (CheckpointOptions(model_dir=Path(), hf_repo="a/b"), "--model-dir and --hf-repo"),
        (CheckpointOptions(model_dir=Path(), revision="v1"), "--revision"),
        (CheckpointOptions(model_dir=Path(), voice="moshika"), "--voice .* --model-dir"),
        (CheckpointOptions(hf_repo="a/b", voice="moshika"), "--voice .* --hf-repo"),
        (CheckpointOptions(hf_repo="kyutai/moshiko-mlx-q8", quant=4), "asks for 4 bits, but"),
        (CheckpointOptions(voice="moshi"), "no voice 'moshi'"),
        (CheckpointOptions(quant=3), "3 bits"),
    ],
)
def test_contradictions_are_refused(options: CheckpointOptions, says: str) -> None:
    with pytest.raises(MoshiTuiError, match=says) as caught:
        resolve(options)
    assert caught.value.hint
