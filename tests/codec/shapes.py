"""Sizes that the tests of the codec share."""

from moshi_tui.codec.layout import MimiShape

TINY = MimiShape(
    filters=4, dim=16, layers=1, hidden=24, codebooks=3, codebook_size=16, codebook_dim=8
)

FRAMES = 60
"""Of speech-like sound in the comparisons."""

STANDARD_FRAMES = 44
"""Of it that the full-size checkpoint hears: 0.1 s each."""
