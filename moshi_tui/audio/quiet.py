"""Keeps what native sound libraries print away from the terminal.

ALSA says "underrun occurred" and PortAudio "Expression ... failed" on C's `stderr` whenever they
like, also from their own threads. File descriptor 2 is the canvas of a Textual app, so it can't
be redirected; C's `stderr` is only a variable that names a stream, and that one can.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path

_IOLBF = 1
"""setvbuf: a line at a time; the same number in glibc and on macOS."""


def redirect_c_stderr(path: Path | str = os.devnull) -> bool:
    """Send what C code prints through `stderr` to the end of the file `path` from now on.

    Python's `sys.stderr` and file descriptor 2 stay as they are, as does native code that writes
    to the descriptor itself. Returns False where it can't be done (neither glibc nor macOS).
    May be called again with another path. Raises OSError if the file can't be opened.
    """
    symbol = _c_stderr_symbol()
    if symbol is None:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fopen.restype = ctypes.c_void_p
    libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    libc.setvbuf.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t]
    stream = libc.fopen(os.fsencode(path), b"ae")  # e: not inherited by child processes
    if not stream:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    libc.setvbuf(stream, None, _IOLBF, 0)
    # The old stream stays open: another thread may be printing to it.
    ctypes.c_void_p.in_dll(libc, symbol).value = stream
    return True


def silence_alsa() -> bool:
    """Give ALSA a handler for its messages that ignores them. After PortAudio has been loaded.

    Returns False where PortAudio has not brought ALSA's library along.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        alsa = ctypes.CDLL("libasound.so.2", mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    except OSError:
        return False
    # The handler is a C function that ignores its arguments, so that ALSA's threads need no GIL
    # and nothing has to be kept alive. Since 1.2.15 ALSA has a second kind of handler as well.
    ignore = ctypes.cast(alsa.snd_asoundlib_version, ctypes.c_void_p)
    alsa.snd_lib_error_set_handler(ignore)
    if hasattr(alsa, "snd_lib_log_set_handler"):
        alsa.snd_lib_log_set_handler(ignore)
    return True


def _c_stderr_symbol() -> str | None:
    if sys.platform == "darwin":
        return "__stderrp"
    if sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc":
        return "stderr"
    return None
