"""What happens in a talk, live or recorded, becomes entries of its conversation."""

from __future__ import annotations

from moshi_tui.errors import MoshiTuiError
from moshi_tui.paths import shown
from moshi_tui.session.events import (
    DeviceChanged,
    DeviceLost,
    Event,
    InputEnded,
    Muted,
    Notice,
    RecordingStarted,
    RecordingStopped,
    SessionInfo,
    Side,
    Skipped,
    TextPiece,
    Underrun,
    UserSaid,
    UserTurn,
    WasReset,
)
from moshi_tui.session.pocket import POCKET_MOSHI, POCKET_WORDS
from moshi_tui.ui.conversation import Conversation
from moshi_tui.ui.text import sentences

SETTLE_FRAMES = 38
"""In the first 3 s threads and screen are still starting: what is made up for then is no news."""

_DEVICE: dict[Side, str] = {"input": "Microphone", "output": "Speaker"}


def open_with(talk: Conversation, info: SessionInfo) -> int:
    """The first entry: who hears whom through what; before it, what to expect of the demo. Returns
    the index of the first."""
    if info.model == POCKET_MOSHI:
        talk.add_event(0, POCKET_WORDS)
    text = f"Microphone: {info.microphone}. Speaker: {info.speaker}. Seed: {info.seed}."
    talk.add_event(0, text)
    return 0


def tell(talk: Conversation, event: Event, now: int = 0) -> int:
    """Take in what has happened.

    Args:
        now: the newest frame, for events that don't say when they happened.

    Returns:
        The index of the one entry that is new or has changed; `len(talk.entries)` if none has.
    """
    match event:
        case TextPiece():
            return talk.add_piece(event.frame, event.text)
        case UserTurn():
            return talk.add_turn(event)
        case UserSaid():
            return talk.add_event(event.frame, f"Demo user: {event.text}")
        case Skipped() if event.frame < SETTLE_FRAMES:
            talk.pass_over(event)
        case Underrun() if event.frame < SETTLE_FRAMES:
            pass  # in the numbers only
        case Skipped():
            return talk.add_skipped(event)
        case Underrun():
            return talk.add_underrun(event)
        case WasReset():
            text = "Reset: Moshi has forgotten the talk so far"
            return talk.add_event(event.frame, text, ends_utterance=True)
        case Muted():
            return talk.add_event(event.frame, "Muted" if event.muted else "Unmuted")
        case InputEnded():
            return talk.add_event(event.frame, "The input is over: Moshi hears silence")
        case DeviceChanged():
            return talk.add_event(event.frame, f"{_DEVICE[event.side]}: {event.name}")
        case DeviceLost():
            text = f"{_DEVICE[event.side]} lost: {event.name}. {event.why}"
            return talk.add_event(event.frame, text)
        case RecordingStarted():
            return talk.add_event(event.frame, f"Recording to {shown(event.folder)}")
        case RecordingStopped(error=None):
            text = f"Recorded {event.seconds:.0f} s to {shown(event.folder)}"
            return talk.add_event(event.frame, text)
        case RecordingStopped(error=MoshiTuiError() as error):
            return talk.add_event(event.frame, in_words(error))
        case Notice():
            return talk.add_event(now if event.frame is None else event.frame, in_words(event))
    return len(talk.entries)


def in_words(told: Notice | MoshiTuiError) -> str:
    """All that it says, in a line."""
    return f"{told.title}: {sentences(told.message, told.hint)}"
