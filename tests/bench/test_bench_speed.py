"""The command, its choices, its parts, its files."""

from __future__ import annotations

import gc
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from rich.console import Console

from moshi_tui import cli
from moshi_tui.bench import speed, speed_command, speed_plan
from moshi_tui.bench.codecs import Codecs
from moshi_tui.bench.outputs import check_target
from moshi_tui.bench.speed import (
    CodecSpeed,
    Failure,
    ModelSpeed,
    Part,
    Results,
    Spread,
    Versus,
    measure,
)
from moshi_tui.bench.speed_plan import Plan, SpeedOptions, make_plan
from moshi_tui.bench.speed_report import show, verdict
from moshi_tui.codec.base import Codes, Pcm
from moshi_tui.demo.checkpoint import demo_config
from moshi_tui.errors import MoshiTuiError
from moshi_tui.frames import FRAME_SAMPLES
from moshi_tui.model.device import DeviceReport, active_memory
from moshi_tui.model.timing import WarmUp

GB = 1_000_000_000
CPU = DeviceReport("CPU (X)", "CPU", None, None, None)
SMALL = {**demo_config(), "context": 20, "num_layers": 1, "depformer_num_layers": 1}
FEW = ["bench", "--shape", "demo", "--steps", "5", "--runner", "mlx"]


def gpu(gigabytes: float) -> DeviceReport:
    return DeviceReport("GPU", "CUDA", 200 * GB, round(gigabytes * GB), None)


class Silent:
    """A codec of no work, which remembers what it was given."""

    name = "silent"
    cardinality = 2048
    n_q = 8

    def __init__(self) -> None:
        self.frames = 0

    def encode(self, pcm: Pcm) -> Codes:
        assert pcm.shape == (FRAME_SAMPLES,)
        self.frames += 1
        return np.full((8, 1), self.frames, np.uint32)

    def decode(self, codes: Codes) -> Pcm:
        assert codes.shape == (8, 1)
        self.frames += 1
        return np.zeros(FRAME_SAMPLES, np.float32)

    def reset(self) -> None:
        self.frames = 0


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_start_log", lambda args: None)
    monkeypatch.setattr(speed_plan, "demo_config", lambda: SMALL)
    monkeypatch.setattr(speed_plan, "FRAMES", 4)
    monkeypatch.setattr(speed, "open_codecs", lambda *_: Codecs(Silent(), Silent()))


@pytest.mark.parametrize(
    ("device", "shape", "why"),
    [
        (CPU, "demo", "takes seconds"),
        (gpu(12), "7b", "9.4 of"),
        (gpu(9), "2b", "needs"),
        (gpu(3), "1b", "needs"),
        (gpu(1), "demo", "1.0 GB"),
    ],
)
def test_the_shape_is_the_largest_that_fits_and_that_is_told(
    device: DeviceReport, shape: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a model needs depends on the type that this machine computes in: as on a GPU.
    needs = {4096: 9.4, 2560: 3.6, 2048: 2.7}
    monkeypatch.setattr(speed_plan, "need", lambda config, bits: Needed(needs.get(config.dim, 0.1)))
    plan = make_plan(SpeedOptions(), device)
    assert plan.shape == shape
    assert why in plan.why.replace("9.4 GB", "9.4")
    assert plan.bits == (8 if shape == "demo" else 4)


class Needed:
    def __init__(self, gigabytes: float) -> None:
        self.total = round(gigabytes * GB)


def test_what_does_not_fit_is_refused_before_anything_is_made() -> None:
    with pytest.raises(MoshiTuiError, match=r"7b needs .* GB, there are 2\.0 GB"):
        make_plan(SpeedOptions(shape="7b"), gpu(2))


def test_a_runner_is_named_as_for_a_talk() -> None:
    named = ("numpy", "auto", None)
    plans = [make_plan(SpeedOptions(runner=name), CPU).runner for name in named]
    assert plans == ["numpy", None, None]


def test_quick_is_shorter_and_a_number_of_steps_is_kept() -> None:
    plan, quick = (make_plan(SpeedOptions(quick=each), CPU) for each in (False, True))
    assert (plan.steps, plan.full_steps) == (500, 200)
    assert quick.steps < plan.steps
    assert quick.limit_s < plan.limit_s
    exact = make_plan(SpeedOptions(quick=True, steps=1), CPU)
    assert (exact.steps, exact.full_steps) == (1, 1)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--shape", "9b"], "7b, 2b, 1b, demo"),
        (["--quant", "5"], "4, 8, bf16"),
        (["--runner", "x"], "mlx, compiled, kernel, numpy"),
        (["--against", "torch"], "moshi_mlx"),
        (["--steps", "0"], "above 0"),
        (["--shape", "demo", "lag"], "Leave out `lag`"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_ones(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", *words]) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--headless"], ["--quant", "4"], ["--runner", "mlx"]])
