"""Writing config.toml: one key, the rest of the file as it was; whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moshi_tui import paths
from moshi_tui.errors import MoshiTuiError
from moshi_tui.settings import file
from moshi_tui.settings.listing import template
from moshi_tui.settings.values import toml


def remember(section: str, key: str, value: Any, path: Path | None = None) -> None:
    """Set one key in config.toml, keeping every comment and the order.

    The file and its folder are made if need be. Nothing is written if the file says so already, or
    says nothing and `value` is the default. Takes some 50 ms the first time; any thread.

    Args:
        section: e.g. "screen".
        key: e.g. "theme".
        value: text, number, truth value or path.
        path: another file than `paths.config_file()`.

    Raises:
        MoshiTuiError: no such key or value, the file is broken, or it can't be written.
    """
    path = path or paths.config_file()
    written = str(value) if isinstance(value, Path) else value
    asked = file.check({section: {key: written}}, path)
    text = file.text_of(path)
    now = file.check(file.tables(text, path), path)
    option = file.option(section, key)
    said = now.get(option.key)
    if (said.value if said else option.default) == asked[option.key].value:
        return
    for changed in _ways_to_set(text or template(), section, key, written):
        if file.check(file.tables(changed, path), path) == now | asked:
            write(path, changed)
            return
    raise MoshiTuiError(
        "Cannot change the settings",
        f"{file.name_of(path)}: found no place for {key}",
        f"Write it there yourself, under [{section}]: {key} = {toml(written)}",
    )


def write(path: Path, text: str) -> None:
    """Replace the file's content in one step: whoever reads it meets the old text or the new.

    Symbolic links stay links, permissions stay what they were, a missing folder is made. Raises
    MoshiTuiError.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise _cannot_write(path, "not a plain file")
    fresh = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with fresh.open("xb") as stream:
                stream.write(text.encode())
                stream.flush()
                os.fsync(stream.fileno())
            if target.exists():
                fresh.chmod(target.stat().st_mode & 0o7777)
            os.replace(fresh, target)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(path, error.strerror or str(error)) from None


def _ways_to_set(text: str, section: str, key: str, value: Any) -> Iterator[str]:
    """`text` with the key set, the nicest way first; the first may be wrong."""
    in_place = rf"(^\[{section}\](?:(?!^\[).)*?)^#{key} =[^\r\n]*"
    yield re.sub(  # where the template offers it, under its help
        in_place,
        lambda found: f"{found[1]}{key} = {toml(value)}",
        text,
        count=1,
        flags=re.MULTILINE | re.DOTALL,
    )
    import tomlkit

    document = tomlkit.parse(text)
    document.setdefault(section, tomlkit.table())[key] = value
    yield tomlkit.dumps(document)


def _cannot_write(path: Path, why: str) -> MoshiTuiError:
    return MoshiTuiError(
        "Cannot write the settings",
        f"{file.name_of(path)}: {why}",
        f"Name another file: --config FILE, or {paths.CONFIG_VARIABLE}.",
    )
