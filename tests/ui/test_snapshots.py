"""Pictures of the screens, compared with those that somebody has looked at.

After a change that is meant: pytest tests/ui/test_snapshots.py --snapshot-update, then look at
every SVG that git shows as changed.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from moshi_tui.audio.levels import Level
from moshi_tui.config import ScreenOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.session.events import (
    DeviceLost,
    Download,
    Event,
    Failed,
    FileProgress,
    Loading,
    Muted,
    RecordingStarted,
    Skipped,
    TextPiece,
    UserTurn,
)
from moshi_tui.session.stats import Skips, Stats
from moshi_tui.ui.app import MoshiApp
from tests.fakes import FakeDesk, FakeEngine
from tests.ui.helpers import looked, until

Compare = Callable[..., bool]
Step = Callable[[FakeEngine, MoshiApp, Pilot[None]], Awaitable[None]]

NUMBERS = Stats(
    frames=738,
    frame=738,
    elapsed_s=59.0,
    lag_ms=142.0,
    input_latency_ms=11.0,
    output_latency_ms=14.0,
    step_ms=54.2,
    encode_ms=21.0,
    decode_ms=22.0,
    backlog_frames=0.4,
    skips=Skips(400, 0, 80, 0, 0),
    playout_ms=32.0,
    context_frames=738,
    context_size=3000,
    memory_bytes=5_400_000_000,
    user=Level(-21, -12),
    moshi=Level(-34, -22),
    microphone="Built-in Microphone",
    speaker="Headphones",
)


def said(frame: int, text: str) -> list[Event]:
    return [TextPiece(frame + 3 * n, 9, f" {word}") for n, word in enumerate(text.split())]


def turn(frame: int, blocks: int) -> UserTurn:
    levels = tuple(-45 + 30 * abs(math.sin(0.9 * n + frame)) for n in range(blocks))
    return UserTurn(frame, 3 * blocks, levels, over=True)


TALK: list[Event] = [
    *said(12, "Hey, how's it going?"),
    turn(50, 13),
    *said(100, "That sounds like fun! What did you think of the view from the top?"),
    turn(160, 30),
    Skipped(250, "user", "silence", 1900.0),
    *said(330, "Oh, I would have loved to see that. Was it cold up there, with all that wind?"),
    turn(460, 8),
    *said(720, "Well, next time take me with"),
]


class Frozen:
    """A clock that stands."""

    def __call__(self) -> float:
        return 1000.0


def picture(
    snap_compare: Compare,
    size: tuple[int, int],
    step: Step,
    options: ScreenOptions = ScreenOptions(),  # noqa: B008 - frozen
    *,
    talking: bool = True,
) -> bool:
    """Lead a fresh app to where the picture is to be taken, then compare."""
    engine = FakeEngine()
    app = MoshiApp(engine.listen_to, FakeDesk, options, clock=Frozen())

    async def before(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.engine is not None and engine.calls)
        if talking:
            engine.stats = NUMBERS
            engine.load()
            await until(pilot, lambda: app.talk is not None and app.screen is app.talk)
            for second in range(60):
                lag_ms = 140.0 + 15 * math.sin(second) + 420 * (second == 31) + 170 * (second == 32)
                engine.stats = replace(NUMBERS, elapsed_s=float(second), lag_ms=lag_ms)
                assert app.talk is not None
                app.talk.query_one("TimingPanel").note(engine.stats)  # type: ignore[attr-defined]
            engine.stats = NUMBERS
            engine.fire(*TALK)
        await step(engine, app, pilot)
        await looked(pilot)

    return snap_compare(app, terminal_size=size, run_before=before)


async def nothing(engine: FakeEngine, app: MoshiApp, pilot: Pilot[None]) -> None:
    pass


def press(*keys: str) -> Step:
    async def step(engine: FakeEngine, app: MoshiApp, pilot: Pilot[None]) -> None:
        await looked(pilot)
        for key in keys:
            await pilot.press(key)
            await looked(pilot)

    return step


def test_loading(snap_compare: Compare) -> None:
    async def step(engine: FakeEngine, app: MoshiApp, pilot: Pilot[None]) -> None:
        files = (
            FileProgress("tokenizer_spm_32k_3.model", 552_778, 552_778),
            FileProgress("model.q4.safetensors", 1_200_000_000, 4_810_000_000),
            FileProgress("tokenizer-e351c8d8-checkpoint125.safetensors", 0, 384_644_900),
        )
        download = Download(files, 23_000_000.0, 173.0)
        engine.fire(Loading("files", "model.q4.safetensors", 0.23, download))

    assert picture(snap_compare, (80, 24), step, talking=False)


def test_loading_failed(snap_compare: Compare) -> None:
    async def step(engine: FakeEngine, app: MoshiApp, pilot: Pilot[None]) -> None:
        error = MoshiTuiError(
            "Not enough disk space",
            "5.2 GB are still to be downloaded to ~/.cache/huggingface/hub. That needs 5.5 GB "
            "free; 2.1 GB are.",
            "Make room, or set HF_HUB_CACHE to a folder on another disk.",
        )
        engine.fire(Loading("files", "Looking for the checkpoint"), Failed(error))

    assert picture(snap_compare, (80, 24), step, talking=False)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_talking(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, size, nothing)


def test_muted(snap_compare: Compare) -> None:
    async def step(engine: FakeEngine, app: MoshiApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        engine.fire(Muted(738, True))

    assert picture(snap_compare, (80, 24), step)


def test_recording(snap_compare: Compare) -> None:
    async def step(engine: FakeEngine, app: MoshiApp, pilot: Pilot[None]) -> None:
        engine.stats = replace(NUMBERS, recording_s=12.0)
        engine.fire(RecordingStarted(738, Path("moshi-20261123-101010")))

    assert picture(snap_compare, (80, 24), step)


def test_too_slow(snap_compare: Compare) -> None:
    async def step(engine: FakeEngine, app: MoshiApp, pilot: Pilot[None]) -> None:
        engine.stats = replace(
            NUMBERS,
            lag_ms=412.0,
            step_ms=96.0,
            health="model 96 ms a frame, 16 over budget: skipping 1 frame in 6",
        )

    assert picture(snap_compare, (80, 24), step)


def test_device_gone(snap_compare: Compare) -> None:
    async def step(engine: FakeEngine, app: MoshiApp, pilot: Pilot[None]) -> None:
        why = "It stopped by itself; was it unplugged?"
        engine.stats = replace(
            NUMBERS,
            microphone_lost=why,
            health="microphone is gone: was it unplugged? d chooses another one",
        )
        engine.fire(DeviceLost(738, "input", "Built-in Microphone", why))

    assert picture(snap_compare, (80, 24), step)


def test_error(snap_compare: Compare) -> None:
    async def step(engine: FakeEngine, app: MoshiApp, pilot: Pilot[None]) -> None:
        message = "MLX could not allocate 1.6 GB for the context."
        hint = "Close other programs, or start with --quant 4."
        engine.fire(Failed(MoshiTuiError("Out of memory", message, hint)))

    assert picture(snap_compare, (80, 24), step)


def test_devices(snap_compare: Compare) -> None:
    assert picture(snap_compare, (80, 24), press("d"))


def test_help(snap_compare: Compare) -> None:
    assert picture(snap_compare, (80, 24), press("question_mark"))


def test_search(snap_compare: Compare) -> None:
    async def step(engine: FakeEngine, app: MoshiApp, pilot: Pilot[None]) -> None:
        await press("slash")(engine, app, pilot)
        app.screen.query_one(Input).cursor_blink = False
        await press(*"that")(engine, app, pilot)

    assert picture(snap_compare, (80, 24), step)


def test_narrow(snap_compare: Compare) -> None:
    assert picture(snap_compare, (60, 20), nothing)


def test_tiny(snap_compare: Compare) -> None:
    assert picture(snap_compare, (40, 12), nothing)


def test_compact(snap_compare: Compare) -> None:
    assert picture(snap_compare, (80, 24), press("t"))


def test_ascii(snap_compare: Compare) -> None:
    assert picture(snap_compare, (80, 24), nothing, ScreenOptions(ascii=True))


@pytest.mark.parametrize("theme", ["light", "contrast"])
def test_themes(snap_compare: Compare, theme: str) -> None:
    assert picture(snap_compare, (80, 24), nothing, ScreenOptions(theme=theme))