def test_options_of_a_talk_do_not_go_with_it(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "bench"]) == 2
    assert "Write: moshi-tui bench\n" in capsys.readouterr().err


def test_all_parts_are_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "speed.json"
    gc.collect()
    held = active_memory()  # by other tests of this process; a bench has a process of its own
    assert cli.main([*FEW, "--json", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "bench: warm after" in err
    assert max(map(len, out.splitlines()[:-1])) <= 80
    figures = json.loads(path.read_text())
    assert figures["verdict"] == out.splitlines()[-1]
    assert (figures["failures"], figures["interrupted"]) == ([], False)
    model = figures["model"]
    assert (model["runner"], model["quantisation"]) == ("mlx", "q8")
    assert [model[each]["at"] for each in ("early", "full")] == [100, 20]
    assert [model[each]["count"] for each in ("early", "full")] == [5, 2]
    assert len(model["early"]["ms"]) == 5
    assert model["full_to_early"] == pytest.approx(
        model["full"]["median_ms"] / model["early"]["median_ms"]
    )
    assert model["warm_up_s"] == pytest.approx(sum(model["warm_up_ms"].values()) / 1000)
    memory = figures["memory_bytes"]
    assert memory["over"] == memory["peak"] - memory["weights"] - memory["ring"]
    assert memory["peak"] == max(memory["peak_warm_up"], memory["peak_steps"])
    assert memory["peak_warm_up"] >= memory["active"] > memory["weights"]
    # The weights have no slack, so that what is over is the runner's.
    # (A second copy of anything large would be a quarter of the weights and more; after other tests
    # of the same process it was once 1.4 % of them, alone 0.1 %.)
    assert memory["active"] - held < 1.03 * memory["weights"] + memory["ring"]
    assert figures["codec"]["encode"]["count"] == figures["pipeline"]["count"] == 4
    assert figures["machine"]["versions"]["mlx"]
    rows = [line.split()[:3] for line in out.splitlines()]
    assert ["step", "at", "100"] in rows
    assert any(row[:1] == ["decode"] for row in rows)


def test_a_part_that_fails_is_told_and_the_others_are_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(*_: object) -> Codecs:
        raise ImportError("No module named 'rustymimi'\x1b[2J")

    monkeypatch.setattr(speed, "open_codecs", fail)
    path = tmp_path / "speed.json"
    assert cli.main([*FEW, "--json", str(path)]) == 1
    out = capsys.readouterr().out
    assert "codec: not measured. ImportError: No module named 'rustymimi'" in out
    assert "\x1b" not in out
    figures = json.loads(path.read_text())
    assert figures["model"]["early"]["count"] == 5
    assert "pipeline" not in figures
    assert "without the codec" in figures["verdict"]


def test_interrupted_it_shows_what_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupt(*_: object) -> Codecs:
        raise KeyboardInterrupt

    monkeypatch.setattr(speed, "open_codecs", interrupt)
    path = tmp_path / "speed.json"
    assert cli.main([*FEW, "--json", str(path)]) == 130
    assert "Interrupted" in capsys.readouterr().out
    figures = json.loads(path.read_text())
    assert figures["interrupted"]
    assert figures["model"]["early"]["count"] == 5


def test_a_model_that_fails_leaves_the_codec() -> None:
    def give_up(text: str) -> None:
        if text.startswith("warm-up"):
            raise RuntimeError("out of memory")

    shown: list[Part] = []
    plan = make_plan(SpeedOptions(shape="demo", steps=1), CPU)
    results = measure(plan, give_up, shown.append)
    assert results.failures == [Failure("model", "RuntimeError: out of memory")]
    assert shown == [results.failures[0], results.codec]
    assert "the model was not measured" in verdict(plan, CPU, results)


def test_without_codec_the_model_alone_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*FEW, "--no-codec", "--quant", "8", "--check"]) == 0
    out = capsys.readouterr().out
    assert "codec (" not in out
    assert "demo q8 on CPU" in out
    assert "a step alone, without the codec" in out


def test_moshi_mlx_that_is_not_there_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "moshi_mlx", None)
    monkeypatch.setitem(sys.modules, "moshi_mlx.models", None)
    assert cli.main([*FEW, "--no-codec", "--against", "moshi_mlx"]) == 1
    out, err = capsys.readouterr()
    assert "Cannot import moshi_mlx" in err
    assert "pip install --no-deps moshi_mlx==0.3.0" in err
    assert "step" not in out, "before minutes have gone"


