from __future__ import annotations

import subprocess
import sys

from textual import on

from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import Download, FileProgress, Loading
from moshi_tui.ui.screens.loading import LoadingScreen
from moshi_tui.ui.widgets.download import DownloadList, bar, pace
from moshi_tui.ui.widgets.stages import span
from tests.ui.helpers import screen_text
from tests.ui.small import SmallApp

FILES = (
    FileProgress("model.q4.safetensors", 1_203_000_000, 4_810_000_000),
    FileProgress("tokenizer-e351c8d8-checkpoint125.safetensors", 369_000_000, 369_000_000),
    FileProgress("tokenizer_spm_32k_3.model", 0, 553_000),
    FileProgress("config\x1b[2J.json", 1200, None),
)
DOWNLOAD = Download(FILES, 23e6, 170.0)
BROKEN = MoshiTuiError("No connection", "huggingface.co [b]did not answer.", "Check the network.")


class App(SmallApp):
    def __init__(self, screen: LoadingScreen) -> None:
        super().__init__()
        self.loading = screen
        self.retries = 0

    def on_mount(self) -> None:
        self.push_screen(self.loading)

    @on(LoadingScreen.Retry)
    def count(self) -> None:
        self.retries += 1


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_stages_in_words_with_the_time_they_took() -> None:
    clock = Clock()
    screen = LoadingScreen(clock=clock)
    app = App(screen)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "▸ Files" in screen_text(app)
        screen.show(Loading("files", "Looking"))
        clock.now += 170
        screen.show(Loading("weights", "model [b]q4\x1b[31m", 0.4))
        await pilot.pause(0.3)
        text = screen_text(app)
        for words in ("✓ Files", "2 min 50 s", "▸ Weights  model [b]q4", "· Codec", "· Warm-up"):
            assert words in text
        assert "· Sound" in text
        assert "40 %" in text
        assert "2:50" in text


async def test_files_with_sizes_speed_and_time_left() -> None:
    screen = LoadingScreen(clock=Clock())
    app = App(screen)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        screen.show(Loading("files", "kyutai/moshiko-mlx-q4", 0.3, DOWNLOAD))
        await pilot.pause()
        lines = screen_text(app).splitlines()
        model = next(line for line in lines if "model.q4" in line)
        assert "1.20 of 4.81 GB" in model
        assert "25 %" in model
        assert "█" in model
        codec = next(line for line in lines if "e351c8d8" in line)
        assert "✓ tokenizer-e351c8d8" in codec
        assert "…" in codec
        assert "369.0 MB" in codec
        assert any("config.json" in line and "1 kB" in line for line in lines)
        text = "\n".join(lines)
        assert "23 MB/s, 2 min 50 s left" in text
        assert "30 %" in text
        screen.show(Loading("weights", "model.q4.safetensors", 0.0))
        await pilot.pause()
        assert "MB/s" not in screen_text(app)
        assert "e351c8d8" not in screen_text(app)


async def test_files_that_do_not_fit_are_counted() -> None:
    files = [FileProgress(f"done-{i}", 5, 5) for i in range(9)]
    files += [FileProgress(f"open-{i}", 1, 5) for i in range(9)]
    screen = LoadingScreen(clock=Clock())
    app = App(screen)
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        screen.show(Loading("files", "", 0.3, Download(tuple(files), None, None)))
        await pilot.pause()
        text = screen_text(app)
        assert "open-4" in text
        assert "9 more done, 4 more to come" in text
        assert "q Quit" in text
        assert screen.query_one(DownloadList).size.height == 6


async def test_nothing_is_cut_off_on_a_tiny_terminal() -> None:
    screen = LoadingScreen(clock=Clock())
    app = App(screen)
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.pause()
        screen.show(Loading("files", "kyutai/a-very-long-name/of-a-repository", 0.3, DOWNLOAD))
        await pilot.pause()
        text = screen_text(app)
        for words in ("Files", "Sound", "30 %", "23 MB/s, 2 min 50 s left", "q Quit", "…"):
            assert words in text
        screen.fail(BROKEN)
        await pilot.pause()
        text = screen_text(app)
        for words in (BROKEN.title, BROKEN.message, BROKEN.hint, "Enter Try again", "q Quit"):
            assert words in text


async def test_a_failure_offers_another_try() -> None:
    screen = LoadingScreen(clock=Clock())
    app = App(screen)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("enter", "r")
        screen.show(Loading("files", "moshiko", 0.3, DOWNLOAD))
        screen.fail(BROKEN)
        screen.fail(MoshiTuiError("Another", "that follows from it."))
        await pilot.pause()
        assert app.retries == 0
        text = screen_text(app)
        for words in (BROKEN.title, BROKEN.message, BROKEN.hint, "✗ Files", "Enter Try again"):
            assert words in text
        assert "Another" not in text
        assert "30 %" not in text
        await pilot.press("enter")
        await pilot.pause()
        assert app.retries == 1
        screen.restart()
        await pilot.pause()
        text = screen_text(app)
        assert "▸ Files" in text
        assert BROKEN.title not in text
        assert "Try again" not in text
        screen.show(Loading("weights", "", 0.5))
        screen.fail(BROKEN)
        await pilot.pause()
        assert "✗ Weights" in screen_text(app)
        await pilot.press("r")
        await pilot.pause()
        assert app.retries == 2


async def test_ascii() -> None:
    screen = LoadingScreen(ascii=True, clock=Clock())
    app = App(screen)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        screen.show(Loading("files", "x" * 200, 0.5, DOWNLOAD))
        await pilot.pause()
        assert screen_text(app).isascii()
        assert "> Files" in screen_text(app)
        screen.fail(BROKEN)
        await pilot.pause()
        assert screen_text(app).isascii()


def test_words_for_times_and_speeds() -> None:
    assert [span(s) for s in (0.04, 9.9, 12, 170, 3900)] == [
        "0.0 s",
        "9.9 s",
        "12 s",
        "2 min 50 s",
        "1 h 5 min",
    ]
    assert pace(Download((), 2_340_000, 0.2)) == "2.3 MB/s, 1 s left"
    assert pace(Download((), 512, None)) == "1 kB/s"
    assert pace(Download((), None, None)) == pace(None) == ""


def test_a_bar_has_its_width() -> None:
    for width in range(20):
        for ascii in (False, True):
            bars = [bar(i / 10, width, ascii=ascii) for i in range(-1, 13)]
            assert {len(b) for b in bars} == {width}
    assert bar(1.0, 4, ascii=True) == "####"
    assert bar(0.0, 4) == "    "


def test_the_first_picture_needs_no_numpy() -> None:
    code = (
        "import sys, moshi_tui.ui.screens.loading;"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'mlx', 'textual.widgets._footer')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_stage_may_fail_before_its_time() -> None:
    app = SmallApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = LoadingScreen()
        await app.push_screen(screen)
        screen.fail(MoshiTuiError("No microphone", "There is none.", "Plug one in."), "sound")
        await pilot.pause(0.1)
        text = screen_text(app)
        assert "✗ Sound" in text
        assert "· Files" in text
