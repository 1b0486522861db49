"""The demo checkpoint: Moshi in small, with random weights, in Kyutai's file formats.

Made from a fixed seed on first use and kept in the cache, so that `--demo` needs no download. It
knows nothing: it speaks notes and babbles words. What it shows is the program.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from safetensors import SafetensorError

from moshi_tui import paths
from moshi_tui.demo.lm import DEMO_CONFIG, write_lm
from moshi_tui.demo.mimi import POCKET, write_mimi
from moshi_tui.demo.tokenizer import small_talk, write_tokenizer
from moshi_tui.errors import MoshiTuiError
from moshi_tui.model.tokenizer import TextTokenizer

VERSION = 1
"""To be raised when the files change: an older cache is left alone then."""

SEED = 20_260

SIZES = "sizes.json"
"""Beside the files: how large each is, so that a damaged cache is noticed and made again."""

STALE_SECONDS = 600
"""After which an unfinished folder is nobody's any more."""

NAMES = {
    "moshi_name": "model.safetensors",
    "mimi_name": "mimi-pocket.safetensors",
    "tokenizer_name": "tokenizer_spm_demo.model",
}
"""The keys by which Kyutai's configs name the files."""


def demo_folder() -> Path:
    """The folder with the demo's files, made now (a few seconds) if it is not there.

    Appears complete or not at all, also when two programs make it at once. Raises MoshiTuiError if
    the cache can't be written.
    """
    folder = paths.cache_dir() / f"demo-{VERSION}"
    if not is_made(folder):
        try:
            _tidy(folder)
            _make(folder)
        except (OSError, RuntimeError, SafetensorError) as error:  # as the three writers say it
            raise MoshiTuiError(
                "Cannot make the demo checkpoint",
                f"{folder}: {error}",
                "It needs about 60 MB there; XDG_CACHE_HOME chooses another place on Linux.",
            ) from error
    return folder


def is_made(folder: Path) -> bool:
    """Whether the folder is there and its files have the sizes that they were made with."""
    try:
        sizes = json.loads((folder / SIZES).read_text())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def _tidy(folder: Path) -> None:
    """Remove a damaged folder, and what runs that were broken off have left."""
    if folder.exists():
        damaged = Path(tempfile.mkdtemp(dir=folder.parent, prefix="demo-", suffix=".part"))
        os.rename(folder, damaged)
        shutil.rmtree(damaged)
    for part in folder.parent.glob("demo-*.part"):
        if time.time() - part.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(part)


def _make(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="demo-", suffix=".part") as name:
        part = Path(name) / "files"
        part.mkdir()
        (part / "config.json").write_text(json.dumps(DEMO_CONFIG | NAMES, indent=1))
        tokenizer = part / NAMES["tokenizer_name"]
        write_tokenizer(tokenizer, vocab_size=DEMO_CONFIG["text_card"])
        write_lm(part / NAMES["moshi_name"], SEED, _words(TextTokenizer(tokenizer)))
        write_mimi(part / NAMES["mimi_name"], POCKET, SEED)
        sizes = {file.name: file.stat().st_size for file in part.iterdir()}
        (part / SIZES).write_text(json.dumps(sizes))
        if not folder.is_dir():
            os.rename(part, folder)


def _words(vocabulary: TextTokenizer) -> list[int]:
    """The pieces that are whole words of the sentences that the vocabulary was made from."""
    known = set(re.findall(r"[\w']+", " ".join(small_talk(400))))
    pieces = {token: vocabulary.piece(token) for token in range(vocabulary.vocab_size)}
    return [token for token, piece in pieces.items() if piece[:1] == "▁" and piece[1:] in known]
