"""Does it keep up? Steps of the full shape with random weights, and the codec, timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from statistics import median
from typing import Any

from moshi_tui.demo.checkpoint import BITS
from moshi_tui.doctor.child import Answer, ask
from moshi_tui.doctor.chosen import Chosen
from moshi_tui.doctor.findings import Finding, Verdict, failed, gigabytes
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SECONDS
from moshi_tui.session.pocket import POCKET_MOSHI

BUDGET_MS = FRAME_SECONDS * 1000
"""A step that takes longer than a frame lasts falls behind."""
ROOM = 0.8
"""Up to this share of the budget there is room for other programs and for slow moments."""
BARELY = 0.97

STEP_SECONDS = 5.0
LEAST_STEPS = 3
STEP_LIMIT_SECONDS = 25.0
"""No further step begins after so long; on a CPU each takes seconds."""
CHILD_SECONDS = 100.0
CODEC_CHILD_SECONDS = 60.0

Ask = Callable[[str, dict[str, Any], float], Answer]


def check_steps(chosen: Chosen, memory: Finding | None, ask: Ask = ask) -> list[Finding]:
    """The model's step against 80 ms.

    Args:
        memory: what `machine.check_memory` found, if it could.
    """
    label, rooms = chosen.label, {} if memory is None else memory.data.get("room_bytes", {})
    if not chosen.demo and memory is None:
        summary = "not measured: nothing is known about memory"
        return [Finding("speed", "careful", summary)]
    left = rooms.get(label, 0)
    if chosen.demo or left >= 0:
        return [_timed(label, chosen, ask)]
    missing = f"not measured: {label} lacks {gigabytes(-left)} of memory here"
    return [
        Finding("speed", "careful", missing, data={"lacking_bytes": -left}),
        _timed("demo", chosen, ask),
    ]


def _timed(label: str, chosen: Chosen, ask: Ask) -> Finding:
    demo = label == "demo"
    name = "demo speed" if demo and not chosen.demo else "speed"
    request = {
        "demo": demo,
        "bits": BITS if demo else chosen.bits,
        "seconds": 2.0 if demo else STEP_SECONDS,
        "at_least": LEAST_STEPS,
        "limit_s": STEP_LIMIT_SECONDS,
    }
    try:
        result = ask("steps", request, CHILD_SECONDS).result()
    except MoshiTuiError as error:
        return failed(name, error)
    ms = result["ms"]
    middle = median(ms)
    verdict, words = speed_words(middle)
    details = (f"measured with a full context: {_spread(ms)}",)
    advice = "" if verdict == "ok" else _advice(label, verdict)
    data = {"model": label, "median_ms": middle, **result, "budget_ms": BUDGET_MS}
    model = POCKET_MOSHI if demo else label
    return Finding(name, verdict, f"{model}: {words}", details, advice, data)


def check_codec(ask: Ask = ask) -> list[Finding]:
    """Encoding and decoding of a random full-size Mimi against 80 ms, both at once as in a talk."""
    try:
        result = ask("codec", {}, CODEC_CHILD_SECONDS).result()
    except MoshiTuiError as error:
        return [failed("codec", error)]
    encode, decode = median(result["encode_ms"]), median(result["decode_ms"])
    verdict, words = speed_words(max(encode, decode))
    summary = f"{words} (encode {_ms(encode)}, decode {_ms(decode)}, both at once)"
    advice = ""
    if verdict != "ok":
        advice = "It runs on the CPU, two cores of it for itself: close other programs."
    data = {"encode_median_ms": encode, "decode_median_ms": decode, "budget_ms": BUDGET_MS}
    return [Finding("codec", verdict, summary, (), advice, data)]


def speed_words(ms: float) -> tuple[Verdict, str]:
    """A verdict on what takes `ms` a frame, e.g. "31 of 80 ms, real time with room"."""
    share = ms / BUDGET_MS
    if share <= ROOM:
        return "ok", f"{ms:.0f} of {BUDGET_MS:.0f} ms, real time with room"
    if share <= BARELY:
        return "careful", f"{ms:.0f} of {BUDGET_MS:.0f} ms: real time, barely"
    takes = f"{ms:.0f}" if ms < 1000 else _ms(ms)
    return "bad", f"{takes} of {BUDGET_MS:.0f} ms: too slow, would {_loss_words(ms)}"


def _loss_words(ms: float) -> str:
    """In the time of one step ms / 80 frames come; all but one are lost."""
    lost = Fraction(max(0.0, 1 - BUDGET_MS / ms))
    if lost > Fraction(5, 6):
        return f"hear 1 frame in {round(ms / BUDGET_MS)}"
    if lost < Fraction(1, 4):
        return f"skip 1 frame in {round(1 / lost)}"
    few = lost.limit_denominator(7)
    frames = "frame" if few.numerator == 1 else "frames"
    return f"skip {few.numerator} {frames} in {few.denominator}"


def _advice(label: str, verdict: Verdict) -> str:
    if label == "demo":
        return "Close other programs."
    if label != "q4":
        return "Try --quant 4: its weights are read faster."
    if verdict == "careful":
        return "Close other programs before a talk."
    return "Answering a sound file works at any speed: moshi-tui run."


def _spread(ms: Sequence[float]) -> str:
    if len(ms) == 1:
        return "1 step"
    return f"{len(ms)} steps of {_ms(min(ms))} to {_ms(max(ms))}"


def _ms(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
