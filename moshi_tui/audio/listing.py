"""What is plugged in now, found by a PortAudio of its own: `python -m moshi_tui.audio.listing`.

Ours finds new devices only by giving up all its streams, so while one is open a child process
looks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from moshi_tui.audio.devices import TRY_AGAIN, Device, NoAnswerError, list_devices
from moshi_tui.errors import MoshiTuiError

TIMEOUT_SECONDS = 15.0
"""An old machine that has much else to do needs a few seconds."""


def list_in_child() -> list[Device]:
    """All devices that are there now. Takes half a second or so. Raises MoshiTuiError."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    try:
        child = subprocess.run(
            [sys.executable, "-m", "moshi_tui.audio.listing"],
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
        return [Device(**entry) for entry in json.loads(child.stdout)]
    except subprocess.TimeoutExpired:
        why = f"The sound system has not answered for {TIMEOUT_SECONDS:.0f} seconds."
        raise NoAnswerError("Cannot list the sound devices", why, TRY_AGAIN) from None
    except (OSError, ValueError, TypeError, subprocess.CalledProcessError) as error:
        why = f"{type(error).__name__}: {error}."
    raise MoshiTuiError("Cannot list the sound devices", why, TRY_AGAIN)


if __name__ == "__main__":
    json.dump([asdict(device) for device in list_devices()], sys.stdout)
