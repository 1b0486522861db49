"""The frame: the unit in which codec, model and session count time.

Source: Mimi and Moshi work at 12.5 Hz on 24 kHz mono sound (Moshi paper, arXiv 2410.00037).
"""

SAMPLE_RATE = 24_000
"""Samples a second inside the program; devices may run at other rates."""

FRAME_SAMPLES = 1_920
"""Samples of one frame."""

FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE
"""Duration of one frame: 0.08 s."""

FRAME_RATE = SAMPLE_RATE / FRAME_SAMPLES
"""Frames a second: 12.5."""
