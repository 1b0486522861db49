import subprocess
import sys

import pytest

from moshi_tui.audio.quiet import _c_stderr_symbol, redirect_c_stderr

SCRIPT = """
import ctypes, os, sys
from moshi_tui.audio.quiet import redirect_c_stderr
libc = ctypes.CDLL(None)
libc.perror(b"before")
assert redirect_c_stderr(sys.argv[1])
libc.perror(b"after")
os.write(2, b"canvas\\n")
print("python", file=sys.stderr)
"""

needs_c_stderr = pytest.mark.skipif(_c_stderr_symbol() is None, reason="unknown C library")


@needs_c_stderr
def test_c_code_prints_into_the_file_and_the_terminal_stays_ours(tmp_path):
    log = tmp_path / "native.log"
    log.write_text("old\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(log)], capture_output=True, text=True, check=True
    )
    shown = [line.split(":")[0] for line in done.stderr.splitlines()]
    assert shown == ["before", "canvas", "python"]
    assert [line.split(":")[0] for line in log.read_text().splitlines()] == ["old", "after"]


@needs_c_stderr
def test_a_log_that_cannot_be_opened_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        redirect_c_stderr(tmp_path / "none" / "native.log")
