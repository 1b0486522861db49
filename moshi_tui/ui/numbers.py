"""What the numbers on the screen mean: for the help screen, and for whoever points at one."""

from __future__ import annotations

from moshi_tui.ui.widgets.lag_history import FAIR_MS, GOOD_MS

MEANINGS: dict[str, str] = {
    "lag": "From the end of what you say to the start of the answer, devices included: good below "
    f"{GOOD_MS:.0f} ms, fair below {FAIR_MS:.0f} ms, else poor",
    "60 s": "The lag of the last minute, and how many of its seconds were good, fair and poor",
    "step": "What the model takes for a frame of 80 ms; more than that is too slow for a talk",
    "backlog": "Heard by the microphone, not yet by Moshi",
    "skipped in": "Left out to catch up: what Moshi did not hear of you. With ! there was speech "
    "in it, else it was silence",
    "skipped out": "Left out to catch up: what you did not hear of Moshi. With ! there was speech "
    "in it, else it was pauses",
    "underruns": "How often there was nothing to play although Moshi was speaking",
    "playout": "Kept waiting for the speaker in case a frame is late; and the speed, if it is not "
    "that of the voice",
    "context": "How far back Moshi remembers the talk, and how far it can",
    "memory": "What the model occupies",
    "encode": "What the codec takes for a frame of yours",
    "decode": "What the codec takes for a frame of Moshi's",
    "devices": "Their part of the lag: microphone + speaker",
    "xruns": "How often the system lost sound: of the microphone, for the speaker",
    "dropped out": "Sound for the speaker lost because its buffer was full",
    "hurried": "Caught up by playing Moshi a little faster; nothing is lost by it",
}
"""By label, in the order of the panel."""
