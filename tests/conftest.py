"""For all tests: nothing of the person's own, and one BLAS thread (as `cli.main` sets it)."""

import logging
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

import pytest

from tests.turns import turn


@pytest.fixture(autouse=True)
def _its_turn(request, tmp_path_factory):
    """With `pytest -n 2`, what is marked `pulse` runs while nothing else does."""
    if not hasattr(request.config, "workerinput"):  # there is only one process
        yield
        return
    alone = request.node.get_closest_marker("pulse") is not None
    with turn(tmp_path_factory.getbasetemp().parent, alone=alone):
        yield


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory, monkeypatch):
    """No test sees or changes the settings, caches, logs or tokens of whoever runs it."""
    home = _shared_home(tmp_path_factory)
    monkeypatch.setenv("HOME", str(home))
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.setenv("MOSHI_TUI_CONFIG", "")  # `--config` sets it: so it is unset after the test
    for name in [name for name in os.environ if name.startswith("MOSHI_TUI_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_log():
    """`cli.main` sends the log to a file and takes the warnings too: no test leaves that to the
    next one."""
    log = logging.getLogger("moshi_tui")
    before = log.handlers[:], log.propagate, log.level
    yield
    for handler in log.handlers:
        if handler not in before[0]:
            handler.close()
    log.handlers[:], log.propagate = before[:2]
    log.setLevel(before[2])
    logging.captureWarnings(False)


def _shared_home(tmp_path_factory) -> Path:
    return tmp_path_factory.getbasetemp() / "home"
