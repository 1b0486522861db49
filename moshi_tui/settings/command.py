"""`moshi-tui config path|show|edit`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable

from moshi_tui import paths
from moshi_tui.clean import clean
from moshi_tui.errors import MoshiTuiError
from moshi_tui.settings import file
from moshi_tui.settings.layers import Merged
from moshi_tui.settings.listing import show, template
from moshi_tui.settings.store import write

_EDITORS = (["sensible-editor"], ["nano"], ["vi"])
_MAC_EDITORS = (["open", "-W", "-n", "-t"], *_EDITORS)  # -W waits until the window's app ends


def print_path() -> int:
    """`config path`: for scripts, so nothing but the path."""
    print(paths.config_file())
    return 0


def print_settings(load: Callable[[], Merged], defaults: bool) -> int:
    """`config show`; with `defaults` what a new file would say, whatever is wrong elsewhere."""
    print(template() if defaults else show(load(), paths.config_file()), end="")
    return 0


def edit() -> int:
    """`config edit`: open the file in the person's editor, and check it afterwards.

    Raises MoshiTuiError: no editor, the editor failed, or there is a mistake in the file.
    """
    path = paths.config_file()
    if not path.exists():
        write(path, template())
    command = _editor()
    try:
        status = subprocess.run([*command, str(path)], check=False).returncode
    except OSError as error:
        raise _no_editor(f"{clean(shlex.join(command))}: {error.strerror}") from None
    if status:
        raise MoshiTuiError(
            "The editor failed",
            f"{clean(shlex.join(command))} ended with status {status}",
            "Try another: EDITOR=nano moshi-tui config edit",
        )
    file.read(path)
    return 0


def _editor() -> list[str]:
    for name in ("VISUAL", "EDITOR"):
        try:
            command = shlex.split(os.environ.get(name, ""))
        except ValueError as error:
            raise _no_editor(f"{name}={clean(os.environ[name])}: {error}") from None
        if command:
            return command
    for command in _MAC_EDITORS if sys.platform == "darwin" else _EDITORS:
        if shutil.which(command[0]):
            return command
    raise _no_editor("none of sensible-editor, nano and vi is installed")


def _no_editor(why: str) -> MoshiTuiError:
    return MoshiTuiError(
        "No editor",
        why,
        f"Name one: EDITOR=nano moshi-tui config edit, or open {file.name_of(paths.config_file())}",
    )
