"""Moments of a talk, as a person reads them."""

from __future__ import annotations


def clock(seconds: float, decimals: int = 0) -> str:
    """mm:ss, from an hour on h:mm:ss, and so many decimals of the second: 01:05, 1:02:03.5. What is
    beyond them is cut off: a moment is never told before it has come. `seconds`: from 0 on."""
    # What was rounded once may be a little less than it should be: 0.29 is 0.28999.
    parts = int(seconds * 10**decimals + 1e-6)
    whole, part = divmod(parts, 10**decimals)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{part:0{decimals}}" if decimals else ""
    return (f"{hours}:" if hours else "") + f"{minutes:02}:{whole:02}{fraction}"
