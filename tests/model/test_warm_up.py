import threading
import time

import numpy as np
import pytest

from moshi_tui import paths
from moshi_tui.model import Generator, device, load, warm_up
from moshi_tui.model.trial import Verdict
from tests.model.small import write_checkpoint

CODES = np.zeros(4, dtype=int)


@pytest.fixture
def model(tmp_path):
    return load(write_checkpoint(tmp_path))


@pytest.fixture
def cuda(monkeypatch, tmp_path):
    """As on an NVIDIA GPU whose kernels lie in an empty folder."""
    monkeypatch.setattr(device, "is_cpu", lambda: False)
    monkeypatch.setattr(device, "device_name", lambda: "NVIDIA H200")
    monkeypatch.setattr(warm_up, "device_name", lambda: "NVIDIA H200")
    monkeypatch.setenv("MLX_PTX_CACHE_DIR", str(tmp_path / "kernels"))
    (tmp_path / "kernels").mkdir()
    return tmp_path / "kernels"


def test_a_warm_generator_is_as_good_as_a_fresh_one(model):
    told = []
    warm, marks = warm_up.warm_up(
        lambda: Generator(model, seed=1), lambda detail, done: told.append((detail, done))
    )
    assert list(marks) == ["generator and start-up step", "1 step", "reset"]
    assert [detail for detail, _ in told] == [
        "start-up step: a large model takes seconds on a CPU",
        "step 1 of 1",
    ]
    assert warm.context_used == 1
    fresh = Generator(model, seed=1)
    assert [warm.step(CODES).text_token for _ in range(9)] == [
        fresh.step(CODES).text_token for _ in range(9)
    ]


@pytest.mark.parametrize("runner", ["mlx", "numpy"])
def test_on_a_gpu_short_and_full_contexts_are_stepped(model, monkeypatch, runner):
    monkeypatch.setattr(warm_up, "is_cpu", lambda: False)
    lengths = []

    def make():
        generator = Generator(model, seed=1, runner=runner)
        step = generator.runner.step

        def counted(*args):
            lengths.append(generator.context_used)
            return step(*args)

        monkeypatch.setattr(generator.runner, "step", counted)
        return generator

    warm, marks = warm_up.warm_up(make, lambda *_: None)
    assert lengths == [1, 2, 4, 7, 8, 8, 0]  # of 8, and the start-up step
    assert "6 steps" in marks
    assert warm.context_used == 1


def test_what_was_tried_is_told(model, monkeypatch):
    verdict = Verdict("compiled", step_ms=41.0, reference_ms=47.5, agreement=1.0)
    monkeypatch.setattr(warm_up, "verdicts", lambda _: [verdict])
    told = []
    warm_up.warm_up(lambda: Generator(model, seed=1), lambda detail, _: told.append(detail))
    assert "compiled: 41.0 ms a step, mlx 47.5 ms" in told


def test_who_tells_may_end_it(model):
    def quit(*_):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        warm_up.warm_up(lambda: Generator(model), quit)


def test_the_first_start_tells_how_many_kernels_are_built(cuda):
    told = []
    with warm_up.telling_of_kernels(told.append, tick_s=0.005):
        time.sleep(0.05)
        for name in ("add.ptx", "add.txt", "deep/matmul.ptx"):
            (cuda / name).parent.mkdir(exist_ok=True)
            (cuda / name).touch()
        wait_for(lambda: any("(2 so far)" in each for each in told))
    assert told[0] == "first start, up to 30 s: building kernels for NVIDIA H200"
    assert told[-1] == "first start, up to 30 s: building kernels for NVIDIA H200 (2 so far)"
    assert len(set(told)) == len(told)
    assert "kernels" not in [thread.name for thread in threading.enumerate()]


def test_a_later_start_tells_only_of_new_ones(cuda):
    (cuda / "add.ptx").touch()
    told = []
    with warm_up.telling_of_kernels(told.append, tick_s=0.005):
        time.sleep(0.05)
        assert not told
        (cuda / "multiply.ptx").touch()
        wait_for(lambda: told)
    assert told == ["new: 1 kernel built for NVIDIA H200"]


def test_kernels_are_kept_in_the_cache_unless_a_folder_is_named(cuda, monkeypatch, tmp_path):
    device.keep_kernels()
    assert device.kernel_folder() == cuda
    monkeypatch.delenv("MLX_PTX_CACHE_DIR")
    monkeypatch.setattr(paths, "cache_dir", lambda: tmp_path / "cache")
    device.keep_kernels()
    kept = device.kernel_folder()
    assert kept.parent == tmp_path / "cache" / "kernels"
    assert kept.name.endswith("-nvidia-h200")
    assert device.kernels_built() == 0
    monkeypatch.delenv("MLX_PTX_CACHE_DIR")
    monkeypatch.setattr(device, "device_name", lambda: "NVIDIA GeForce RTX 4090")
    assert device.kernel_folder().name.endswith("-nvidia-geforce-rtx-4090")


def test_a_cpu_builds_no_kernels(monkeypatch):
    monkeypatch.delenv("MLX_PTX_CACHE_DIR", raising=False)
    device.keep_kernels()
    assert device.kernel_folder() is device.kernels_built() is None
    told = []
    with warm_up.telling_of_kernels(told.append, tick_s=0.001):
        time.sleep(0.01)
    assert not told


@pytest.mark.parametrize(("size", "wired"), [(3, 3), (30, 10)])
def test_memory_is_wired_within_what_apple_recommends(monkeypatch, size, wired):
    said = []
    report = device.DeviceReport("M3", "Metal", 16, None, 10)
    monkeypatch.setattr(device, "report", lambda: report)
    monkeypatch.setattr(device.mx, "set_wired_limit", said.append)
    device.wire(size)
    assert said == [wired]


def test_an_old_system_wires_nothing(monkeypatch, caplog):
    def refuse(_):
        raise ValueError("macOS 15 or later")

    monkeypatch.setattr(device, "report", lambda: device.DeviceReport("M1", "Metal", 16, None, 10))
    monkeypatch.setattr(device.mx, "set_wired_limit", refuse)
    with caplog.at_level("INFO"):
        device.wire(3)
    assert "no memory is wired" in caplog.text


def wait_for(true, seconds=5.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)
