"""What the doctor's processes do: `python -m moshi_tui.doctor.tasks TASK`.

A request comes as JSON on stdin, results go as JSON lines to stdout. Nobody judges here.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moshi_tui.errors import MoshiTuiError

if TYPE_CHECKING:
    from moshi_tui.audio.devices import Device, Kind

Request = dict[str, Any]
Result = dict[str, Any]

LISTEN_SECONDS = 1.5
SETTLE_SECONDS = 0.3
"""What a microphone says in its first moments is no sound of the room."""
PATIENCE_SECONDS = 3.0
"""Bluetooth headsets are silent for about 2 s after they were opened."""
CODEC_SECONDS = 2.5
CODEC_WARM_UP = 3


def imports(request: Request) -> Iterator[Result]:
    """Import `modules` one by one; if that crashes, the last line told says how far it got."""
    for name in request["modules"]:
        yield {"importing": name}
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - told to whoever asked
            yield {"module": name, "kind": type(error).__name__, "failed": str(error)}
        else:
            yield {"module": name, "failed": None}


def device(request: Request) -> Iterator[Result]:
    """What MLX runs on, and the memory that Moshi 7B takes there."""
    from moshi_tui.model.config import MOSHI_7B
    from moshi_tui.model.device import report
    from moshi_tui.model.random_weights import need

    needs = {label: need(MOSHI_7B, bits) for label, bits in (("q4", 4), ("q8", 8), ("bf16", None))}
    yield {
        "device": asdict(report()),
        "needs": {
            label: {
                "weights": n.weights,
                "context": n.context,
                "moving": n.moving,
                "total": n.total,
            }
            for label, n in needs.items()
        },
    }


def steps(request: Request) -> Iterator[Result]:
    """Time steps of a random model: of Moshi 7B with `bits`, or with `demo` of the demo."""
    from moshi_tui.demo.checkpoint import demo_config
    from moshi_tui.model.config import MOSHI_7B, LmConfig
    from moshi_tui.model.device import peak_memory, release
    from moshi_tui.model.random_weights import random_model, time_steps

    config = LmConfig.from_dict(demo_config()) if request["demo"] else MOSHI_7B
    model = random_model(config, request["bits"])
    times = time_steps(
        model,
        seconds=request["seconds"],
        at_least=request["at_least"],
        limit_s=request["limit_s"],
    )
    peak = peak_memory()
    del model
    release()
    yield {"ms": times, "peak_bytes": peak}


def codec(request: Request) -> Iterator[Result]:
    """Time encoding and decoding, both at once, with a random Mimi of the published sizes."""
    from moshi_tui.codec.random_mimi import write_random_mimi
    from moshi_tui.codec.rusty import Rusty

    with tempfile.TemporaryDirectory(prefix="moshi-tui-doctor-") as folder:
        path = write_random_mimi(Path(folder))
        few = {"max_seq_len": 4_000, "turn": 1_000, "overlap": 100}
        encoder, decoder = Rusty(path, 8, **few), Rusty(path, 8, **few)
    import numpy as np

    from moshi_tui.codec.speechlike import speechlike
    from moshi_tui.frames import FRAME_SAMPLES

    pcm = speechlike(1, seed=1)[:FRAME_SAMPLES]
    codes = np.arange(8, dtype=np.uint32)[:, None]
    end = time.perf_counter() + CODEC_SECONDS
    times: dict[str, list[float]] = {"encode": [], "decode": []}

    def repeat(name: str, work: Callable[[], object]) -> None:
        while time.perf_counter() < end or len(times[name]) < 2 * CODEC_WARM_UP:
            before = time.perf_counter()
            work()
            times[name].append((time.perf_counter() - before) * 1000)

    other = threading.Thread(target=repeat, args=("encode", lambda: encoder.encode(pcm)))
    other.start()
    repeat("decode", lambda: decoder.decode(codes))
    other.join()
    yield {f"{name}_ms": values[CODEC_WARM_UP:] for name, values in times.items()}


def sound(request: Request) -> Iterator[Result]:
    """Open microphone and speaker as a talk would, and listen for a moment.

    `input` and `output` are what the person chose (None: the default), or False for a side that
    has a file in its place. What was chosen and is not there is "unfit".
    """
    from moshi_tui.audio.devices import NoAnswerError, list_devices, load, pick

    version = load().get_portaudio_version()[1]
    yield {"version": version, "devices": [asdict(device) for device in list_devices()]}
    sides: tuple[tuple[Kind, Callable[[Device], Result]], ...] = (
        ("output", _look_at_speaker),
        ("input", _listen),
    )
    for kind, look in sides:
        if request[kind] is not False:
            chosen = None
            try:
                chosen = pick(kind, request[kind])
                yield {kind: look(chosen)}
            except MoshiTuiError as error:
                unfit = chosen is None and not isinstance(error, NoAnswerError)
                yield {kind: {"error": error.args, "unfit": unfit}}


def _look_at_speaker(chosen: Device) -> Result:
    from moshi_tui.audio.streams import Speaker

    speaker = Speaker(chosen)
    try:
        speaker.start()
        deadline = time.monotonic() + 1.0
        while speaker.stamp is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return {
            "name": chosen.name,
            "host_api": chosen.host_api,
            "rate": speaker.rate,
            "latency_ms": speaker.latency_s * 1000,
            "moves": speaker.stamp is not None,
        }
    finally:
        speaker.close()


def _listen(chosen: Device) -> Result:
    import numpy as np

    from moshi_tui.audio.levels import measure
    from moshi_tui.audio.streams import Microphone

    microphone = Microphone(chosen, ring_s=PATIENCE_SECONDS + LISTEN_SECONDS)
    heard = np.zeros(0, np.float32)
    try:
        microphone.start()
        time.sleep(SETTLE_SECONDS)
        microphone.ring.pop_into(np.empty(microphone.ring.fill, np.float32))
        began = time.monotonic()
        while time.monotonic() - began < (LISTEN_SECONDS if heard.any() else PATIENCE_SECONDS):
            time.sleep(0.05)
            block = np.empty(microphone.ring.fill, np.float32)
            heard = np.concatenate([heard, block[: microphone.ring.pop_into(block)]])
        level = measure(heard)
        return {
            "name": chosen.name,
            "host_api": chosen.host_api,
            "rate": microphone.rate,
            "latency_ms": microphone.latency_s * 1000,
            "moves": microphone.stamp is not None,
            "overflows": microphone.overflows,
            "rms_db": None if math.isinf(level.rms_db) else level.rms_db,
            "peak_db": None if math.isinf(level.peak_db) else level.peak_db,
            "clipped": level.clipped,
        }
    finally:
        microphone.close()


TASKS: dict[str, Callable[[Request], Iterator[Result]]] = {
    "imports": imports,
    "device": device,
    "steps": steps,
    "codec": codec,
    "sound": sound,
}


def main() -> int:
    """Do the task that the command line names; returns the exit status."""
    # What native libraries print must not get between the results.
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    try:
        for result in TASKS[sys.argv[1]](request):
            print(json.dumps(result), file=results, flush=True)
    except MoshiTuiError as error:
        print(json.dumps({"error": error.args}), file=results, flush=True)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