def test_check_makes_a_slow_frame_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(*ms: float) -> Callable[..., Results]:
        return lambda *_: Results(pipeline=Spread(ms))

    for ms, status in ((79.0, 0), (81.0, 1)):
        monkeypatch.setattr(speed_command, "measure", measured(ms, ms, 1000.0))
        assert cli.main([*FEW, "--check"]) == status
        assert cli.main(FEW) == 0


@pytest.mark.parametrize(
    ("ms", "words"),
    [(8.0, "8.00 of 80 ms, 10.0 times real time"), (120.0, "too slow by a factor of 1.5")],
)
def test_the_verdict_says_how_it_keeps_up(ms: float, words: str) -> None:
    plan = make_plan(SpeedOptions(shape="demo"), CPU)
    assert words in verdict(plan, CPU, Results(pipeline=Spread([ms] * 3)))


def test_a_median_that_hides_late_frames_says_so() -> None:
    plan = make_plan(SpeedOptions(shape="demo"), CPU)
    frames = Spread([70.0] * 9 + [99.0])
    assert "real time, but 1 in 20 takes more than" in verdict(plan, CPU, Results(pipeline=frames))


@pytest.mark.parametrize(("encode", "hope"), [(50.0, True), (81.0, False)])
def test_what_is_too_slow_in_turn_may_keep_up_at_once(encode: float, hope: bool) -> None:
    plan = make_plan(SpeedOptions(shape="demo"), CPU)
    step = Spread([40.0])
    model = ModelSpeed("mlx", "q4", 1.0, WarmUp({}, 40.0), 0, step, step, 20, step)
    codec = CodecSpeed("c", Spread([encode]), Spread([30.0]))
    words = verdict(plan, CPU, Results(model=model, codec=codec, pipeline=Spread([160.0])))
    assert "too slow by a factor of 2.0" in words
    assert ("the slowest of the three takes 50.00 ms" in words) is hope


@pytest.mark.parametrize("width", [40, 60, 80])
def test_tables_keep_to_the_width_of_the_terminal(width: int) -> None:
    out = io.StringIO()
    times = Spread([1.0, 22.5, 12345.0])
    model = ModelSpeed("mlx", "q4", 1.0, WarmUp({"a": 1.0}, 4.0), 0, times, times, 3000, times)
    console = Console(file=out, width=width)
    show(console, model)
    show(console, Versus("moshi_mlx", "0.3.0", 1.0, (times, times), (times, times)))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "12345" in out.getvalue()


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_in_a_terminal_and_gone_before_a_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys, "stderr", Screen())
    progress = speed_command.Progress()
    progress.say("one")
    progress.say("one")
    progress.say("more than fits into a line")
    progress.clear()
    wanted = "\rbench: one\x1b[K\rbench: more than fi\x1b[K\r\x1b[K"
    assert cast(io.StringIO, sys.stderr).getvalue() == wanted


def test_progress_in_a_file_is_line_after_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = speed_command.Progress()
    for text in ("one", "one", "two"):
        progress.say(text)
        progress.clear()
    assert capsys.readouterr().err == "bench: one\nbench: two\n"


@pytest.mark.parametrize("name", ["no/speed.json", "/proc/speed.json", "."])
def test_a_file_that_can_not_be_written_is_told_at_once(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main([*FEW, "--json", str(tmp_path / name)]) == 1
    out, err = capsys.readouterr()
    assert "Cannot write a file" in err
    assert "model" not in out


def test_the_look_at_a_file_leaves_it_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    check_target(path)
    assert not path.exists()
    path.write_text("before")
    check_target(path)
    assert path.read_text() == "before"


def test_the_codec_of_the_demo_has_as_many_codebooks_as_the_model() -> None:
    from moshi_tui.bench import codecs

    config: Any = type("Config", (), {"n_user": 3, "dep_q": 2})
    opened = codecs.open_codecs("demo", config)
    assert (opened.encoder.n_q, opened.decoder.n_q) == (3, 2)
    assert opened.encoder.encode(np.zeros(FRAME_SAMPLES, np.float32)).shape == (3, 1)


def test_a_runner_that_is_not_to_be_had_fails() -> None:
    plan = Plan(
        "demo",
        "",
        make_plan(SpeedOptions(shape="demo"), CPU).config,
        None,
        "kernel",
        None,
        1,
        1,
        1.0,
        False,
        1,
    )
    results = measure(plan, lambda text: None, lambda part: None)
    assert [failure.part for failure in results.failures] == ["model"]
