from __future__ import annotations

from typing import Any

import pytest

from moshi_tui.config import CheckpointOptions, Settings
from moshi_tui.doctor.child import Answer
from moshi_tui.doctor.chosen import choose
from moshi_tui.doctor.findings import Finding
from moshi_tui.doctor.speed import check_codec, check_steps, speed_words
from tests.doctor.conftest import GB, answer

Q4 = choose(Settings())


def memory(**rooms: float) -> Finding:
    return Finding(
        "memory", "ok", "", data={"room_bytes": {k: round(v * GB) for k, v in rooms.items()}}
    )


class Ask:
    """Answers every request with the same and remembers them."""

    def __init__(self, said: Answer) -> None:
        self.said = said
        self.requests: list[dict[str, Any]] = []

    def __call__(self, task: str, request: dict[str, Any], limit_s: float) -> Answer:
        self.requests.append(request)
        return self.said


@pytest.mark.parametrize(
    ("ms", "verdict", "words"),
    [
        (31, "ok", "31 of 80 ms, real time with room"),
        (72, "careful", "72 of 80 ms: real time, barely"),
        (84, "bad", "84 of 80 ms: too slow, would skip 1 frame in 21"),
        (140, "bad", "140 of 80 ms: too slow, would skip 3 frames in 7"),
        (160, "bad", "160 of 80 ms: too slow, would skip 1 frame in 2"),
        (8400, "bad", "8.4 s of 80 ms: too slow, would hear 1 frame in 105"),
    ],
)
def test_verdicts_in_words(ms: float, verdict: str, words: str) -> None:
    assert speed_words(ms) == (verdict, words)


def test_the_median_step_decides() -> None:
    ask = Ask(answer({"ms": [30.0, 31.0, 400.0], "peak_bytes": 1}))
    [finding] = check_steps(Q4, memory(q4=3), ask)
    assert finding.summary == "q4: 31 of 80 ms, real time with room"
    assert finding.details == ("measured with a full context: 3 steps of 30 ms to 400 ms",)
    assert (ask.requests[0]["bits"], ask.requests[0]["demo"]) == (4, False)


@pytest.mark.parametrize(("quant", "advice"), [(8, "--quant 4"), (4, "moshi-tui run")])
def test_too_slow_says_what_to_try(quant: int, advice: str) -> None:
    chosen = choose(Settings(CheckpointOptions(quant=quant)))
    ask = Ask(answer({"ms": [100.0], "peak_bytes": 1}))
    [finding] = check_steps(chosen, memory(q4=3, q8=3), ask)
    assert (finding.verdict, advice in finding.advice) == ("bad", True)


def test_without_memory_the_demo_is_timed_and_labelled_so() -> None:
    ask = Ask(answer({"ms": [20.0], "peak_bytes": 1}))
    speed, demo = check_steps(Q4, memory(q4=-2.5), ask)
    assert (speed.verdict, speed.summary) == (
        "careful",
        "not measured: q4 lacks 2.5 GB of memory here",
    )
    assert (demo.check, demo.summary) == (
        "demo speed",
        "Pocket Moshi: 20 of 80 ms, real time with room",
    )
    assert [request["demo"] for request in ask.requests] == [True]


def test_nothing_is_timed_where_memory_is_unknown() -> None:
    ask = Ask(answer())
    [finding] = check_steps(Q4, None, ask)
    assert (finding.verdict, ask.requests) == ("careful", [])


def test_a_benchmark_that_is_killed_is_a_finding() -> None:
    [finding] = check_steps(Q4, memory(q4=3), Ask(answer(error="ended by SIGKILL")))
    assert (finding.check, finding.verdict) == ("speed", "bad")
    assert "SIGKILL" in finding.summary


def test_the_slower_side_of_the_codec_decides() -> None:
    ask = Ask(answer({"encode_ms": [50.0, 60.0, 70.0], "decode_ms": [90.0]}))
    [finding] = check_codec(ask)
    assert finding.verdict == "bad"
    assert "encode 60 ms, decode 90 ms, both at once" in finding.summary


def test_the_demo_is_timed_for_real() -> None:
    demo = choose(Settings(CheckpointOptions(demo=True)))
    [finding] = check_steps(demo, None)
    assert finding.summary.startswith("Pocket Moshi: ")
    assert finding.data["model"] == "demo"
    assert len(finding.data["ms"]) >= 3
