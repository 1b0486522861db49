"""moshi-tui: talk with Moshi, a full-duplex speech model, in the terminal."""

__version__ = "0.1.0"
