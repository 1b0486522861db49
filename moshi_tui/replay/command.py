"""`moshi-tui replay`, all but its screen: which options go together, and what each way of it does.

Heavy things (NumPy, MLX) are imported by the way that needs them.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from moshi_tui import paths
from moshi_tui.clean import clean
from moshi_tui.config import CheckpointOptions, Settings
from moshi_tui.errors import MoshiTuiError, UsageError

if TYPE_CHECKING:
    from moshi_tui.recording.reader import Recording
    from moshi_tui.replay.comparison import Comparison
    from moshi_tui.replay.player import Player
    from moshi_tui.session.events import Event

log = logging.getLogger(__name__)

WAYS = ("render", "rebuild", "model")
"""What can be done with a recording instead of showing it, as options call it."""
PLAYING = ("from", "speed", "no_sound")
"""The same for what only the screen has, besides settings."""
PICTURES = (".svg", ".png")
LOOK_SECONDS = 0.1
"""From one look at the progress to the next."""
STOP_SECONDS = 0.5
"""What a step of the model gets to end in."""


@dataclass(frozen=True)
class Playing:
    """How to begin to play."""

    sound: bool = True
    speed: float = 1.0
    start_s: float = 0.0


def refuse_contradictions(
    ways: Sequence[str], playing: Sequence[str], sound: Sequence[str], checkpoint: Sequence[str]
) -> None:
    """Raise UsageError for what can't be meant. All by their flags.

    Args:
        ways: of `WAYS`.
        playing: what only the screen has.
        sound: of those, what says where sound goes to, and how loud.
        checkpoint: what chooses a model.
    """
    if len(ways) > 1:
        why = f"{' and '.join(ways)} are different things to do"
        raise _contradiction(why, "Do one after the other.")
    if ways and playing:
        why = f"{_listed(playing)} for the screen, and {ways[0]} has none"
        raise _contradiction(why, f"Leave out {ways[0]}, or what is for the screen.")
    if checkpoint and list(ways) != ["--model"]:
        hint = f"Leave out {ways[0]}." if ways else ""
        why = f"{_listed(checkpoint)} for a model, which runs only with --model"
        raise _contradiction(why, f"Add --model. {hint}".strip())
    if "--no-sound" in playing and sound:
        why = f"{_listed(sound)} for sound, and --no-sound wants none"
        raise _contradiction(why, "Leave one of them out.")


def check_picture(out: Path) -> None:
    """Raise UsageError if that is no name of a picture."""
    if out.suffix.lower() not in PICTURES:
        raise UsageError("Not a picture", f"--render {out}", "Name it like talk.svg or talk.png.")


def spare_recording(folder: Path, out: Path) -> None:
    """Raise UsageError if `out` is a file of the recording, by whatever name; a picture is none."""
    if not (out.exists() and folder.is_dir()):
        return
    for file in folder.iterdir():
        if file.suffix.lower() not in PICTURES and file.exists() and file.samefile(out):
            raise UsageError(
                "Output is part of the recording", f"{out} is {file}", "Name another file."
            )


def draw(folder: Path, out: Path) -> int:
    """`--render`. Returns the exit status. Raises MoshiTuiError."""
    spare_recording(folder, out)
    from moshi_tui.recording.reader import Recording
    from moshi_tui.replay.picture import render

    with closing(Recording(folder)) as recording:
        if recording.damage:
            _warn(recording.damage)
        render(recording, out)
    print(clean(str(out)))
    return 0


def rebuild_files(folder: Path) -> int:
    """`--rebuild`: prints what was written. Returns the exit status. Raises MoshiTuiError."""
    from moshi_tui.recording.rebuild import rebuild

    for path in rebuild(folder, _warn):
        print(clean(str(path)))
    return 0


def make_player(
    recording: Recording, settings: Settings, playing: Playing, listener: Callable[[Event], None]
) -> Player:
    """The player for the screen, not started yet. On a thread of the app: it takes a while. Raises
    MoshiTuiError."""
    from moshi_tui.replay.player import Player
    from moshi_tui.session.ends import open_speaker

    return Player(
        recording,
        listener,
        partial(open_speaker, settings) if playing.sound else None,
        volume_db=settings.audio.volume_db,
        speed=playing.speed,
        start_s=playing.start_s,
    )


def run_model(folder: Path, options: CheckpointOptions | None) -> int:
    """`--model`: run the model again; the report goes to stdout, progress and doubts to stderr.

    Args:
        options: the checkpoint; None: that which the recording names.

    Returns the exit status: 1 if something was said differently. Raises MoshiTuiError. A long model
    step may still be under way after KeyboardInterrupt.
    """
    from moshi_tui.recording.reader import Recording
    from moshi_tui.replay.named import named_checkpoint, sources

    with closing(Recording(folder)) as recording:
        if options is None and not (named := named_checkpoint(recording)).demo:
            print(f"moshi-tui: the recording names its model: {sources(named)}", file=sys.stderr)
        comparison = _Run(recording, options).result()
    for line in comparison.lines():
        print(clean(line))
    return 0 if comparison.same else 1


class _Run:
    """The model on a thread of its own; this one shows how far it is, and hears Ctrl-C."""

    def __init__(self, recording: Recording, options: CheckpointOptions | None) -> None:
        self._recording = recording
        self._options = options
        self._stop = threading.Event()
        self._at: tuple[str, float | None] = ("Loading", None)
        self._doubts: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._comparison: Comparison | None = None
        self._error: MoshiTuiError | None = None
        # It has the name by which the command line knows who must not be waited for at the end.
        self._thread = threading.Thread(target=self._body, name="inference", daemon=True)

    def result(self) -> Comparison:
        """Run it. Raises MoshiTuiError."""
        self._thread.start()
        try:
            self._show()
        finally:
            self._stop.set()
            self._thread.join(STOP_SECONDS)
        if self._error is not None:
            raise self._error
        assert self._comparison is not None
        return self._comparison

    def _show(self) -> None:
        """A bar on stderr, until the thread ends."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn())
        console = Console(stderr=True)
        shown = partial(Progress, transient=True, disable=not console.is_terminal)
        with shown(*columns, TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task("", total=None)
            running, before = True, 0.0
            while running:
                self._thread.join(LOOK_SECONDS)
                running = self._thread.is_alive()
                words, fraction = self._at
                total, done = (None, 0.0) if fraction is None else (1.0, fraction)
                if done < before:
                    bar.reset(task)  # another stage, with another speed
                bar.update(task, description=clean(words), total=total, completed=done)
                before = done
                while not self._doubts.empty():
                    _warn(self._doubts.get())

    def _tell(self, words: str, fraction: float | None) -> None:
        self._at = (words, fraction)

    def _body(self) -> None:
        """The one outer `try` of the thread."""
        from moshi_tui.checkpoint import Cancelled
        from moshi_tui.model import device
        from moshi_tui.replay.rerun import rerun

        try:
            self._comparison = rerun(
                self._recording, self._options, self._tell, self._doubts.put, self._stop.is_set
            )
        except Cancelled:
            log.info("stopped while the model ran")
        except MoshiTuiError as error:
            self._error = error
        except Exception as error:
            log.exception("rerun")
            self._error = MoshiTuiError(
                "Internal error while the model ran",
                f"{type(error).__name__}: {error}.",
                f"The log says more: {paths.log_file()}.",
            )
        finally:
            device.release()


def _warn(words: str) -> None:
    print(f"moshi-tui: {clean(words)}", file=sys.stderr)


def _contradiction(why: str, hint: str) -> UsageError:
    return UsageError("Contradicting options", why, hint)


def _listed(flags: Sequence[str]) -> str:
    """As the beginning of a sentence."""
    return f"{', '.join(flags)} {'is' if len(flags) == 1 else 'are'}"
